//! Running jobs: by a queue message, or by the scheduler's tick.

use serde_json::json;

use super::export;
use super::store::{CHECKPOINT, DROP_PARTS, DUE, FINISH, GIVE_BACK, LEASE, Leased, PUT_PART};
use crate::config::Feature;
use crate::http::{Context, Error, RouteInfo, in_background};
use crate::id::is_id;
use crate::metrics;
use crate::port::{Level, Platform, Queue as _};
use crate::sql::Statement;
use crate::time::{MINUTE, SECOND};

/// How long a run may go without a checkpoint before another may take over.
const LEASE_LIFE: i64 = MINUTE;
/// Pages of one run; then the job is given back, so that no run outlives its platform's limit.
const PAGES_PER_RUN: u32 = 20;
/// Attempts that failed, or lost their worker, before a job is failed for good.
const MAX_ATTEMPTS: i64 = 5;
/// Jobs of one tick.
const JOBS_PER_TICK: i64 = 10;

static WAKE: RouteInfo = RouteInfo::background("jobs.wake", "queue:jobs");

/// What the queue should do with the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Forget it.
    Done,
    /// Deliver it again: something failed for now.
    Retry,
}

/// How a run of a job ended.
enum Ran {
    /// Nothing is left for the caller: finished, gone, or somebody else is at it.
    Done,
    /// Given back with more to do.
    More,
    /// Given back after an error, for later.
    Failed,
}

/// Runs the job that a queue message announced.
pub async fn on_wake<P: Platform>(platform: &P, job_id: &str) -> Wake {
    if !is_id("job", job_id) {
        return Wake::Done;
    }
    let ran = in_background(platform, &WAKE, async |cx: &Context<'_, P>| {
        if !are_on(cx) {
            return Wake::Done;
        }
        match run(cx, job_id).await {
            Ok(Ran::Done) => Wake::Done,
            Ok(Ran::More) => wake_again(cx, job_id).await,
            Ok(Ran::Failed) => Wake::Retry,
            Err(error) => {
                log_failure(cx, job_id, &error);
                Wake::Retry
            }
        }
    })
    .await;
    ran.unwrap_or(Wake::Retry)
}

/// Whether jobs may run at all. While they may not, rows wait; a tick finds them afterwards.
fn are_on<P: Platform>(cx: &Context<'_, P>) -> bool {
    cx.config()
        .is_ok_and(|config| config.features.on(Feature::Jobs))
}

/// A message of its own for the next run. A repetition of this one would count as a delivery that
/// failed, and a long job in good health would end in the dead letter queue.
async fn wake_again<P: Platform>(cx: &Context<'_, P>, job_id: &str) -> Wake {
    match cx.platform.queue().wake(job_id).await {
        Ok(()) => Wake::Done,
        Err(error) => {
            let fields = [("job", json!(job_id)), ("cause", json!(error.to_string()))];
            cx.log(Level::Warn, "jobs.wake_failed", &fields);
            Wake::Retry
        }
    }
}

fn log_failure<P: Platform>(cx: &Context<'_, P>, job_id: &str, error: &Error) {
    let cause = error.cause().unwrap_or(error.code().name());
    cx.log(
        Level::Error,
        "jobs.run_failed",
        &[("job", json!(job_id)), ("cause", json!(cause))],
    );
}

/// Runs what is due; returns how many jobs were worked on. One that fails does not hold up the
/// others.
///
/// # Errors
/// The last failure, when all others have run.
pub(crate) async fn run_due<P: Platform>(cx: &Context<'_, P>) -> Result<u32, Error> {
    if !are_on(cx) {
        return Ok(0);
    }
    let rows = cx
        .query(DUE.bind([cx.platform.now().into(), JOBS_PER_TICK.into()]))
        .await?;
    let mut outcome = Ok(0_u32);
    for row in &rows {
        let id = row.text(0)?;
        match run(cx, id).await {
            Ok(_) => outcome = outcome.map(|count| count.saturating_add(1)),
            Err(error) => {
                log_failure(cx, id, &error);
                outcome = Err(error);
            }
        }
    }
    outcome
}

/// Runs one job as far as one run may.
async fn run<P: Platform>(cx: &Context<'_, P>, id: &str) -> Result<Ran, Error> {
    let now = cx.platform.now();
    let lease = LEASE.bind([id.into(), now.into(), now.plus(LEASE_LIFE).into()]);
    let rows = cx.query(lease).await?;
    // No row: finished, gone, or somebody else is at it.
    let Some(row) = rows.first() else {
        return Ok(Ran::Done);
    };
    let mut job = Leased::from_row(row)?;
    // An error would have ended it at the limit; beyond it are jobs that take their worker along.
    if job.attempts > MAX_ATTEMPTS {
        finish(cx, &job, "failed", Some("WORKER_LOST")).await?;
        return Ok(Ran::Done);
    }
    match pages(cx, &mut job).await {
        Ok(ran) => Ok(ran),
        Err(error) => {
            failed(cx, &job, &error).await?;
            Ok(Ran::Failed)
        }
    }
}

/// Pages until the end, the run's limit, or until the lease is lost.
async fn pages<P: Platform>(cx: &Context<'_, P>, job: &mut Leased) -> Result<Ran, Error> {
    if job.kind != export::KIND {
        finish(cx, job, "failed", Some("no worker for this type")).await?;
        return Ok(Ran::Done);
    }
    for _ in 0..PAGES_PER_RUN {
        let page = export::next_page(cx, job).await?;
        if page.too_large {
            finish(cx, job, "failed", Some("RESULT_TOO_LARGE")).await?;
            return Ok(Ran::Done);
        }
        let part = job.parts;
        job.parts = job.parts.saturating_add(1);
        let rows = cx.batch(&store_page(cx, job, part, &page)).await?;
        if rows.first().is_none_or(Vec::is_empty) {
            return Ok(Ran::Done);
        }
        job.checkpoint = Some(page.checkpoint);
        if page.last {
            finish(cx, job, "completed", None).await?;
            return Ok(Ran::Done);
        }
    }
    give_back(cx, job, 0, None).await?;
    Ok(Ran::More)
}

/// The checkpoint after a page, then its part.
fn store_page<P: Platform>(
    cx: &Context<'_, P>,
    job: &Leased,
    part: i64,
    page: &export::Page,
) -> [Statement; 2] {
    let (id, now) = (job.id.as_str(), cx.platform.now());
    [
        CHECKPOINT.bind(
            &job.tenant,
            [
                id.into(),
                job.fence.into(),
                page.checkpoint.as_str().into(),
                job.parts.into(),
                now.plus(LEASE_LIFE).into(),
                now.into(),
            ],
        ),
        PUT_PART.bind(
            &job.tenant,
            [
                id.into(),
                job.fence.into(),
                part.into(),
                page.body.as_str().into(),
            ],
        ),
    ]
}

async fn finish<P: Platform>(
    cx: &Context<'_, P>,
    job: &Leased,
    state: &'static str,
    error: Option<&str>,
) -> Result<(), Error> {
    let id = job.id.as_str();
    let finish = FINISH.bind(
        &job.tenant,
        [
            id.into(),
            job.fence.into(),
            state.into(),
            error.into(),
            cx.platform.now().into(),
        ],
    );
    let drop = DROP_PARTS.bind(&job.tenant, [id.into(), job.fence.into()]);
    let rows = cx.batch(&[finish, drop]).await?;
    if rows.first().is_some_and(|rows| !rows.is_empty()) {
        cx.count(metrics::jobs(kind(job), state));
    }
    cx.log(
        Level::Info,
        "jobs.finished",
        &[("job", json!(job.id)), ("state", json!(state))],
    );
    Ok(())
}

/// The kind as a label: rows may hold kinds of another build.
fn kind(job: &Leased) -> &'static str {
    if job.kind == export::KIND {
        export::KIND
    } else {
        "other"
    }
}

/// After an error: again later, twice as late each time, or failed for good.
async fn failed<P: Platform>(
    cx: &Context<'_, P>,
    job: &Leased,
    error: &Error,
) -> Result<(), Error> {
    let cause = error.cause().unwrap_or(error.code().name());
    cx.log(
        Level::Error,
        "jobs.run_failed",
        &[("job", json!(job.id)), ("cause", json!(cause))],
    );
    if job.attempts >= MAX_ATTEMPTS {
        return finish(cx, job, "failed", Some(error.code().name())).await;
    }
    cx.count(metrics::jobs(kind(job), "retried"));
    let wait = (5 * SECOND).saturating_mul(1 << job.attempts.clamp(0, 8));
    give_back(cx, job, wait, Some(error.code().name())).await
}

async fn give_back<P: Platform>(
    cx: &Context<'_, P>,
    job: &Leased,
    wait: i64,
    error: Option<&str>,
) -> Result<(), Error> {
    let now = cx.platform.now();
    let statement = GIVE_BACK.bind(
        &job.tenant,
        [
            job.id.as_str().into(),
            job.fence.into(),
            now.plus(wait).into(),
            error.into(),
            now.into(),
        ],
    );
    cx.query(statement).await?;
    Ok(())
}
