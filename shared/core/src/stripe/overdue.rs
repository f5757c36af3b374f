//! The end of the grace: a subscription that stays past due for `BILLING_GRACE_DAYS` gives no plan any
//! more, until it is paid. Stripe's own dunning may end it earlier.

use serde_json::json;

use super::store::{LAPSE, OVERDUE, RECORD_LAPSED, SET_PLAN};
use crate::audit::Entry;
use crate::http::{Context, Error};
use crate::port::{Level, Platform};
use crate::sql::Value;
use crate::tenancy::TenantId;

/// Subscriptions that one tick ends at most; the rest waits for the next.
const PER_TICK: i64 = 50;

/// Ends what is overdue; returns how many there were.
///
/// # Errors
/// Those of the database. What was done until then is done.
pub(crate) async fn lapse<P: Platform>(cx: &Context<'_, P>) -> Result<usize, Error> {
    let now = cx.clock();
    let since = now.minus(cx.config()?.billing_grace);
    let rows = cx
        .query(OVERDUE.bind([since.into(), PER_TICK.into()]))
        .await?;
    let mut lapsed = 0_usize;
    for row in &rows {
        let (id, tenant) = (row.text(0)?, TenantId::proven(row.text(1)?));
        let entry = Entry {
            tenant: Some(tenant.as_str()),
            actor: "scheduler",
            action: "billing.lapsed",
            target: id,
        };
        let mut record = entry.record(cx, &RECORD_LAPSED, &tenant)?.statement;
        record.params.push(id.into());
        // The entry is of the request's time, so the mark is.
        let mark = LAPSE.bind(&tenant, [id.into(), since.into(), cx.now.into()]);
        let plan = SET_PLAN.bind(&tenant, [Value::Null, cx.now.into()]);
        let done = cx.batch(&[mark, record, plan]).await?;
        // Paid in the same moment, perhaps.
        if done.first().is_some_and(|rows| !rows.is_empty()) {
            lapsed = lapsed.saturating_add(1);
            let fields = [
                ("subscription", json!(id)),
                ("tenant", json!(tenant.as_str())),
            ];
            cx.log(Level::Warn, "billing.lapsed", &fields);
        }
    }
    Ok(lapsed)
}
