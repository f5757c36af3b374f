//! What a person or the clock does at Stripe, as requests below `/fake/`, for who has only HTTP:
//!
//! - `POST /fake/pay/cs_…`: somebody pays at a Checkout Session; the id of what they bought.
//! - `POST /fake/cancel/sub_…`: the portal's button to end a subscription at once.
//! - `GET /fake/events/TYPE/ID`: the event that tells of an object as it is now.

use serde_json::{Value, json};

use crate::Stripe;
use crate::refusal::Refused;

/// What such paths begin with.
pub(crate) const PREFIX: &str = "/fake/";

impl Stripe {
    pub(crate) fn control(&mut self, method: &str, path: &str) -> (u16, Value) {
        let parts: Vec<&str> = path.split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", ["pay", id]) if self.is(id, "checkout.session", "open") => {
                (200, json!({"id": self.pay_checkout(id)}))
            }
            ("POST", ["cancel", id]) if self.is(id, "subscription", "active") => {
                self.end(id);
                (200, json!({"id": id}))
            }
            ("GET", ["events", kind, id]) if self.object(id).is_some() => {
                (200, self.event(kind, id))
            }
            _ => {
                let refused = Refused::unknown();
                (refused.status, refused.body())
            }
        }
    }

    fn is(&self, id: &str, kind: &str, status: &str) -> bool {
        let found = self.object(id);
        found.is_some_and(|found| found["object"] == kind && found["status"] == status)
    }
}
