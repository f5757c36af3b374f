//! What webhooks did not bring: subscriptions are read from Stripe again, a few in each tick.
//!
//! Every tenant that is a customer is looked at once a day, and an hour after it began a checkout; every
//! other subscription that lives, once a day, and when its period has ended without news. So whatever
//! event was lost, it is made up for within a day, mostly within an hour.

use serde::Deserialize;
use serde_json::json;

use super::client;
use super::event::Subscription;
use super::store::{BUYER_CHECKED, BUYERS, CHECKED, STALE, STATE};
use super::target::{Target, Verdict};
use crate::config::Feature;
use crate::http::{Code, Context, Error};
use crate::outbound;
use crate::port::{DatabaseError, Level, Platform};
use crate::time::{DAY, HOUR};

/// How many of each sort one tick reads at most: Workers' free plan allows 50 requests in all.
const PER_TICK: i64 = 15;

#[derive(Deserialize)]
struct List {
    data: Vec<serde_json::Value>,
}

/// Reads what is due; returns how many subscriptions were read.
///
/// # Errors
/// Those of Stripe and of the database: the next tick goes on there.
pub(crate) async fn reconcile<P: Platform>(cx: &Context<'_, P>) -> Result<usize, Error> {
    let config = cx.config()?;
    if !config.features.on(Feature::Billing) || config.stripe_key.is_none() {
        return Ok(0);
    }
    let now = cx.clock();
    let (hour, day) = (now.minus(HOUR), now.minus(DAY));
    let mut read = 0_usize;
    for row in cx.query(BUYERS.bind([day.into(), PER_TICK.into()])).await? {
        let mut path = "/v1/subscriptions?status=all&limit=100&customer=".to_owned();
        path.push_str(row.text(1)?);
        let asked_at = cx.platform.now();
        let list = match client::get(cx, &path).await {
            // Deleted there: it has no subscription any more, and those it had are read one by one.
            Err(error) if error.code() == Code::BillingObjectMissing => Vec::new(),
            // Of this one alone; the others behind it are not to wait for that.
            Err(error) if error.code() == Code::UpstreamRefused => {
                let fields = [("tenant", json!(row.text(0)?))];
                cx.log(Level::Error, "stripe.refused_customer", &fields);
                Vec::new()
            }
            body => outbound::parse::<List>(&body?)?.data,
        };
        for found in list {
            read = read.saturating_add(1);
            apply(cx, found, asked_at.0).await?;
        }
        cx.query(BUYER_CHECKED.bind([row.text(0)?.into(), now.into()]))
            .await?;
    }
    let stale = STALE.bind([hour.into(), day.into(), PER_TICK.into()]);
    for row in cx.query(stale).await? {
        let id = row.text(0)?;
        let mut path = "/v1/subscriptions/".to_owned();
        path.push_str(id);
        let asked_at = cx.platform.now();
        match client::get(cx, &path).await {
            Err(error)
                if [Code::BillingObjectMissing, Code::UpstreamRefused].contains(&error.code()) =>
            {
                cx.log(
                    Level::Warn,
                    "stripe.unknown_subscription",
                    &[("subscription", json!(id))],
                );
            }
            body => {
                read = read.saturating_add(1);
                apply(cx, outbound::parse(&body?)?, asked_at.0).await?;
            }
        }
        cx.query(CHECKED.bind([id.into(), now.into()])).await?;
    }
    Ok(read)
}

/// Writes one down, as an event about it would. What cannot be is told and passed over, so that it does
/// not keep others waiting.
async fn apply<P: Platform>(
    cx: &Context<'_, P>,
    found: serde_json::Value,
    asked_at: i64,
) -> Result<(), Error> {
    let read = Subscription::deserialize(found).ok();
    let Some(subscription) = read.and_then(|read| read.checked().ok()) else {
        cx.log(Level::Warn, "stripe.odd_subscription", &[]);
        return Ok(());
    };
    let id = subscription.id.as_str();
    let looked = [subscription.names().look_up(), STATE.bind([id.into()])];
    let rows = cx.batch(&looked).await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| DatabaseError::Shape("no target".to_owned()))?;
    let known = rows.get(1).and_then(|rows| rows.first());
    match Target::from_row(row)?.judge(&subscription) {
        Verdict::Ignore(_) => {}
        Verdict::NoPlan => {
            let fields = [
                ("subscription", json!(subscription.id)),
                ("lookup_key", json!(subscription.lookup_key())),
            ];
            cx.log(Level::Warn, "stripe.no_plan_for_price", &fields);
        }
        Verdict::Apply(change) if change.is_known(&subscription, known)? => {
            cx.query(CHECKED.bind([id.into(), cx.clock().into()]))
                .await?;
        }
        Verdict::Apply(change) => {
            let version = asked_at.saturating_mul(10);
            let (mut writes, _) = change.writes(&subscription, version, cx.now, cx.dialect()?);
            writes.push(change.event(cx, &subscription, version)?);
            cx.batch(&writes).await?;
            change.tell(cx, &subscription);
        }
    }
    Ok(())
}
