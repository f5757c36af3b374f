//! What we read of an event and of a subscription.
//!
//! Shapes are those of API version 2026-09-30; since 2025 the period stands on the items.

use serde::Deserialize;

use super::target::Names;
use crate::http::{Code, Error};

/// The version of Stripe's API that this code speaks.
pub const API_VERSION: &str = "2026-09-30.endive";

#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Unix seconds.
    pub(super) created: i64,
    #[serde(default)]
    pub(super) livemode: bool,
    api_version: Option<String>,
    data: EventData,
}

#[derive(Debug, Deserialize)]
struct EventData {
    object: serde_json::Value,
}

/// A subscription, as far as plans depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) customer: Option<String>,
    /// Unix seconds.
    pub(super) cancel_at: Option<i64>,
    trial_end: Option<i64>,
    /// Where it stood before the items had it.
    current_period_end: Option<i64>,
    #[serde(default)]
    metadata: Metadata,
    items: Items,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Metadata {
    tenant_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Items {
    data: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Item {
    current_period_end: Option<i64>,
    price: Price,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Price {
    lookup_key: Option<String>,
}

/// The types of events that something is done about: those that `edgekeep stripe-setup` asks Stripe for, and
/// that are told apart in metrics. An account may send others; they are acknowledged.
pub const TYPES: [&str; 20] = [
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "checkout.session.completed",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.finalized",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "payment_intent.succeeded",
    "payment_intent.processing",
    "payment_intent.payment_failed",
    "payment_intent.requires_action",
    "payment_intent.canceled",
    "refund.failed",
];

impl Event {
    /// The type as a label.
    pub(super) fn label(&self) -> &'static str {
        let known = TYPES.into_iter().find(|known| *known == self.kind);
        known.unwrap_or("other")
    }

    /// # Errors
    /// `VALIDATION` naming what no event of Stripe lacks.
    pub(super) fn read(body: &[u8]) -> Result<Self, Error> {
        let event: Self = serde_json::from_slice(body)
            .map_err(|error| Error::new(Code::InvalidJson).with_cause(error))?;
        if !is_plain(&event.id) || !is_plain(&event.kind) {
            return Err(Error::invalid("id", "Must be the id of an event."));
        }
        // Beyond year 9999 it is no time, and the arithmetic on versions stays exact.
        if !(0..=253_402_300_799).contains(&event.created) {
            return Err(Error::invalid("created", "Must be Unix seconds."));
        }
        Ok(event)
    }

    /// Whether this event tells of a subscription.
    pub(super) fn is_subscription(&self) -> bool {
        self.kind.starts_with("customer.subscription.")
    }

    /// Whether this event tells of a `PaymentIntent`.
    pub(super) fn is_payment(&self) -> bool {
        self.kind.starts_with("payment_intent.")
    }

    /// The payment of ours that a `PaymentIntent` was made for, as its metadata says.
    pub(super) fn payment(&self) -> Option<&str> {
        let metadata = self.data.object.get("metadata")?;
        let id = metadata.get("payment_id")?.as_str();
        id.filter(|id| is_plain(id))
    }

    /// Id of the object it tells of.
    pub(super) fn object_id(&self) -> Option<&str> {
        let id = self.data.object.get("id");
        id.and_then(serde_json::Value::as_str)
            .filter(|id| is_plain(id))
    }

    /// What it tells of, in the shape of the pinned version.
    ///
    /// # Errors
    /// `VALIDATION` when it has another shape.
    pub(super) fn object<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.data.object).map_err(|error| {
            Error::invalid("data.object", "Must be what the type says.").with_cause(error)
        })
    }

    /// Whether it was made in another version than this code speaks. What its object looks like is
    /// not known then.
    pub(super) fn is_of_another_version(&self) -> bool {
        self.api_version
            .as_deref()
            .is_some_and(|version| version != API_VERSION)
    }

    /// The subscription in it.
    ///
    /// # Errors
    /// `VALIDATION` when it has another shape than the pinned version's.
    pub(super) fn subscription(&self) -> Result<Subscription, Error> {
        Subscription::deserialize(&self.data.object)
            .map_err(|error| {
                Error::invalid("data.object", "Must be a subscription.").with_cause(error)
            })
            .and_then(Subscription::checked)
    }

    /// Order of states that come from payloads: by time, and in the same second an end after a
    /// change after a beginning. In tenths of a millisecond, to leave room for that.
    pub(super) fn version(&self) -> i64 {
        let rank = match self.kind.as_str() {
            "customer.subscription.deleted" => 9,
            "customer.subscription.created" => 1,
            _ => 5,
        };
        self.created.saturating_mul(10_000).saturating_add(rank)
    }
}

/// Whether a text can be an id or a key of Stripe's, and be stored: not all JSON texts can.
pub(super) fn is_plain(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.contains(char::is_control)
}

impl Subscription {
    /// # Errors
    /// `VALIDATION` for ids that are none and states that the pinned version does not have.
    pub(super) fn checked(self) -> Result<Self, Error> {
        const STATES: [&str; 8] = [
            "incomplete",
            "incomplete_expired",
            "trialing",
            "active",
            "past_due",
            "canceled",
            "unpaid",
            "paused",
        ];
        let customer = self.customer.as_deref();
        if !is_plain(&self.id) || customer.is_some_and(|id| !is_plain(id)) {
            return Err(Error::invalid(
                "data.object.id",
                "Must be the id of a subscription, with its customer's.",
            ));
        }
        if !STATES.contains(&self.status.as_str()) {
            return Err(Error::invalid(
                "data.object.status",
                "Must be a known state.",
            ));
        }
        Ok(self)
    }

    /// Whose it may be, and the price's lookup key, which names the plan.
    pub(super) fn names(&self) -> Names<'_> {
        Names {
            tenant: self.metadata.tenant_id.as_deref(),
            customer: self.customer.as_deref(),
            subscription: Some(&self.id),
            lookup_key: self.lookup_key(),
        }
    }

    /// When its trial ends, in Unix seconds.
    pub(super) const fn trial_end(&self) -> Option<i64> {
        self.trial_end
    }

    /// The price's lookup key, which names the plan.
    pub(super) fn lookup_key(&self) -> Option<&str> {
        let key = self.items.data.first()?.price.lookup_key.as_deref();
        key.filter(|key| is_plain(key))
    }

    /// Whether a subscription in this state gives its plan; `SET_PLAN` names the same states.
    pub(super) fn gives_access(&self) -> bool {
        ["trialing", "active", "past_due"].contains(&self.status.as_str())
    }

    /// End of the paid period, in Unix seconds.
    pub(super) fn period_end(&self) -> Option<i64> {
        let item = self.items.data.first();
        item.and_then(|item| item.current_period_end)
            .or(self.current_period_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, created: i64) -> Event {
        let text = format!(
            r#"{{"id":"evt_1","type":"{kind}","created":{created},"data":{{"object":{{"id":"sub_1"}}}}}}"#
        );
        Event::read(text.as_bytes()).unwrap()
    }

    /// Rows: H-10
    #[test]
    fn in_the_same_second_the_end_is_last() {
        let created = event("customer.subscription.created", 100).version();
        let updated = event("customer.subscription.updated", 100).version();
        let deleted = event("customer.subscription.deleted", 100).version();
        assert!(created < updated && updated < deleted);
        assert!(deleted < event("customer.subscription.created", 101).version());
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"id":"","type":"x","created":1,"data":{"object":{}}}"#,
            r#"{"id":"e","type":"x","created":9223372036854775807,"data":{"object":{}}}"#,
        ] {
            assert!(Event::read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(
            event("customer.subscription.updated", 1)
                .subscription()
                .is_err()
        );
    }
}
