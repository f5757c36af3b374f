//! What events did not bring: payments that wait are read from Stripe again, a few in each tick.

use serde_json::json;

use super::machine::{CANCELLED, Move};
use super::model::Known;
use super::settle::{fits, settle};
use super::store::{CHECKED, DUE};
use crate::http::{Code, Context, Error};
use crate::port::{Level, Platform};
use crate::sql::Statement;
use crate::stripe::payment;
use crate::time::{DAY, HOUR, Millis};

/// How many one tick reads at most.
const PER_TICK: i64 = 15;
/// Whose answers may fail before it is Stripe that is down.
const FAILURES: usize = 3;
/// After so long nobody asks any more.
const GIVEN_UP: i64 = 30 * DAY;

/// Reads what is due; returns how many there were.
///
/// # Errors
/// Those of Stripe and of the database: the next tick goes on there.
pub(crate) async fn reconcile<P: Platform>(cx: &Context<'_, P>) -> Result<usize, Error> {
    if cx.config()?.stripe_key.is_none() {
        return Ok(0);
    }
    let now = cx.clock();
    let rows = cx.query(DUE.bind([now.into(), PER_TICK.into()])).await?;
    let mut failures = Vec::new();
    for row in &rows {
        let payment = Known::from_row(row)?;
        let age = now.since(Millis(payment.created_at));
        let id = payment.id.as_str();
        let next = (age < GIVEN_UP).then(|| now.plus(age.max(HOUR)));
        let checked = CHECKED.bind(&payment.tenant, [id.into(), next.map(|at| at.0).into()]);
        match read(cx, &payment, age, checked.clone()).await {
            Ok(()) => {}
            Err(error) if error.code() == Code::BillingObjectMissing => {
                cx.log(Level::Warn, "payment.unknown", &[("payment", json!(id))]);
                cx.query(checked).await?;
            }
            // Somebody has to look at it, and money may wait for that: it is never given up.
            Err(error) if error.code() == Code::UpstreamRefused => {
                cx.log(Level::Error, "payment.refused", &[("payment", json!(id))]);
                let later = [id.into(), now.plus(DAY).into()];
                cx.query(CHECKED.bind(&payment.tenant, later)).await?;
            }
            // The others behind it are not to wait for what is wrong with one.
            Err(error) => {
                failures.push(error);
                if failures.len() == FAILURES {
                    break;
                }
            }
        }
    }
    failures.into_iter().next().map_or(Ok(rows.len()), Err)
}

async fn read<P: Platform>(
    cx: &Context<'_, P>,
    payment: &Known,
    age: i64,
    checked: Statement,
) -> Result<(), Error> {
    let Some(intent) = &payment.intent else {
        return never_begun(cx, payment, age, checked).await;
    };
    let intent = payment::retrieve(cx, intent).await?;
    if fits(cx, payment, &intent) {
        return settle(cx, payment, &intent, "reconcile", vec![checked]).await;
    }
    cx.query(checked).await?;
    Ok(())
}

/// Whose client never came back for the answer: nobody has what it takes to pay it, and after a day its
/// key means nothing any more.
async fn never_begun<P: Platform>(
    cx: &Context<'_, P>,
    payment: &Known,
    age: i64,
    checked: Statement,
) -> Result<(), Error> {
    // An hour more than a repetition of the request may take its payment up.
    if age < DAY + HOUR {
        cx.query(checked).await?;
        return Ok(());
    }
    let step = Move {
        to: CANCELLED,
        cause: "reconcile",
        version: Some(payment.version),
        ..Move::default()
    };
    let written = step.write(cx, payment)?;
    let mut writes = vec![written.change];
    writes.extend(written.rest);
    cx.batch(&writes).await?;
    Ok(())
}
