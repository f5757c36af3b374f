//! What an event tells of, as it is now, and what is written down of it.
//!
//! An event is only a trigger when a Stripe key is set: the object is then fetched, and neither order
//! nor repetition matters, nor the version that the event was made in. Without a key the payload
//! counts, guarded by its version.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client;
use super::event::{Event, Subscription, is_plain};
use super::money::{Charge, Dispute, Invoice};
use super::payment;
use super::store::SET_CUSTOMER;
use super::target::{Names, Target, Verdict};
use super::webhook::{Taken, done, finish, told};
use crate::http::{Code, Context, Error};
use crate::outbound;
use crate::outbox::{Topic, publish};
use crate::payments::{self, Known};
use crate::port::{DatabaseError, Level, Platform};
use crate::sql::{Row, Statement};
use crate::tenancy::TenantId;
use crate::time::{Millis, SECOND};

/// What an event tells of; `None` where its object cannot be read and is fetched anyway.
pub(super) enum Subject {
    /// `customer.subscription.*`
    Subscription(Option<Box<Subscription>>),
    /// `checkout.session.completed`
    Checkout(Box<Checkout>),
    /// `invoice.paid`, `invoice.payment_failed`, `invoice.finalized`
    Invoice(Option<Box<Invoice>>),
    /// `charge.refunded`
    Charge(Option<Box<Charge>>),
    /// `charge.dispute.*`
    Dispute(Option<Box<Dispute>>),
    /// `payment_intent.*`
    Payment,
    /// `refund.failed`
    Refund,
    /// Nothing that we look at.
    Other,
}

/// A Checkout Session that was paid at.
#[derive(Debug, Deserialize)]
pub(super) struct Checkout {
    client_reference_id: Option<String>,
    customer: Option<String>,
    subscription: Option<String>,
}

impl Subject {
    /// # Errors
    /// `VALIDATION` when the object has another shape than its type's; with a key only in the version
    /// that this code speaks.
    pub(super) fn of(event: &Event, fetched: bool) -> Result<Self, Error> {
        let lenient = fetched && event.is_of_another_version();
        if lenient && event.object_id().is_none() {
            return Err(Error::invalid("data.object.id", "Must be there."));
        }
        Ok(match event.kind.as_str() {
            "checkout.session.completed" => Self::Checkout(Box::new(event.object()?)),
            "invoice.paid" | "invoice.payment_failed" | "invoice.finalized" => {
                Self::Invoice(read(event, lenient)?)
            }
            "charge.refunded" => Self::Charge(read(event, lenient)?),
            kind if kind.starts_with("charge.dispute.") => Self::Dispute(read(event, lenient)?),
            "refund.failed" => Self::Refund,
            _ if event.is_payment() => Self::Payment,
            _ if event.is_subscription() => Self::Subscription(match event.subscription() {
                Ok(subscription) => Some(Box::new(subscription)),
                Err(_) if lenient => None,
                Err(error) => return Err(error),
            }),
            _ => Self::Other,
        })
    }

    /// The statement that looks up whose it may be, as the event says: its row is a [`Target`], or a
    /// payment.
    pub(super) fn look_up(&self, event: &Event) -> Option<Statement> {
        let names = match self {
            Self::Subscription(sent) => sent.as_ref().map(|sent| sent.names()),
            Self::Checkout(sent) => Some(sent.names()),
            Self::Invoice(sent) => sent.as_ref().map(|sent| sent.names()),
            Self::Charge(sent) => sent.as_ref().map(|sent| sent.names()),
            Self::Payment => {
                return event
                    .object_id()
                    .map(|id| payments::find(event.payment(), id));
            }
            Self::Dispute(_) | Self::Refund | Self::Other => None,
        };
        names.map(|names| names.look_up())
    }
}

impl Checkout {
    fn names(&self) -> Names<'_> {
        Names {
            tenant: self.client_reference_id.as_deref(),
            customer: self.customer.as_deref(),
            ..Names::default()
        }
    }
}

fn read<T: DeserializeOwned>(event: &Event, lenient: bool) -> Result<Option<Box<T>>, Error> {
    match event.object() {
        Ok(object) => Ok(Some(Box::new(object))),
        Err(_) if lenient => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes down what an event tells of.
pub(super) async fn handle<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    subject: Subject,
    rows: &[Row],
) -> Result<Taken, Error> {
    if matches!(subject, Subject::Payment) {
        return paid(cx, event, rows).await;
    }
    let target = rows.first().map(Target::from_row).transpose()?;
    match subject {
        Subject::Subscription(sent) => {
            let id = event.object_id().unwrap_or_default();
            subscription(cx, event, id, sent.map(|sent| *sent), target).await
        }
        Subject::Checkout(sent) => checkout(cx, event, &sent, target).await,
        Subject::Invoice(sent) => invoice(cx, event, sent, target).await,
        Subject::Charge(sent) => charge(cx, event, sent, target).await,
        Subject::Dispute(sent) => dispute(cx, event, sent).await,
        Subject::Refund => {
            let id = event.object_id().unwrap_or_default();
            alarm(cx, Level::Error, "stripe.refund_failed", id, None);
            let write = payments::refund_failed(id, cx.now);
            finish(cx, event, vec![write], "applied").await
        }
        Subject::Payment | Subject::Other => finish(cx, event, Vec::new(), "ignored: type").await,
    }
}

/// An object as it is now, with the version that orders it: Stripe's own word when a key is set, else
/// what the event says.
async fn current<P: Platform, T: DeserializeOwned>(
    cx: &Context<'_, P>,
    event: &Event,
    place: &str,
    id: &str,
    sent: Option<T>,
) -> Result<(T, i64), Error> {
    if cx.config()?.stripe_key.is_none()
        && let Some(sent) = sent
    {
        return Ok((sent, event.version()));
    }
    let asked_at = cx.platform.now();
    let mut path = place.to_owned();
    path.push_str(id);
    let body = client::get(cx, &path).await?;
    Ok((outbound::parse(&body)?, asked_at.0.saturating_mul(10)))
}

/// Whose something is; asked anew where the event did not say.
async fn whose<P: Platform>(
    cx: &Context<'_, P>,
    known: Option<Target>,
    names: Names<'_>,
) -> Result<Target, Error> {
    if let Some(known) = known {
        return Ok(known);
    }
    let rows = cx.query(names.look_up()).await?;
    let row = rows.first();
    let row = row.ok_or_else(|| DatabaseError::Shape("no target".to_owned()))?;
    Ok(Target::from_row(row)?)
}

async fn subscription<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    id: &str,
    sent: Option<Subscription>,
    target: Option<Target>,
) -> Result<Taken, Error> {
    let place = "/v1/subscriptions/";
    let (now, version) = current(cx, event, place, id, sent.clone()).await?;
    let now: Subscription = now.checked()?;
    let known = target.filter(|_| {
        sent.as_ref()
            .is_some_and(|sent| sent.names() == now.names())
    });
    match whose(cx, known, now.names()).await?.judge(&now) {
        Verdict::Ignore(why) => finish(cx, event, Vec::new(), why).await,
        Verdict::NoPlan => {
            let key = now.lookup_key().unwrap_or("none");
            let why =
                format!("no plan has the price's lookup key {key}; set plans.stripe_lookup_key");
            Err(Error::new(Code::Unavailable)
                .with_retry_after(60)
                .with_cause(why))
        }
        Verdict::Apply(change) => {
            let (mut writes, outcome) = change.writes(&now, version, cx.now, cx.dialect()?);
            writes.push(change.event(cx, &now, version)?);
            if event.kind == "customer.subscription.trial_will_end" {
                let ends = now.trial_end().unwrap_or_default().saturating_mul(SECOND);
                let told = json!({"ends_at": Millis(ends).rfc3339(), "plan": change.plan()});
                writes.push(publish(cx, change.tenant(), Topic::TRIAL_ENDING, &told)?);
            }
            let taken = finish(cx, event, writes, outcome).await?;
            change.tell(cx, &now);
            Ok(taken)
        }
    }
}

/// The customer is the tenant's from now on, and the subscription is looked at: its own event may be
/// late, or not asked for.
async fn checkout<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    sent: &Checkout,
    target: Option<Target>,
) -> Result<Taken, Error> {
    let tenant = whose(cx, target, sent.names()).await?.tenant();
    let Some(tenant) = tenant else {
        return finish(cx, event, Vec::new(), "ignored: no such tenant").await;
    };
    if let Some(customer) = sent.customer.as_deref().filter(|id| is_plain(id)) {
        let keep = SET_CUSTOMER.bind(&tenant, [customer.into(), cx.now.into()]);
        cx.query(keep).await?;
    }
    let fetched = cx.config()?.stripe_key.is_some();
    match sent.subscription.as_deref().filter(|_| fetched) {
        Some(id) => subscription(cx, event, id, None, None).await,
        None => finish(cx, event, Vec::new(), "applied").await,
    }
}

async fn invoice<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    sent: Option<Box<Invoice>>,
    target: Option<Target>,
) -> Result<Taken, Error> {
    let id = event.object_id().unwrap_or_default();
    let (now, version) = current(cx, event, "/v1/invoices/", id, sent.map(|sent| *sent)).await?;
    let now: Invoice = now;
    let Some(tenant) = whose(cx, target, now.names()).await?.tenant() else {
        return finish(cx, event, Vec::new(), "ignored: no such tenant").await;
    };
    let failed = event.kind == "invoice.payment_failed";
    let failed_at = failed.then(|| Millis(event.created.saturating_mul(SECOND)));
    let mut writes = vec![now.write(&tenant, failed_at, version, cx.now)];
    let topic = match event.kind.as_str() {
        "invoice.paid" => Some(Topic::INVOICE_PAID),
        "invoice.payment_failed" => Some(Topic::INVOICE_FAILED),
        _ => None,
    };
    if let Some(topic) = topic {
        writes.push(publish(cx, &tenant, topic, &now.told())?);
    }
    finish(cx, event, writes, "applied").await
}

async fn charge<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    sent: Option<Box<Charge>>,
    target: Option<Target>,
) -> Result<Taken, Error> {
    let id = event.object_id().unwrap_or_default();
    let (now, version) = current(cx, event, "/v1/charges/", id, sent.map(|sent| *sent)).await?;
    let now: Charge = now;
    let mut tenant = whose(cx, target, now.names()).await?.tenant();
    let mut writes = Vec::new();
    if let Some(intent) = now.payment_intent.as_deref().filter(|id| is_plain(id)) {
        let rows = cx.query(payments::find(None, intent)).await?;
        let (amount, whole) = (now.amount_refunded, now.refunded);
        if let Some((payment, more)) = payments::refunded(cx, &rows, amount, whole, &event.id)? {
            writes = more;
            tenant = Some(payment.tenant);
        }
    }
    let tenant = tenant.as_ref().map(TenantId::as_str);
    writes.push(now.write(tenant, version, cx.now));
    alarm(cx, Level::Warn, "stripe.refund", id, tenant);
    finish(cx, event, writes, "applied").await
}

/// Without a Stripe key no payment was begun, so none is ours.
async fn paid<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    rows: &[Row],
) -> Result<Taken, Error> {
    let fetched = cx.config()?.stripe_key.is_some();
    let Some(payment) = Known::first(rows)?.filter(|_| fetched) else {
        return finish(cx, event, Vec::new(), "ignored: another product").await;
    };
    let now = payment::retrieve(cx, event.object_id().unwrap_or_default()).await?;
    // The event may name any payment that has none yet; Stripe's own word is whose it is.
    let own = payment.intent.is_some() || now.payment.as_deref() == Some(&payment.id);
    if !own || !payments::fits(cx, &payment, &now) {
        return finish(cx, event, Vec::new(), "ignored: another sum").await;
    }
    let done = vec![done(cx, event, "applied")];
    payments::settle(cx, &payment, &now, &event.id, done).await?;
    Ok(told(cx, event, "applied"))
}

/// The dispute names no customer, but its charge does.
async fn dispute<P: Platform>(
    cx: &Context<'_, P>,
    event: &Event,
    sent: Option<Box<Dispute>>,
) -> Result<Taken, Error> {
    let id = event.object_id().unwrap_or_default();
    let (now, version) = current(cx, event, "/v1/disputes/", id, sent.map(|sent| *sent)).await?;
    let now: Dispute = now;
    let mut tenant = None;
    if let (Some(charge), true) = (&now.charge, cx.config()?.stripe_key.is_some()) {
        let charge: (Charge, i64) = current(cx, event, "/v1/charges/", charge, None).await?;
        tenant = whose(cx, None, charge.0.names()).await?.tenant();
        if let (None, Some(intent)) = (&tenant, &charge.0.payment_intent)
            && is_plain(intent)
        {
            let rows = cx.query(payments::find(None, intent)).await?;
            tenant = Known::first(&rows)?.map(|payment| payment.tenant);
        }
    }
    let tenant = tenant.as_ref().map(TenantId::as_str);
    let writes: Vec<Statement> = now.write(tenant, version, cx.now).into();
    alarm(cx, Level::Error, "stripe.dispute", id, tenant);
    finish(cx, event, writes, "applied").await
}

/// What somebody should look at.
fn alarm<P: Platform>(
    cx: &Context<'_, P>,
    level: Level,
    what: &'static str,
    id: &str,
    tenant: Option<&str>,
) {
    cx.log(level, what, &[("id", json!(id)), ("tenant", json!(tenant))]);
}

#[cfg(test)]
mod tests {
    use super::super::event::TYPES;
    use super::*;

    fn subject(kind: &str) -> Subject {
        let event = json!({"id": "evt_1", "type": kind, "created": 1, "api_version": "other",
            "data": {"object": {"id": "x_1"}}});
        let event = Event::read(event.to_string().as_bytes()).unwrap();
        Subject::of(&event, true).unwrap()
    }

    /// What Stripe is asked to send is what something is done about.
    /// Rows: H-12 H-14 H-34
    #[test]
    fn every_type_of_the_list_is_handled() {
        for kind in TYPES {
            assert!(!matches!(subject(kind), Subject::Other), "{kind}");
        }
        assert!(matches!(subject("payout.paid"), Subject::Other));
    }
}
