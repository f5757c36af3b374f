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
    for row in &rows {
        let payment = Known::from_row(row)?;
        let age = now.since(Millis(payment.created_at));
        let id = payment.id.as_str();
        let next = (age < GIVEN_UP).then(|| now.plus(age.max(HOUR)));
        let checked = CHECKED.bind(&payment.tenant, [id.into(), next.map(|at| at.0).into()]);
        match read(cx, &payment, age, checked.clone()).await {
            // Stripe answers, and not to this one: the others behind it are not to wait for that.
            Err(error)
                if [Code::BillingObjectMissing, Code::UpstreamRefused].contains(&error.code()) =>
            {
                let fields = [("payment", json!(id)), ("code", json!(error.code().name()))];
                cx.log(Level::Warn, "payment.unknown", &fields);
                cx.query(checked).await?;
            }
            done => done?,
        }
    }
    Ok(rows.len())
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
    if age < DAY {
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
