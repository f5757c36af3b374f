//! One event, from its raw bytes to the tenant's plan.
//!
//! Claim, apply, mark done: two round trips. The claim is a row that runs out, so an event whose
//! handler died is taken up again; applying and marking are one batch, so it is applied once. An
//! event is only a trigger when a Stripe key is set: the state is then fetched, and neither
//! order nor repetition matters. Without a key the payload counts, guarded by its version.

use serde_json::json;

use super::event::{API_VERSION, Event, Subscription};
use super::signature;
use super::store::{CLAIM, DONE, DONE_AT, RELEASE, TARGET};
use super::target::{Target, Verdict};
use crate::config::Environment;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::metrics;
use crate::outbound::{self, STRIPE};
use crate::port::{DatabaseError, Level, Platform};
use crate::sql::{Row, Statement};
use crate::time::MINUTE;

/// How long one delivery may work before the next may take over.
const CLAIM_LIFE: i64 = MINUTE;

/// An answer, and what became of the event: applied, ignored or duplicate.
type Taken = (Reply, &'static str);

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
    let config = cx.config()?;
    let subscription = if event.is_subscription() {
        Some(event.subscription()?)
    } else {
        None
    };

    let mut statements = vec![claim(cx, event), DONE_AT.bind([event.id.as_str().into()])];
    statements.extend(subscription.as_ref().map(target));
    let rows = cx.batch(&statements).await?;
    let [claimed, done, ..] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    if claimed.is_empty() {
        return repeated(done).map(|reply| (reply, "duplicate"));
    }
    let test_in_production = config.environment == Environment::Production && !event.livemode;
    let Some(subscription) = subscription.filter(|_| !test_in_production) else {
        let outcome = if test_in_production {
            "ignored: test mode"
        } else {
            "ignored: type"
        };
        return finish(cx, event, Vec::new(), outcome).await;
    };
    let target = rows.get(2).and_then(|rows| rows.first());
    match apply(cx, event, subscription, target).await {
        Ok(taken) => Ok(taken),
        Err(error) => {
            // The claim would run out by itself; releasing it only makes the retry quicker.
            let _ = cx.query(RELEASE.bind([event.id.as_str().into()])).await;
            Err(error)
        }
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
    // Control characters cannot stand in valid JSON, so the payload is storable text.
    let payload = String::from_utf8_lossy(cx.request.body).into_owned();
    CLAIM.bind([
        event.id.as_str().into(),
        event.kind.as_str().into(),
        event.object_id().into(),
        payload.into(),
        cx.now.into(),
        cx.now.plus(CLAIM_LIFE).into(),
    ])
}

fn target(subscription: &Subscription) -> Statement {
    TARGET.bind([
        subscription.tenant().into(),
        subscription.customer.as_deref().into(),
        subscription.lookup_key().into(),
        subscription.id.as_str().into(),
    ])
}

async fn apply<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    sent: Subscription,
    target_row: Option<&Row>,
) -> Result<Taken, Error> {
    let (subscription, version) = current(cx, event, &sent).await?;
    let moved = subscription != sent;
    let fetched_target = if moved {
        cx.query(target(&subscription)).await?
    } else {
        Vec::new()
    };
    let row = if moved {
        fetched_target.first()
    } else {
        target_row
    };
    let row = row.ok_or_else(|| DatabaseError::Shape("no target".to_owned()))?;
    match Target::from_row(row)?.judge(&subscription) {
        Verdict::Ignore(why) => finish(cx, event, Vec::new(), why).await,
        Verdict::NoPlan => {
            let key = subscription.lookup_key().unwrap_or("none");
            let why =
                format!("no plan has the price's lookup key {key}; set plans.stripe_lookup_key");
            Err(Error::new(Code::Unavailable)
                .with_retry_after(60)
                .with_cause(why))
        }
        Verdict::Apply(change) => {
            let (writes, outcome) = change.writes(&subscription, version, cx.now, cx.dialect()?);
            let taken = finish(cx, event, writes, outcome).await?;
            change.tell(cx, &subscription);
            Ok(taken)
        }
    }
}

/// The subscription's state, with the version that orders it: Stripe's own when a key is set,
/// else what the event says.
async fn current<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    sent: &Subscription,
) -> Result<(Subscription, i64), Error> {
    let config = cx.config()?;
    let Some(key) = &config.stripe_key else {
        return Ok((sent.clone(), event.version()));
    };
    let asked_at = cx.platform.now();
    let url = format!("{}/v1/subscriptions/{}", config.stripe_api_base, sent.id);
    let headers = vec![
        ("authorization", format!("Bearer {}", key.expose())),
        ("stripe-version", API_VERSION.to_owned()),
    ];
    let body = outbound::fetch(cx, &STRIPE, url, headers).await?;
    let fetched: Subscription = serde_json::from_slice(&body)
        .map_err(|error| outbound::failed(&format!("Stripe's answer: {error}")))?;
    Ok((fetched.checked()?, asked_at.0.saturating_mul(10)))
}

/// Applies and marks done, in one batch.
async fn finish<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    mut writes: Vec<Statement>,
    outcome: &str,
) -> Result<Taken, Error> {
    writes.push(DONE.bind([event.id.as_str().into(), cx.now.into(), outcome.into()]));
    cx.batch(&writes).await?;
    let fields = [
        ("event_id", json!(event.id)),
        ("type", json!(event.kind)),
        ("outcome", json!(outcome)),
    ];
    cx.log(Level::Info, "stripe.event", &fields);
    let reply = Reply::ok(&json!({"received": true, "duplicate": false}));
    let ignored = outcome.starts_with("ignored");
    Ok((reply, if ignored { "ignored" } else { "applied" }))
}
