//! What the clock does for quotas: gives back places that were held too long, and tells of quotas that
//! are nearly or wholly used up.

use serde_json::json;

use super::store::{DUE, EXPIRE, MARK, PUBLISH, RETURN};
use crate::http::{Context, Error};
use crate::metrics;
use crate::outbox::{Event, Topic};
use crate::port::{Level, Platform};
use crate::sql::Statement;
use crate::tenancy::TenantId;

/// Rows of one round; what is left waits for the next tick.
const ROUND: i64 = 200;

/// One tick; says what it did.
pub(crate) async fn tick<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let expired = expire(cx).await?;
    let told = thresholds(cx).await?;
    Ok(format!("{expired} reservations expired, {told} thresholds"))
}

/// Ends reservations whose time is over, and gives their places back in the same batch.
async fn expire<P: Platform>(cx: &Context<'_, P>) -> Result<usize, Error> {
    let token = cx.new_id("bat")?;
    let token = token.as_str();
    let rows = cx
        .batch(&[
            EXPIRE.bind([cx.now.into(), token.into(), ROUND.into()]),
            RETURN.bind([token.into()]),
        ])
        .await?;
    Ok(rows.first().map_or(0, Vec::len))
}

/// Tells of every tenant that has passed a threshold of its quota this month, once: the row that
/// says so is unique, and the event is written with it.
async fn thresholds<P: Platform>(cx: &Context<'_, P>) -> Result<usize, Error> {
    let month = cx.now.month();
    let month = month.as_str();
    let due = cx.query(DUE.bind([month.into(), ROUND.into()])).await?;
    let mut statements: Vec<Statement> = Vec::new();
    let mut told = Vec::new();
    for row in &due {
        let tenant = TenantId::proven(row.text(0)?);
        let (threshold, used, quota) = (row.int(1)?, row.int(2)?, row.int(3)?);
        let payload = json!({
            "meter": "events",
            "period": month,
            "percent": threshold,
            "used": used,
            "limit": quota,
        });
        let event = Event::new(cx, Topic::QUOTA_THRESHOLD, &payload)?;
        told.push((statements.len(), row.text(0)?, threshold));
        statements.push(MARK.bind(
            &tenant,
            [
                month.into(),
                threshold.into(),
                used.into(),
                quota.into(),
                cx.now.into(),
                event.id.as_str().into(),
            ],
        ));
        statements.push(event.publish_by(&PUBLISH, &tenant));
    }
    if statements.is_empty() {
        return Ok(0);
    }
    let rows = cx.batch(&statements).await?;
    let mut count: usize = 0;
    for (at, tenant, threshold) in told {
        if rows.get(at).is_some_and(|rows| !rows.is_empty()) {
            count = count.saturating_add(1);
            let label = if threshold < 100 { "80" } else { "100" };
            cx.count(metrics::quota_thresholds(label));
            let fields = [
                ("tenant_id", json!(tenant)),
                ("threshold", json!(threshold)),
            ];
            cx.log(Level::Warn, "quota.threshold", &fields);
        }
    }
    Ok(count)
}
