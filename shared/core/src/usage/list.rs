//! The events as they were sent, page by page.

use serde_json::{Value as Json, json};

use super::store::EVENTS;
use crate::crypto::{base64url, from_base64url};
use crate::http::{Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::{MAX_INTEGER, Row};
use crate::time::{DAY, HOUR, Millis};

/// Events of a page.
const PAGE: usize = 100;

/// The place of the last event of a page.
type Place = (i64, String, String);

/// `GET /api/v1/usage/events?from=&to=&cursor=`: newest first, by the time they happened.
pub(super) async fn events<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    // What lies ahead is there already: events may be five minutes ahead.
    let to = cx.request.query_time("to", cx.now.plus(HOUR))?;
    let from = cx.request.query_time("from", to.minus(35 * DAY))?;
    let after: Place = match cx.request.query_value("cursor")? {
        None => (MAX_INTEGER, String::new(), String::new()),
        Some(text) => from_base64url(&text)
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|(time, source, id): &Place| {
                (0..=MAX_INTEGER).contains(time) && !source.contains('\0') && !id.contains('\0')
            })
            .ok_or_else(|| Error::invalid("cursor", "Must be the nextCursor of a page."))?,
    };
    let (time, source, id) = after;
    let most = i64::try_from(PAGE).unwrap_or(0).saturating_add(1);
    let read = |tenant: &_| {
        let period = [from.into(), to.into(), time.into()];
        let [from, to, time] = period;
        vec![EVENTS.bind(
            tenant,
            [from, to, time, source.into(), id.into(), most.into()],
        )]
    };
    let (_, rows) = cx.load(read).await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let page = rows.get(..PAGE).unwrap_or(rows);
    let events = page.iter().map(shown);
    let events = events.collect::<Result<Vec<Json>, DatabaseError>>()?;
    let next = match page.last().filter(|_| rows.len() > PAGE) {
        None => None,
        Some(row) => {
            let place = json!([row.int(5)?, row.text(0)?, row.text(1)?]);
            Some(base64url(place.to_string().as_bytes()))
        }
    };
    Ok(Reply::page(&events, next))
}

fn shown(row: &Row) -> Result<Json, DatabaseError> {
    let (occurred, received) = (Millis(row.int(5)?), Millis(row.int(6)?));
    let late = received.hour() > occurred.hour();
    let corrects = row.opt_text(8)?;
    let state = match (corrects, row.int(9)? > 0, late) {
        (Some(_), _, _) => "correction",
        (None, true, _) => "corrected",
        (None, false, true) => "late",
        (None, false, false) => "counted",
    };
    let properties = match row.opt_text(7)? {
        None => Json::Null,
        Some(text) => serde_json::from_str(text)
            .map_err(|_| DatabaseError::Shape("properties are not JSON".to_owned()))?,
    };
    Ok(json!({
        "id": row.text(1)?,
        "source": row.text(0)?,
        "meter": row.text(2)?,
        "quantity": row.int(3)?,
        "subject": row.opt_text(4)?,
        "timestamp": occurred.rfc3339(),
        "receivedAt": received.rfc3339(),
        "properties": properties,
        "corrects": corrects,
        "state": state,
    }))
}
