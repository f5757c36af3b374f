//! One event, from its raw bytes to the tenant's plan.
//!
//! Claim, apply, mark done: two round trips. The claim is a row that runs out, so an event whose
//! handler died is taken up again; applying and marking are one batch, so it is applied once. An
//! event is only a trigger when a Stripe key is set: the state is then fetched, and neither
//! order nor repetition matters. Without a key the payload counts, guarded by its version.

use serde_json::json;

use super::event::{API_VERSION, Event, TYPES};
use super::signature;
use super::store::{CLAIM, DONE, DONE_AT, RELEASE};
use super::subject::{Subject, handle};
use crate::config::{Config, Environment, Secret};
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::metrics;
use crate::port::{DatabaseError, Level, Platform};
use crate::sql::{Row, Statement};
use crate::time::MINUTE;

/// How long one delivery may work before the next may take over.
const CLAIM_LIFE: i64 = MINUTE;

/// An answer, and what became of the event: applied, ignored or duplicate.
pub(super) type Taken = (Reply, &'static str);

/// `POST /webhooks/stripe`. Every 2xx means: durable and done, or done before.
pub(super) async fn receive<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let read = read(cx);
    let kind = read.as_ref().map_or("unknown", Event::label);
    let taken = match read {
        Ok(event) => take(cx, &event).await,
        Err(error) => Err(error),
    };
    let result = match &taken {
        Ok((_, result)) => result,
        Err(error) => error.code().name(),
    };
    cx.count(metrics::stripe_webhook_events(kind, result));
    taken.map(|(reply, _)| reply).map_err(Interrupt::from)
}

/// The event, if Stripe signed it.
fn read<P: Platform>(cx: &Context<'_, P>) -> Result<Event, Error> {
    let config = cx.config()?;
    let header = cx
        .request
        .headers
        .header("stripe-signature")
        .unwrap_or_default();
    if !signature::is_valid(
        &header,
        cx.request.body,
        &config.stripe_webhook_secrets,
        cx.now,
    ) {
        return Err(Error::new(Code::SignatureInvalid).with_field("Stripe-Signature"));
    }
    Event::read(cx.request.body)
}

/// The answer to an event, and in a word what became of it.
async fn take<P: Platform>(cx: &Context<'_, P>, event: &Event) -> Result<Taken, Error> {
    let subject = Subject::of(event, cx.config()?.stripe_key.is_some())?;
    let mut statements = vec![claim(cx, event), DONE_AT.bind([event.id.as_str().into()])];
    statements.extend(subject.look_up(event));
    let rows = cx.batch(&statements).await?;
    let [claimed, done, ..] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    if claimed.is_empty() {
        return repeated(done).map(|reply| (reply, "duplicate"));
    }
    if event.is_of_another_version() {
        let fields = [
            ("event_id", json!(event.id)),
            ("expected", json!(API_VERSION)),
        ];
        cx.log(Level::Warn, "stripe.other_version", &fields);
    }
    if let Some(why) = wrong_mode(cx.config()?, event) {
        return finish(cx, event, Vec::new(), why).await;
    }
    let found = rows.get(2).map_or(&[][..], Vec::as_slice);
    match handle(cx, event, subject, found).await {
        // Another account's, or made up. To refuse it would only bring it again.
        Err(error) if error.code() == Code::BillingObjectMissing => {
            finish(cx, event, Vec::new(), "ignored: Stripe does not know it").await
        }
        Ok(taken) => Ok(taken),
        Err(error) => {
            // The claim would run out by itself; releasing it only makes the retry quicker.
            let _ = cx.query(RELEASE.bind([event.id.as_str().into()])).await;
            Err(error)
        }
    }
}

/// Why an event is of the mode that this installation is not in, if it is: somebody's tests must not
/// give plans, nor somebody's money be taken for tests.
fn wrong_mode(config: &Config, event: &Event) -> Option<&'static str> {
    let key = config.stripe_key.as_ref().map(Secret::expose);
    let live = match key {
        Some(key) => key.contains("_live_"),
        None => config.environment == Environment::Production,
    };
    match (live, event.livemode) {
        (true, false) => Some("ignored: test mode"),
        (false, true) => Some("ignored: live mode"),
        _ => None,
    }
}

/// The answer to a delivery that another one was faster than.
fn repeated(done: &[Row]) -> Result<Reply, Error> {
    let done = done
        .first()
        .map(|row| row.opt_int(0))
        .transpose()?
        .flatten();
    if done.is_some() {
        return Ok(Reply::ok(&json!({"received": true, "duplicate": true})));
    }
    let busy = "Another delivery of this event is being handled.";
    Err(Error::new(Code::Unavailable)
        .with_message(busy)
        .with_retry_after(5))
}

fn claim<P: Platform>(cx: &Context<'_, P>, event: &Event) -> Statement {
    // Control characters cannot stand in valid JSON, so the payload is storable text. A PaymentIntent's
    // holds the secret by which it is paid, and so may what is not handled.
    let payload = if event.is_payment() || !TYPES.contains(&event.kind.as_str()) {
        "{}".to_owned()
    } else {
        String::from_utf8_lossy(cx.request.body).into_owned()
    };
    CLAIM.bind([
        event.id.as_str().into(),
        event.kind.as_str().into(),
        event.object_id().into(),
        payload.into(),
        cx.now.into(),
        cx.now.plus(CLAIM_LIFE).into(),
    ])
}

/// Applies and marks done, in one batch.
pub(super) async fn finish<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    mut writes: Vec<Statement>,
    outcome: &str,
) -> Result<Taken, Error> {
    writes.push(done(cx, event, outcome));
    cx.batch(&writes).await?;
    Ok(told(cx, event, outcome))
}

/// Marks an event done.
pub(super) fn done<P: Platform>(cx: &Context<'_, P>, event: &Event, outcome: &str) -> Statement {
    DONE.bind([event.id.as_str().into(), cx.now.into(), outcome.into()])
}

/// The answer to an event that is done.
pub(super) fn told<P: Platform>(cx: &Context<'_, P>, event: &Event, outcome: &str) -> Taken {
    let fields = [
        ("event_id", json!(event.id)),
        ("type", json!(event.kind)),
        ("outcome", json!(outcome)),
    ];
    cx.log(Level::Info, "stripe.event", &fields);
    let reply = Reply::ok(&json!({"received": true, "duplicate": false}));
    let ignored = outcome.starts_with("ignored");
    (reply, if ignored { "ignored" } else { "applied" })
}
