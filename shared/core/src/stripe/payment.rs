//! Payments of single sums: Stripe's `PaymentIntents`.

use serde::Deserialize;

use super::client;
use super::form::Form;
use crate::http::{Context, Error};
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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
    /// Why the last attempt to pay failed.
    pub last_payment_error: Option<PaymentError>,
}

/// Why an attempt to pay failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PaymentError {
    /// `card_declined`, …
    pub code: Option<String>,
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
    outbound::parse(&client::post(cx, "/v1/payment_intents", form, key).await?)
}

/// Reads a payment as it stands.
///
/// # Errors
/// As [`client::get`].
pub async fn retrieve<P: Platform>(cx: &Context<'_, P>, id: &str) -> Result<Intent, Error> {
    outbound::parse(&client::get(cx, &path(id, "")).await?)
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
    outbound::parse(&client::post(cx, &path(id, "/cancel"), Form::new(), key).await?)
}

fn path(id: &str, rest: &str) -> String {
    let mut path = "/v1/payment_intents/".to_owned();
    path.push_str(id);
    path.push_str(rest);
    path
}
