//! Running jobs: by a queue message, or by the scheduler's tick.

use serde_json::json;

use super::export;
use super::store::{CHECKPOINT, DUE, FINISH, GIVE_BACK, LEASE, Leased, PUT_PART};
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Error, Idempotency, Method, RouteInfo, in_background};
use crate::id::is_id;
use crate::port::{Level, Platform};
use crate::time::{MINUTE, SECOND};

/// How long a run may go without a checkpoint before another may take over.
const LEASE_LIFE: i64 = MINUTE;
/// Pages of one run; then the job is given back, so that no run outlives its platform's limit.
const PAGES_PER_RUN: u32 = 20;
/// Failed attempts before a job is failed for good.
const MAX_ATTEMPTS: i64 = 5;
/// Jobs of one tick.
const JOBS_PER_TICK: i64 = 10;

static WAKE: RouteInfo = RouteInfo {
    name: "jobs.wake",
    method: Method::Post,
    path: "queue:jobs",
    access: Access::Service,
    rate: RateClass::Unlimited,
    idempotency: Idempotency::None,
    media_types: &[],
    needs_config: true,
    acts: true,
};

/// What the queue should do with the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Forget it.
    Done,
    /// Deliver it again: there is more to do, or something failed for now.
    Retry,
}

/// Runs the job that a queue message announced.
pub async fn on_wake<P: Platform>(platform: &P, job_id: &str) -> Wake {
    if !is_id("job", job_id) {
        return Wake::Done;
    }
    let ran = in_background(platform, &WAKE, async |cx: &Context<'_, P>| {
        let ran = run(cx, job_id).await;
        if let Err(error) = &ran {
            log_failure(cx, job_id, error);
        }
        ran
    })
    .await;
    match ran {
        Some(Ok(true)) => Wake::Done,
        Some(Ok(false) | Err(_)) | None => Wake::Retry,
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

/// Runs one job as far as one run may; true when nothing is left to do for the caller.
async fn run<P: Platform>(cx: &Context<'_, P>, id: &str) -> Result<bool, Error> {
    let now = cx.platform.now();
    let lease = LEASE.bind([id.into(), now.into(), now.plus(LEASE_LIFE).into()]);
    let rows = cx.query(lease).await?;
    // No row: finished, gone, or somebody else is at it.
    let Some(row) = rows.first() else {
        return Ok(true);
    };
    let mut job = Leased::from_row(row)?;
    match pages(cx, &mut job).await {
        Ok(finished) => Ok(finished),
        Err(error) => {
            failed(cx, &job, &error).await?;
            Ok(false)
        }
    }
}

/// Pages until the end, the run's limit, or until the lease is lost.
async fn pages<P: Platform>(cx: &Context<'_, P>, job: &mut Leased) -> Result<bool, Error> {
    if job.kind != export::KIND {
        finish(cx, job, "failed", Some("no worker for this type")).await?;
        return Ok(true);
    }
    for _ in 0..PAGES_PER_RUN {
        let page = export::next_page(cx, job).await?;
        let now = cx.platform.now();
        let part = job.parts;
        job.parts = job.parts.saturating_add(1);
        let rows = cx
            .batch(&[
                PUT_PART.bind(
                    &job.tenant,
                    [
                        job.id.as_str().into(),
                        job.fence.into(),
                        part.into(),
                        page.body.into(),
                    ],
                ),
                CHECKPOINT.bind(
                    &job.tenant,
                    [
                        job.id.as_str().into(),
                        job.fence.into(),
                        page.checkpoint.as_str().into(),
                        job.parts.into(),
                        now.plus(LEASE_LIFE).into(),
                        now.into(),
                    ],
                ),
            ])
            .await?;
        if rows.get(1).is_none_or(Vec::is_empty) {
            return Ok(true);
        }
        job.checkpoint = Some(page.checkpoint);
        if page.last {
            finish(cx, job, "completed", None).await?;
            return Ok(true);
        }
    }
    give_back(cx, job, 0, None).await?;
    Ok(false)
}

async fn finish<P: Platform>(
    cx: &Context<'_, P>,
    job: &Leased,
    state: &str,
    error: Option<&str>,
) -> Result<(), Error> {
    let statement = FINISH.bind(
        &job.tenant,
        [
            job.id.as_str().into(),
            job.fence.into(),
            state.into(),
            error.into(),
            cx.platform.now().into(),
        ],
    );
    cx.query(statement).await?;
    cx.log(
        Level::Info,
        "jobs.finished",
        &[("job", json!(job.id)), ("state", json!(state))],
    );
    Ok(())
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
