//! Payments of single sums: Stripe's `PaymentIntents`.

use serde_json::Value as Json;

use super::client;
use super::form::Form;
use crate::http::{Code, Context, Error};
use crate::outbound;
use crate::port::Platform;

/// A sum that somebody shall pay.
#[derive(Debug)]
pub struct Sum<'a> {
    /// In the currency's minor units.
    pub amount_minor: i64,
    /// ISO 4217, lower case.
    pub currency: &'a str,
    /// What Stripe keeps for us, and sends back with every event: ids of ours, no personal data.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// A payment, as far as it is looked at.
///
/// Whatever adapter tells of one, this is enough, and [`crate::payments`] does the rest:
///
/// ```
/// use edgekeep_core::stripe::payment::Intent;
///
/// let told = serde_json::json!({"id": "pi_1", "status": "requires_payment_method", "amount": 9_800,
///     "currency": "eur", "last_payment_error": {"code": "card_declined"}});
/// let intent = Intent::read(&told).expect("a payment");
/// assert_eq!(intent.failure(), Some("card_declined"));
/// assert_eq!(intent.next_action(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// `pi_…`
    pub id: String,
    /// `requires_payment_method`, `processing`, `succeeded`, `canceled`, …
    pub status: String,
    /// In minor units.
    pub amount: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// With it, and only with it, a browser can pay. For the one who pays, never for the log.
    pub client_secret: Option<String>,
    /// `pm_…`
    pub payment_method: Option<String>,
    /// The payment of ours that it was made for.
    pub payment: Option<String>,
    error: Option<String>,
    action: Option<String>,
}

impl Intent {
    /// Reads Stripe's object; `None` for what is none. By hand, because each derived reader costs kilobytes.
    pub fn read(object: &Json) -> Option<Self> {
        let text = |value: Option<&Json>| value.and_then(Json::as_str).map(str::to_owned);
        let within = |name, member| object.get(name).and_then(|value| value.get(member));
        let failed = object.get("last_payment_error");
        let failed = failed.filter(|error| error.is_object());
        Some(Self {
            id: text(object.get("id"))?,
            status: text(object.get("status"))?,
            amount: object.get("amount")?.as_i64()?,
            currency: text(object.get("currency"))?,
            client_secret: text(object.get("client_secret")),
            payment_method: text(object.get("payment_method")),
            payment: text(within("metadata", "payment_id")),
            error: failed.map(|error| {
                let code = text(error.get("code")).filter(|code| client::is_word(code));
                code.unwrap_or_else(|| "declined".to_owned())
            }),
            action: text(within("next_action", "type")).filter(|kind| client::is_word(kind)),
        })
    }

    /// What whoever pays has to do: `redirect_to_url`, `use_stripe_sdk`, …
    pub fn next_action(&self) -> Option<&str> {
        self.action.as_deref()
    }

    /// Whether somebody may still pay it.
    pub fn is_open(&self) -> bool {
        !["succeeded", "processing", "canceled"].contains(&self.status.as_str())
    }

    /// Why the last attempt to pay failed, in a word of Stripe's.
    pub fn failure(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// The payment in an answer of Stripe's.
fn told(body: &[u8]) -> Result<Intent, Error> {
    let object: Json = outbound::parse(body)?;
    Intent::read(&object).ok_or_else(|| outbound::failed("no payment"))
}

/// Begins a payment, once for each `key` ([`client::key`]).
///
/// # Errors
/// As [`client::post`].
pub async fn create<P: Platform>(
    cx: &Context<'_, P>,
    sum: &Sum<'_>,
    key: String,
) -> Result<Intent, Error> {
    let mut form = Form::new()
        .with("amount", &sum.amount_minor.to_string())
        .with("currency", sum.currency)
        .with_at(&["automatic_payment_methods", "enabled"], "true");
    for (name, value) in sum.metadata {
        form = form.with_metadata(name, value);
    }
    told(&client::post(cx, "/v1/payment_intents", form, key).await?)
}

/// Reads a payment as it stands.
///
/// # Errors
/// As [`client::get`].
pub async fn retrieve<P: Platform>(cx: &Context<'_, P>, id: &str) -> Result<Intent, Error> {
    told(&client::get(cx, &path(id, "")).await?)
}

/// Cancels a payment that nobody has made.
///
/// # Errors
/// As [`client::post`]; `UPSTREAM_REFUSED` for one that was made.
pub async fn cancel<P: Platform>(
    cx: &Context<'_, P>,
    id: &str,
    key: String,
) -> Result<Intent, Error> {
    told(&client::post(cx, &path(id, "/cancel"), Form::new(), key).await?)
}

/// Gives all of a payment back; the refund's id, or the charge's where somebody gave all of it back in Stripe's
/// dashboard.
///
/// # Errors
/// As [`client::post`]; `UPSTREAM_REFUSED` where nothing was paid, or Stripe does not do it.
pub async fn refund<P: Platform>(
    cx: &Context<'_, P>,
    id: &str,
    key: String,
) -> Result<String, Error> {
    let form = Form::new().with("payment_intent", id);
    let made: Json = match client::post(cx, "/v1/refunds", form, key).await {
        Err(error) if error.code() == Code::UpstreamRefused => {
            let path = ["/v1/charges?limit=1&payment_intent=", id].concat();
            let list: Json = outbound::parse(&client::get(cx, &path).await?)?;
            let charge = list.pointer("/data/0");
            let whole = |charge: &&Json| charge.get("refunded") == Some(&Json::Bool(true));
            charge.filter(whole).cloned().ok_or(error)?
        }
        made => outbound::parse(&made?)?,
    };
    let text = |name| made.get(name).and_then(Json::as_str);
    if ["failed", "canceled"].contains(&text("status").unwrap_or_default()) {
        return Err(outbound::failed("a refund that failed"));
    }
    let id = text("id");
    id.map(str::to_owned)
        .ok_or_else(|| outbound::failed("a refund without an id"))
}

fn path(id: &str, rest: &str) -> String {
    let mut path = "/v1/payment_intents/".to_owned();
    path.push_str(id);
    path.push_str(rest);
    path
}
