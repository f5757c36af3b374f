//! Month after month: what was used, and how much of the quota.

use serde_json::{Value as Json, json};

use super::store::{HISTORY, MONTHS, OLDER, REACHED};
use crate::http::{Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::time::{DAY, Millis, month_bounds};

/// Months of a page.
const PAGE: usize = 12;

/// `GET /api/v1/usage/history?meter=&cursor=`: a year at a time, newest first. The cursor is a month.
pub(super) async fn history<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let meter = cx.request.query_value("meter")?;
    let odd = |text: &String| text.len() > 200 || text.chars().any(char::is_control);
    if meter.as_ref().is_some_and(odd) {
        let rule = "Must have 1 to 200 bytes without control characters.";
        return Err(Error::invalid("meter", rule).into());
    }
    let last = cx.request.query_value("cursor")?;
    let months = year(&last.unwrap_or_else(|| cx.now.month()))
        .ok_or_else(|| Error::invalid("cursor", "Must be the nextCursor of a page."))?;
    let windows: Vec<_> = months.iter().map(|month| (month.1.0, month.2.0)).collect();
    let windows = json!(windows).to_string();
    let newest = months.first().map_or("", |month| month.0.as_str());
    let oldest = months.last().map_or("", |month| month.0.as_str());
    let (_, rows) = cx
        .load(|tenant| {
            let period = || [oldest.into(), newest.into()];
            vec![
                HISTORY.bind(tenant, [meter.as_deref().into(), windows.as_str().into()]),
                MONTHS.bind(tenant, period()),
                REACHED.bind(tenant, period()),
                OLDER.bind(tenant, [oldest.into()]),
            ]
        })
        .await?;
    let [totals, counted, reached, older] = rows.as_slice() else {
        return Err(DatabaseError::Shape("four results were expected".to_owned()).into());
    };
    let shown = months.iter().enumerate();
    let shown = shown.map(|(at, (month, ..))| show(at, month, totals, counted, reached));
    let shown = shown.collect::<Result<Vec<Json>, DatabaseError>>()?;
    let next = months.last().filter(|_| !older.is_empty());
    let next = next.map(|(_, from, _)| from.minus(DAY).month());
    Ok(Reply::page(&shown, next))
}

/// The twelve months that end with this one, newest first, with their bounds.
fn year(last: &str) -> Option<Vec<(String, Millis, Millis)>> {
    let mut months = Vec::with_capacity(PAGE);
    let mut month = last.to_owned();
    for _ in 0..PAGE {
        let (from, to) = month_bounds(&month)?;
        let before = from.minus(DAY).month();
        months.push((month, from, to));
        month = before;
    }
    Some(months)
}

fn show(
    at: usize,
    month: &str,
    totals: &[Row],
    counted: &[Row],
    reached: &[Row],
) -> Result<Json, DatabaseError> {
    let mut meters = Vec::new();
    for row in totals {
        if usize::try_from(row.int(0)?).ok() == Some(at) {
            meters.push(
                json!({"meter": row.text(1)?, "quantity": row.int(2)?, "events": row.int(3)?}),
            );
        }
    }
    let mut events = 0;
    for row in counted {
        if row.text(0)? == month {
            events = row.int(1)?;
        }
    }
    let mut thresholds = Vec::new();
    for row in reached {
        if row.text(0)? == month {
            let at = Millis(row.int(2)?).rfc3339();
            thresholds.push(json!({"threshold": row.int(1)?, "reachedAt": at}));
        }
    }
    Ok(json!({"month": month, "events": events, "meters": meters, "thresholds": thresholds}))
}
