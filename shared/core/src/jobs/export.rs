//! `usage.export`: the tenant's events of a period as NDJSON, page by page.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::store::{EVENTS, Leased};
use crate::fields::Fields;
use crate::http::{Context, Error};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::tenancy::Permission;
use crate::time::{DAY, Millis};

/// Name of this kind of job.
pub(super) const KIND: &str = "usage.export";
/// What its result shows, so that a role without this gets none by way of a job.
pub(super) const SHOWS: Permission = Permission::UsageRead;
/// Events of one page, which is one part of the result.
const PAGE: i64 = 1_000;
/// Longest period.
const MAX_PERIOD: i64 = 92 * DAY;

/// Most bytes of a result. With the cap on jobs it bounds what one tenant can keep.
const MAX_BYTES: usize = 32 << 20;

#[derive(Serialize, Deserialize)]
struct Params {
    from: i64,
    to: i64,
}

/// The event that the last page ended with, and the size of all pages up to it.
#[derive(Default, Serialize, Deserialize)]
struct Checkpoint {
    occurred_at: i64,
    source: String,
    event_id: String,
    #[serde(default)]
    bytes: usize,
}

/// Checks `{"from":…,"to":…}`; without them, the last 31 days.
pub(super) fn params(fields: Option<Fields>, now: Millis) -> Result<String, Error> {
    let (mut from, mut to) = (None, None);
    if let Some(mut fields) = fields {
        from = fields.opt_time("from")?;
        to = fields.opt_time("to")?;
        fields.finish()?;
    }
    let to = to.unwrap_or_else(|| now.plus(1));
    let from = from.unwrap_or_else(|| to.minus(31 * DAY));
    if !(1..=MAX_PERIOD).contains(&to.since(from)) {
        return Err(Error::invalid(
            "params.to",
            "Must lie after from, by at most 92 days.",
        ));
    }
    Ok(json!({"from": from.0, "to": to.0}).to_string())
}

/// One more page.
pub(super) struct Page {
    pub(super) body: String,
    pub(super) checkpoint: String,
    pub(super) last: bool,
    /// With it, the result would be larger than one may be.
    pub(super) too_large: bool,
}

/// Reads the page after the job's checkpoint.
pub(super) async fn next_page<P: Platform>(
    cx: &Context<'_, P>,
    job: &Leased,
) -> Result<Page, Error> {
    let params: Params = read(&job.params)?;
    let after: Checkpoint = match &job.checkpoint {
        Some(text) => read(text)?,
        None => Checkpoint {
            occurred_at: params.from.saturating_sub(1),
            ..Checkpoint::default()
        },
    };
    let rows = cx
        .query(EVENTS.bind(
            &job.tenant,
            [
                params.from.into(),
                params.to.into(),
                after.occurred_at.into(),
                after.source.as_str().into(),
                after.event_id.as_str().into(),
                PAGE.into(),
            ],
        ))
        .await?;
    let mut body = String::new();
    for row in &rows {
        body.push_str(&line(row)?);
        body.push('\n');
    }
    let bytes = after.bytes.saturating_add(body.len());
    let end = match rows.last() {
        None => after,
        Some(row) => Checkpoint {
            bytes,
            occurred_at: row.int(5)?,
            source: row.text(0)?.to_owned(),
            event_id: row.text(1)?.to_owned(),
        },
    };
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= PAGE);
    Ok(Page {
        body,
        checkpoint: json!(end).to_string(),
        last: !full,
        too_large: bytes > MAX_BYTES,
    })
}

/// One event as CloudEvents 1.0 JSON, so that an export can be sent in again.
fn line(row: &Row) -> Result<String, DatabaseError> {
    let mut event = json!({
        "specversion": "1.0",
        "source": row.text(0)?,
        "id": row.text(1)?,
        "type": row.text(2)?,
        "time": Millis(row.int(5)?).rfc3339(),
        "data": {"quantity": row.int(3)?},
        "receivedtime": Millis(row.int(6)?).rfc3339(),
    });
    if let Some(object) = event.as_object_mut() {
        if let Some(subject) = row.opt_text(4)? {
            object.insert("subject".to_owned(), subject.into());
        }
        if let Some(corrects) = row.opt_text(8)? {
            object.insert("corrects".to_owned(), corrects.into());
        }
        if let (Some(text), Some(Json::Object(data))) = (row.opt_text(7)?, object.get_mut("data")) {
            let properties: Map<String, Json> = read(text)?;
            data.extend(properties);
        }
    }
    Ok(event.to_string())
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, DatabaseError> {
    serde_json::from_str(text).map_err(|error| DatabaseError::Shape(format!("job: {error}")))
}
