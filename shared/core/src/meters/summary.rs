//! Totals of a month, and how much of the quota is left.

use serde_json::{Value as Json, json};

use super::store::TOTALS;
use crate::http::{Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::time::month_bounds;
use crate::usage::quota::Quota;
use crate::usage::store::QUOTA;

/// `GET /api/v1/usage/summary?month=2026-11`; without a month the current one. The quota counts
/// events by the month they were received in, the totals by the month they happened in.
pub(super) async fn summary<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let month = cx
        .request
        .query_value("month")?
        .unwrap_or_else(|| cx.now.month());
    let (from, to) = month_bounds(&month)
        .ok_or_else(|| Error::invalid("month", "Must be a month such as 2026-11."))?;
    let (_, rows) = cx
        .load(|tenant| {
            vec![
                QUOTA.bind(tenant, [month.as_str().into()]),
                TOTALS.bind(tenant, [from.into(), to.into()]),
            ]
        })
        .await?;
    let [quota, totals] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let quota = quota
        .first()
        .ok_or_else(|| DatabaseError::Shape("no tenant".to_owned()))?;
    let quota = Quota::read(quota)?;
    let meters = totals
        .iter()
        .map(|row| {
            Ok(json!({"meter": row.text(0)?, "quantity": row.int(1)?, "events": row.int(2)?}))
        })
        .collect::<Result<Vec<Json>, DatabaseError>>()?;
    Ok(Reply::ok(&json!({
        "month": month,
        "events": quota.used,
        "limit": quota.limit,
        "remaining": quota.remaining(),
        "meters": meters,
    })))
}
