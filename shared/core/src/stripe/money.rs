//! Invoices, refunds and disputes: what Stripe tells of money, as far as it is kept.

use serde::Deserialize;

use super::target::Names;
use crate::sql::Statement;
use crate::tenancy::TenantId;
use crate::time::{Millis, SECOND};

use super::store::{PUT_ALERT, PUT_INCIDENT, PUT_INVOICE, RESOLVE_ALERT};

/// An invoice. Since version 2025-03-31 `parent` says what it is for.
#[derive(Debug, Deserialize)]
pub(super) struct Invoice {
    pub(super) id: String,
    status: Option<String>,
    number: Option<String>,
    currency: String,
    total: i64,
    amount_paid: i64,
    customer: Option<String>,
    hosted_invoice_url: Option<String>,
    period_start: Option<i64>,
    period_end: Option<i64>,
    created: i64,
    parent: Option<Parent>,
}

#[derive(Debug, Deserialize)]
struct Parent {
    subscription_details: Option<Details>,
}

#[derive(Debug, Deserialize)]
struct Details {
    subscription: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    tenant_id: Option<String>,
}

/// A charge, of which some or all went back.
#[derive(Debug, Deserialize)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) amount_refunded: i64,
    pub(super) refunded: bool,
    currency: String,
    customer: Option<String>,
    pub(super) payment_intent: Option<String>,
    created: i64,
}

/// A charge that the customer's bank takes back.
#[derive(Debug, Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) charge: Option<String>,
    status: String,
    amount: i64,
    currency: String,
    payment_intent: Option<String>,
    created: i64,
}

/// Unix seconds as milliseconds, within what a date can be.
pub(super) fn millis(seconds: i64) -> i64 {
    seconds.clamp(0, 253_402_300_799).saturating_mul(SECOND)
}

impl Invoice {
    fn details(&self) -> Option<&Details> {
        self.parent.as_ref()?.subscription_details.as_ref()
    }

    pub(super) fn names(&self) -> Names<'_> {
        let details = self.details();
        let metadata = details.and_then(|details| details.metadata.as_ref());
        Names {
            tenant: metadata.and_then(|metadata| metadata.tenant_id.as_deref()),
            customer: self.customer.as_deref(),
            subscription: details.and_then(|details| details.subscription.as_deref()),
            lookup_key: None,
        }
    }

    /// Writes it down; `failed` is when it could not be paid, if this is what is told.
    pub(super) fn write(
        &self,
        tenant: &TenantId,
        failed: Option<Millis>,
        version: i64,
        now: Millis,
    ) -> Statement {
        let status = self.status.as_deref().unwrap_or("draft");
        PUT_INVOICE.bind(
            tenant,
            [
                self.id.as_str().into(),
                self.number.as_deref().into(),
                status.into(),
                self.currency.as_str().into(),
                self.total.into(),
                self.amount_paid.into(),
                self.names().subscription.into(),
                self.period_start.map(millis).into(),
                self.period_end.map(millis).into(),
                self.hosted_invoice_url.as_deref().into(),
                failed.map(|at| at.0).into(),
                version.into(),
                millis(self.created).into(),
                now.into(),
            ],
        )
    }

    /// What our own events and the log tell of it.
    pub(super) fn told(&self) -> serde_json::Value {
        serde_json::json!({
            "invoice": self.id,
            "number": self.number,
            "amount_minor": self.total,
            "currency": self.currency,
        })
    }
}

impl Charge {
    pub(super) fn names(&self) -> Names<'_> {
        Names {
            customer: self.customer.as_deref(),
            ..Names::default()
        }
    }

    /// Writes down what went back.
    pub(super) fn write(&self, tenant: Option<&str>, version: i64, now: Millis) -> Statement {
        let status = if self.refunded {
            "refunded"
        } else {
            "partly_refunded"
        };
        PUT_INCIDENT.bind([
            self.id.as_str().into(),
            tenant.into(),
            "refund".into(),
            status.into(),
            self.amount_refunded.into(),
            self.currency.as_str().into(),
            self.id.as_str().into(),
            self.payment_intent.as_deref().into(),
            version.into(),
            millis(self.created).into(),
            now.into(),
        ])
    }
}

impl Dispute {
    /// Writes it down, with an alert that stays until it is decided.
    pub(super) fn write(&self, tenant: Option<&str>, version: i64, now: Millis) -> [Statement; 3] {
        let incident = PUT_INCIDENT.bind([
            self.id.as_str().into(),
            tenant.into(),
            "dispute".into(),
            self.status.as_str().into(),
            self.amount.into(),
            self.currency.as_str().into(),
            self.charge.as_deref().into(),
            self.payment_intent.as_deref().into(),
            version.into(),
            millis(self.created).into(),
            now.into(),
        ]);
        let mut alert = "alt_".to_owned();
        alert.push_str(&self.id);
        let raise = PUT_ALERT.bind([
            alert.as_str().into(),
            tenant.into(),
            self.id.as_str().into(),
            now.into(),
        ]);
        let resolve = RESOLVE_ALERT.bind([alert.into(), self.id.as_str().into(), now.into()]);
        [incident, raise, resolve]
    }
}
