//! Submitting jobs and asking after them.

use serde_json::{Value as Json, json};

use super::export;
use super::store::{GET, LIST, PARTS, ROOM, SUBMIT};
use crate::fields::Fields;
use crate::guard::identity::Credential;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Code, Context, Error, Interrupt, Page, Reply, Response};
use crate::id::is_id;
use crate::metrics;
use crate::port::{DatabaseError, Level, Platform, Queue as _};
use crate::sql::{Row, Value};
use crate::tenancy::{LOCK, Permission, Role};
use crate::time::Millis;

/// Jobs of a tenant that may be unfinished at a time.
const MAX_UNFINISHED: i64 = 5;
/// Jobs of a tenant, until their results expire.
const MAX_KEPT: i64 = 20;
/// Parts that are put together for who asks for the whole result: some megabytes, as a Worker has
/// 128 MB for all its requests.
const WHOLE_PARTS: i64 = 4;

/// Takes a job: 202 with the place to ask for it.
pub(super) async fn submit<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let kind = fields.text("type", 1, 100)?;
    if kind != export::KIND {
        return Err(Error::invalid("type", format!("Must be {}.", export::KIND)).into());
    }
    let params = export::params(fields.opt_object("params")?, cx.now)?;
    fields.finish()?;

    let (actor, rows) = cx.load(|tenant| vec![ROOM.bind(tenant, [])]).await?;
    may_export(&actor)?;
    if let Some(error) = full(rows.first().and_then(|rows| rows.first()))? {
        return Err(error.into());
    }
    let id = cx.new_id("job")?;
    let place = format!("/api/v1/jobs/{id}");
    let job = json!({
        "id": id,
        "type": kind,
        "state": "queued",
        "createdAt": cx.now.rfc3339(),
        "pollUrl": place,
    });
    let write = SUBMIT.bind(
        &actor.tenant,
        [
            id.as_str().into(),
            actor.user.as_str().into(),
            kind.into(),
            params.into(),
            cx.now.into(),
            MAX_KEPT.into(),
            MAX_UNFINISHED.into(),
        ],
    );
    let writes = vec![LOCK.bind(&actor.tenant, []), write];
    let reply = Reply::json(202, &job).with_header("location", place);
    let reply = match cx.commit(&actor, writes.clone(), reply.clone()).await {
        Err(Interrupt::Error(error)) => {
            refused(cx, &actor, error).await?;
            cx.commit(&actor, writes, reply).await?
        }
        replied => replied?,
    };
    cx.count(metrics::jobs(export::KIND, "queued"));
    // The row is the truth; a lost message only means that the scheduler's tick finds the job.
    if let Err(error) = cx.platform.queue().wake(&id).await {
        cx.log(
            Level::Warn,
            "jobs.wake_failed",
            &[("cause", json!(error.to_string()))],
        );
    }
    Ok(reply)
}

/// Whether the caller may see what an export holds.
fn may_export(actor: &Actor) -> Result<(), Error> {
    let may = actor.permissions.hold(export::SHOWS);
    may.then_some(()).ok_or_else(|| Error::lacks(export::SHOWS))
}

/// What a submission that failed is told. Where there is room by now, a job may have finished in
/// between, so it is worth another attempt.
///
/// # Errors
/// `JOB_LIMIT` where others took the room meanwhile; `error` where the database did not answer.
async fn refused<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    error: Error,
) -> Result<(), Error> {
    let Ok(rows) = cx.query(ROOM.bind(&actor.tenant, [])).await else {
        return Err(error);
    };
    match full(rows.first()).ok().flatten() {
        Some(full) => Err(full),
        None if error.code() == Code::Internal => Ok(()),
        None => Err(error),
    }
}

/// The error for a tenant without room for another job, by the row of [`ROOM`].
fn full(room: Option<&Row>) -> Result<Option<Error>, DatabaseError> {
    let Some(row) = room else { return Ok(None) };
    let error = || Error::new(Code::JobLimit);
    Ok(if row.int(1)? >= MAX_UNFINISHED {
        let rule =
            format!("At most {MAX_UNFINISHED} jobs may be unfinished; wait for one of them.");
        Some(error().with_message(rule).with_retry_after(60))
    } else if row.int(0)? >= MAX_KEPT {
        let rule = format!(
            "At most {MAX_KEPT} jobs are kept; wait until one expires, 7 days after its end."
        );
        Some(error().with_message(rule))
    } else {
        None
    })
}

/// The latest jobs that the caller may see: their own, or the tenant's.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (_, rows) = cx
        .load(|tenant| {
            let [time, id, most] = page.params();
            let (user, key) = match cx.credential() {
                Credential::Member(claims) => (Some(claims.user.as_str()), None),
                Credential::Key(key) => (None, Some(key.id.as_str())),
                Credential::None | Credential::Service(_) => (None, None),
            };
            let (user, key) = (user.into(), key.into());
            let roles = Role::names_with(Permission::JobsAll).map(Value::from);
            let [first, second, third, fourth] = roles;
            let bit = Permission::JobsAll.bit().into();
            vec![LIST.bind(
                tenant,
                [time, id, most, user, key, first, second, third, fourth, bit],
            )]
        })
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(rows, |row| Ok((row.int(6)?, row.text(0)?.to_owned())), show)?)
}

/// One job.
pub(super) async fn get<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, rows) = cx
        .load(|tenant| vec![GET.bind(tenant, [cx.param().into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row
        .filter(|_| is_id("job", cx.param()))
        .ok_or_else(|| Error::new(Code::NotFound))?;
    allow(&actor, Action::See, Resource::Job(row.text(9)?))?;
    Ok(Reply::ok(&show(row)?))
}

/// What a completed job made, as NDJSON: one part with `?part=`, all of a small result without.
pub(super) async fn result<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let part = cx.request.query_value("part")?;
    let part = part.map(|text| part_number(&text)).transpose()?;
    let (first, count) = part.map_or((0, WHOLE_PARTS), |part| (part, 1));
    let (actor, rows) = cx
        .load(|tenant| {
            let id = cx.param();
            let end = first.saturating_add(count);
            vec![
                GET.bind(tenant, [id.into()]),
                PARTS.bind(tenant, [id.into(), first.into(), end.into()]),
            ]
        })
        .await?;
    let [job, parts] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let job = job.first().ok_or_else(|| Error::new(Code::NotFound))?;
    allow(&actor, Action::See, Resource::Job(job.text(9)?))?;
    may_export(&actor)?;
    if job.text(2)? != "completed" {
        let message = "The job has no result yet; ask again when its state is completed.";
        return Err(Error::new(Code::StateConflict).with_message(message).into());
    }
    let (id, total) = (job.text(0)?, job.int(3)?);
    let last = total.saturating_sub(1);
    if part.is_none() && total > WHOLE_PARTS {
        let rule =
            format!("The result has {total} parts; ask for each, from ?part=0 to ?part={last}.");
        return Err(Error::invalid("part", rule).into());
    }
    if part.is_some_and(|part| part > last) {
        return Err(Error::invalid("part", format!("Must be a number from 0 to {last}.")).into());
    }
    let mut body = String::new();
    for part in parts {
        body.push_str(part.text(0)?);
    }
    let name = part.map_or_else(|| id.to_owned(), |part| format!("{id}-{part}"));
    let name = format!("attachment; filename=\"{name}.ndjson\"");
    let response = Response::new(200, "application/x-ndjson", body);
    let reply = Reply::Raw(response).with_header("content-disposition", name);
    Ok(match part.filter(|part| *part < last) {
        None => reply,
        Some(part) => {
            let next = part.saturating_add(1);
            // RFC 8288.
            let link = format!("</api/v1/jobs/{id}/result?part={next}>; rel=\"next\"");
            reply.with_header("link", link)
        }
    })
}

/// Digits only: numbers parse with a sign, too.
fn part_number(text: &str) -> Result<i64, Error> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| Error::invalid("part", "Must be a number from 0."))
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    let id = row.text(0)?;
    let completed = row.text(2)? == "completed";
    Ok(json!({
        "id": id,
        "type": row.text(1)?,
        "state": row.text(2)?,
        "parts": row.int(3)?,
        "attempts": row.int(4)?,
        "error": row.opt_text(5)?,
        "createdAt": Millis(row.int(6)?).rfc3339(),
        "updatedAt": Millis(row.int(7)?).rfc3339(),
        "finishedAt": row.opt_int(8)?.map(|time| Millis(time).rfc3339()),
        "resultUrl": completed.then(|| format!("/api/v1/jobs/{id}/result")),
    }))
}
