//! Submitting jobs and asking after them.

use serde_json::{Value as Json, json};

use super::export;
use super::store::{GET, LIST, PARTS, SUBMIT};
use crate::fields::Fields;
use crate::http::{Code, Context, Error, Interrupt, Page, Reply, Response};
use crate::id::is_id;
use crate::port::{DatabaseError, Level, Platform, Queue as _};
use crate::sql::Row;
use crate::time::Millis;

/// Takes a job: 202 with the place to ask for it.
pub(super) async fn submit<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let kind = fields.text("type", 1, 100)?;
    if kind != export::KIND {
        return Err(Error::invalid("type", format!("Must be {}.", export::KIND)).into());
    }
    let params = export::params(fields.opt_object("params")?, cx.now)?;
    fields.finish()?;

    let (actor, _) = cx.load(|_| Vec::new()).await?;
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
        ],
    );
    let reply = Reply::json(202, &job).with_header("location", place);
    let reply = cx.commit(&actor, vec![write], reply).await?;
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

/// The tenant's latest jobs.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (_, rows) = cx
        .load(|tenant| vec![LIST.bind(tenant, page.params())])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(rows, |row| Ok((row.int(6)?, row.text(0)?.to_owned())), show)?)
}

/// One job.
pub(super) async fn get<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (_, rows) = cx
        .load(|tenant| vec![GET.bind(tenant, [cx.param().into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row
        .filter(|_| is_id("job", cx.param()))
        .ok_or_else(|| Error::new(Code::NotFound))?;
    Ok(Reply::ok(&show(row)?))
}

/// What a completed job made, as NDJSON.
pub(super) async fn result<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (_, rows) = cx
        .load(|tenant| {
            let id = cx.param();
            vec![
                GET.bind(tenant, [id.into()]),
                PARTS.bind(tenant, [id.into()]),
            ]
        })
        .await?;
    let [job, parts] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let job = job.first().ok_or_else(|| Error::new(Code::NotFound))?;
    if job.text(2)? != "completed" {
        let message = "The job has no result yet; ask again when its state is completed.";
        return Err(Error::new(Code::StateConflict).with_message(message).into());
    }
    let mut body = String::new();
    for part in parts {
        body.push_str(part.text(0)?);
    }
    let name = format!("attachment; filename=\"{}.ndjson\"", job.text(0)?);
    let response = Response::new(200, "application/x-ndjson", body);
    Ok(Reply::Raw(response).with_header("content-disposition", name))
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
