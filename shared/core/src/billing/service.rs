//! Reading plans and the subscription.

use serde_json::{Value as Json, json};

use super::store::{PLANS, SUBSCRIPTION};
use crate::http::{Context, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::tenancy::PlanFeatures;
use crate::time::Millis;
use crate::trials;

/// The plans on offer; limits of `null` are unlimited.
pub(super) async fn plans<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let rows = cx.query(PLANS.bind([])).await?;
    let plans = rows
        .iter()
        .map(|row| {
            Ok(json!({
                "id": row.text(0)?,
                "name": row.text(1)?,
                "monthlyEvents": row.opt_int(2)?,
                "maxApiKeys": row.opt_int(3)?,
                "features": PlanFeatures::stored(row.text(6)?).names(),
                "maxProjects": row.opt_int(7)?,
                "maxAgents": row.opt_int(8)?,
                "price": {"amountMinor": row.int(4)?, "currency": row.text(5)?},
            }))
        })
        .collect::<Result<Vec<Json>, DatabaseError>>()?;
    Ok(Reply::ok(&plans))
}

/// The tenant's plan and, if it pays, its subscription.
pub(super) async fn subscription<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, rows) = cx
        .load(|tenant| vec![SUBSCRIPTION.bind(tenant, []), trials::OWN.bind(tenant, [])])
        .await?;
    let time = |value: Option<i64>| value.map(|time| Millis(time).rfc3339());
    let subscription = match rows.first().and_then(|rows| rows.first()) {
        None => Json::Null,
        Some(row) => json!({
            "id": row.text(0)?,
            "plan": row.text(1)?,
            "status": row.text(2)?,
            "currentPeriodEnd": time(row.opt_int(3)?),
            "cancelAt": time(row.opt_int(4)?),
        }),
    };
    let trial = rows.get(1).map_or(&[][..], Vec::as_slice);
    let trial = trials::shown(trial, cx.now)?;
    Ok(Reply::ok(
        &json!({"plan": actor.plan, "subscription": subscription, "trial": trial}),
    ))
}
