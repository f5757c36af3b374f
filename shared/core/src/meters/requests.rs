//! The tenant's requests, as they were tracked.

use serde_json::{Value as Json, json};

use crate::http::{Context, Error, Interrupt, Page, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::time::{DAY, HOUR, Millis};
use crate::tracking::Tracking;

crate::queries! {
    /// `?1` tenant, `?2` and `?3` first moment and the one after the last, `?4` and `?5` the place after which to go on,
    /// `?6` most; `?7` route and `?8` actor, each NULL for any, `?9` the least status.
    LIST: TenantQuery = "tracking.list", "
        SELECT id, started_at, actor, route, method, status, error_code, request_id, requests, latency_ms,
            latency_max_ms, request_bytes, response_bytes
        FROM usage_logs
        WHERE tenant_id = ?1 AND started_at >= ?2 AND started_at < ?3 AND (started_at, id) < (?4, ?5)
            AND (CAST(?7 AS TEXT) IS NULL OR route = ?7)
            AND (CAST(?8 AS TEXT) IS NULL OR actor = ?8)
            AND status >= ?9
        ORDER BY started_at DESC, id DESC LIMIT ?6";
}

/// `GET /api/v1/usage/requests?from=&to=&route=&actor=&status=&limit=&cursor=`: newest first.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let to = cx.request.query_time("to", cx.now.plus(HOUR))?;
    let mut from = cx.request.query_time("from", to.minus(7 * DAY))?;
    // A row of an hour stands at its beginning.
    if cx.config()?.tracking == Tracking::Counts {
        from = from.hour();
    }
    let name = |name: &'static str| {
        let text = cx.request.query_value(name)?;
        let odd = |text: &String| {
            !(1..=100).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if text.as_ref().is_some_and(odd) {
            return Err(Error::invalid(name, "Must be a name or an id."));
        }
        Ok(text)
    };
    let (route, actor) = (name("route")?, name("actor")?);
    let status: i64 = match cx.request.query_value("status")? {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|status| (100..=599).contains(status))
            .ok_or_else(|| Error::invalid("status", "Must be a number from 100 to 599."))?,
    };
    let [place, id, most] = page.params();
    let (_, rows) = cx
        .load(|tenant| {
            let (from, to) = (from.into(), to.into());
            let (route, actor, status) = (route.into(), actor.into(), status.into());
            vec![LIST.bind(tenant, [from, to, place, id, most, route, actor, status])]
        })
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(rows, |row| Ok((row.int(1)?, row.text(0)?.to_owned())), show)?)
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    let (requests, latency) = (row.int(8)?, row.int(9)?);
    Ok(json!({
        "startedAt": Millis(row.int(1)?).rfc3339(),
        "actor": row.opt_text(2)?,
        "route": row.text(3)?,
        "method": row.text(4)?,
        "status": row.int(5)?,
        "code": row.opt_text(6)?,
        "requestId": row.opt_text(7)?,
        "requests": requests,
        "latencyMs": latency.checked_div(requests).unwrap_or(latency),
        "latencyMaxMs": row.int(10)?,
        "requestBytes": row.int(11)?,
        "responseBytes": row.int(12)?,
    }))
}
