//! What the units of a meter cost under a plan.

use serde_json::{Value as Json, json};

use super::store::{PRICES, PUT_PRICE, price};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::MAX_INTEGER;
use crate::time::month_bounds;

/// Sets a price from a month on; without one from the present month. A price of 0 ends what was
/// charged.
pub(super) async fn put<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let plan = fields.text("plan", 1, 64)?;
    let meter = fields.text("meter", 1, 100)?;
    let month = fields.opt_text("fromMonth", 7, 7)?;
    let required = |name| Error::invalid(name, "Is required.");
    let amount = fields
        .opt_int("unitAmountMinor", 0, 1_000_000_000_000)?
        .ok_or_else(|| required("unitAmountMinor"))?;
    let per = fields.opt_int("perUnits", 1, MAX_INTEGER)?.unwrap_or(1);
    let included = fields
        .opt_int("includedUnits", 0, MAX_INTEGER)?
        .unwrap_or(0);
    fields.finish()?;
    let month = month.unwrap_or_else(|| cx.now.month());
    if month_bounds(&month).is_none() {
        return Err(Error::invalid("fromMonth", "Must be a month such as 2026-11.").into());
    }
    let actor = cx.service()?;
    let entry = Entry {
        tenant: None,
        actor: &actor,
        action: "price.set",
        target: &plan,
    };
    let set = PUT_PRICE.bind([
        plan.as_str().into(),
        meter.as_str().into(),
        month.as_str().into(),
        amount.into(),
        per.into(),
        included.into(),
        cx.now.into(),
    ]);
    let rows = cx.batch(&[set, entry.append(cx)?]).await?;
    if rows.first().is_none_or(Vec::is_empty) {
        return Err(Error::invalid("plan", "Must be the id of a plan.").into());
    }
    Ok(Reply::ok(&json!({
        "plan": plan,
        "meter": meter,
        "fromMonth": month,
        "unitAmountMinor": amount,
        "perUnits": per,
        "includedUnits": included,
    })))
}

/// All prices; of those for one plan and meter the one with the latest month that has begun holds.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let rows = cx.query(PRICES.bind([])).await?;
    let prices = rows
        .iter()
        .map(|row| {
            let price = price(row, 3)?;
            Ok(json!({
                "plan": row.text(0)?,
                "meter": row.text(1)?,
                "fromMonth": row.text(2)?,
                "unitAmountMinor": price.unit_amount,
                "perUnits": price.per_units,
                "includedUnits": price.included,
                "currency": row.text(6)?,
            }))
        })
        .collect::<Result<Vec<Json>, DatabaseError>>()?;
    Ok(Reply::ok(&prices))
}
