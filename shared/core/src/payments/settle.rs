//! What Stripe says of a payment, written down. It may be said twice, late, and out of order: the table of
//! states decides what it changes.

use serde_json::json;

use super::machine::{CANCELLED, FAILED, Move, PAID, PROCESSING, history};
use super::model::Known;
use super::store::{FIND, KNOWN, REFUND_FAILED, REFUND_LATE, REFUNDED, SET_ACTION};
use crate::http::{Code, Context, Error};
use crate::metrics;
use crate::outbound;
use crate::port::{Level, Platform};
use crate::sql::{Row, Statement};
use crate::stripe::client;
use crate::stripe::payment::{self, Intent, Sum};
use crate::time::{DAY, HOUR, Millis};

/// When a refund that failed is tried anew. Stripe would tell of the old one for a day
/// (Stripe's reference, "Idempotent requests").
const RETRY: i64 = DAY + HOUR;

/// Finds the payment of a `PaymentIntent`, or the one that its metadata names and that has none yet.
pub(crate) fn find(named: Option<&str>, intent: &str) -> Statement {
    FIND.bind([named.into(), intent.into()])
}

/// The payment's `PaymentIntent` as it is now. One that is not known is made, or was and nobody heard of it:
/// the key is the payment's own.
pub(super) async fn intent<P: Platform>(
    cx: &Context<'_, P>,
    payment: &Known,
) -> Result<Intent, Error> {
    if let Some(id) = &payment.intent {
        return payment::retrieve(cx, id).await;
    }
    let tenant = payment.tenant.as_str();
    let sum = Sum {
        amount_minor: payment.amount,
        currency: &payment.currency,
        metadata: &[("payment_id", &payment.id), ("tenant_id", tenant)],
    };
    let key = client::key(tenant, "payment", &payment.id);
    payment::create(cx, &sum, key).await
}

/// Gives all of it back, once; the refund's id.
pub(super) async fn give_back<P: Platform>(
    cx: &Context<'_, P>,
    payment: &Known,
    intent: &str,
) -> Result<String, Error> {
    let key = client::key(payment.tenant.as_str(), "refund", &payment.id);
    let refund = match payment::refund(cx, intent, key).await {
        // Whoever tells of a payment that Stripe does not know is not believed; this one was paid.
        Err(error) if error.code() == Code::BillingObjectMissing => {
            return Err(outbound::failed("nothing to give back"));
        }
        done => done?,
    };
    cx.count(metrics::payments("refunded"));
    Ok(refund)
}

/// Whether a `PaymentIntent` is for the payment's sum. Another one pays for nothing here.
pub(crate) fn fits<P: Platform>(cx: &Context<'_, P>, payment: &Known, intent: &Intent) -> bool {
    let fits =
        intent.amount == payment.amount && intent.currency.eq_ignore_ascii_case(&payment.currency);
    if !fits {
        let fields = [("payment", json!(payment.id)), ("intent", json!(intent.id))];
        cx.log(Level::Error, "payment.other_sum", &fields);
    }
    fits
}

/// Writes down what `intent` says, and `more` in the same batch. What was paid after its cancellation goes
/// back.
pub(crate) async fn settle<P: Platform>(
    cx: &Context<'_, P>,
    payment: &Known,
    intent: &Intent,
    cause: &str,
    more: Vec<Statement>,
) -> Result<(), Error> {
    // A bank has refused what was cancelled while it worked on it. Nobody is to try again.
    let ended;
    let intent = if payment.status == CANCELLED && intent.is_open() {
        let key = client::key(payment.tenant.as_str(), "cancel", &payment.id);
        ended = payment::cancel(cx, &intent.id, key).await?;
        &ended
    } else {
        intent
    };
    let paid = intent.status == "succeeded";
    let mut writes = Vec::new();
    if paid && is_late(payment) {
        writes.extend(refund_late(cx, payment, &intent.id, cause).await?);
    }
    let failure = intent.failure();
    let steps: &[&'static str] = match intent.status.as_str() {
        "succeeded" => &[PROCESSING, PAID],
        "processing" => &[PROCESSING],
        "canceled" => &[CANCELLED],
        "requires_payment_method" if failure.is_some() => &[FAILED],
        _ => &[],
    };
    let mut changes = Vec::with_capacity(2);
    for to in steps {
        let waits = [PROCESSING, FAILED].contains(to);
        let step = Move {
            to,
            cause,
            error: failure.filter(|_| *to == FAILED),
            intent: Some(&intent.id),
            method: intent.payment_method.as_deref(),
            next_check: waits.then(|| cx.now.plus(HOUR)),
            ..Move::default()
        };
        let written = step.write(cx, payment)?;
        changes.push((writes.len(), *to));
        writes.push(written.change);
        writes.extend(written.rest);
    }
    if steps.is_empty() {
        let id = payment.id.as_str().into();
        let action = [id, intent.next_action().into(), cx.now.into()];
        writes.push(SET_ACTION.bind(&payment.tenant, action));
    }
    let place = writes.len();
    writes.push(KNOWN.bind(&payment.tenant, [payment.id.as_str().into()]));
    writes.extend(more);
    let rows = cx.batch(&writes).await?;
    let at = |index: usize| rows.get(index).map_or(&[][..], Vec::as_slice);
    for (index, to) in changes {
        if to != PROCESSING && !at(index).is_empty() {
            cx.count(metrics::payments(to));
        }
    }
    // Cancelled while this was written.
    let Some(now) = Known::first(at(place))?.filter(|now| paid && is_late(now)) else {
        return Ok(());
    };
    let writes = refund_late(cx, &now, &intent.id, cause).await?;
    cx.batch(&writes).await?;
    Ok(())
}

fn is_late(payment: &Known) -> bool {
    payment.status == CANCELLED && payment.refunded_at.is_none()
}

/// Gives back what came too late; the statements that write it down.
async fn refund_late<P: Platform>(
    cx: &Context<'_, P>,
    payment: &Known,
    intent: &str,
    cause: &str,
) -> Result<[Statement; 2], Error> {
    let refund = give_back(cx, payment, intent).await?;
    let (id, transition) = (payment.id.as_str(), cx.new_id("trn")?);
    cx.log(
        Level::Warn,
        "payment.refunded_late",
        &[("payment", json!(id))],
    );
    let write = REFUND_LATE.bind(
        &payment.tenant,
        [
            id.into(),
            transition.as_str().into(),
            refund.into(),
            cx.now.into(),
        ],
    );
    Ok([write, history(&payment.tenant, id, &transition, cause)])
}

/// A refund of Stripe's that came to nothing: the next run of the task gives back again.
pub(crate) fn refund_failed(refund: &str, now: Millis) -> Statement {
    REFUND_FAILED.bind([refund.into(), now.plus(RETRY).into(), now.into()])
}

/// What Stripe says went back of a payment, which is in `rows` of [`find`]: who has nothing left of it has
/// not paid.
pub(crate) fn refunded<P: Platform>(
    cx: &Context<'_, P>,
    rows: &[Row],
    amount: i64,
    whole: bool,
    cause: &str,
) -> Result<Option<(Known, Vec<Statement>)>, Error> {
    let Some(payment) = Known::first(rows)? else {
        return Ok(None);
    };
    let id = payment.id.as_str().into();
    let told = REFUNDED.bind(&payment.tenant, [id, amount.into(), cx.now.into()]);
    let mut writes = vec![told];
    if whole {
        let step = Move {
            to: CANCELLED,
            cause,
            ..Move::default()
        };
        let written = step.write(cx, &payment)?;
        writes.push(written.change);
        writes.extend(written.rest);
    }
    Ok(Some((payment, writes)))
}
