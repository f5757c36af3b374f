//! Subscriptions. Since version 2025-03-31 the period stands on their items.

use serde_json::{Value, json};

use crate::params::{flag, items, metadata, only, text};
use crate::refusal::Refused;
use crate::{Result, Stripe};

/// Thirty days.
pub(crate) const PERIOD: i64 = 2_592_000;

impl Stripe {
    pub(crate) fn create_subscription(&mut self, params: &Value) -> Result {
        only(
            params,
            &[
                "customer",
                "items",
                "metadata",
                "trial_period_days",
                "payment_behavior",
                "cancel_at_period_end",
            ],
        )?;
        let customer = self.named("customer", text(params, "customer")?)?;
        let lines = items(&params["items"]);
        let line = lines
            .first()
            .ok_or_else(|| Refused::invalid("Missing items"))?;
        let price = self.named("price", text(line, "price")?)?;
        let days = params["trial_period_days"]
            .as_str()
            .map(|days| days.parse::<i64>().unwrap_or(0));
        let status = if days.is_some() { "trialing" } else { "active" };
        let id = self.new_id("sub");
        let end = self.now + days.map_or(PERIOD, |days| days * 86_400);
        let item = self.item(&id, &price, end);
        let mut subscription = json!({
            "id": id, "object": "subscription", "created": self.now, "livemode": false,
            "status": status, "customer": customer["id"], "currency": price["currency"],
            "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null, "ended_at": null,
            "collection_method": "charge_automatically", "billing_cycle_anchor": self.now,
            "start_date": self.now, "trial_start": days.map(|_| self.now),
            "trial_end": days.map(|_| end), "latest_invoice": null, "schedule": null,
            "pause_collection": null, "metadata": {},
            "items": {"object": "list", "has_more": false, "data": [item],
                "url": format!("/v1/subscription_items?subscription={id}")},
        });
        metadata(&mut subscription, params);
        Ok(self.keep(subscription))
    }

    pub(crate) fn item(&mut self, subscription: &str, price: &Value, end: i64) -> Value {
        json!({
            "id": self.new_id("si"), "object": "subscription_item", "created": self.now,
            "current_period_start": self.now, "current_period_end": end, "quantity": 1,
            "subscription": subscription, "price": price, "metadata": {},
        })
    }

    pub(crate) fn update_subscription(&mut self, id: &str, params: &Value) -> Result {
        only(
            params,
            &[
                "items",
                "metadata",
                "proration_behavior",
                "cancel_at_period_end",
                "payment_behavior",
                "trial_end",
            ],
        )?;
        let mut subscription = self.find("subscription", id)?;
        let ended = ["canceled", "incomplete_expired"].map(|state| subscription["status"] == state);
        if ended.contains(&true) {
            let message =
                "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(Refused::invalid(message));
        }
        let known = ["create_prorations", "none", "always_invoice"];
        let prorated = params["proration_behavior"].as_str();
        if prorated.is_some_and(|prorated| !known.contains(&prorated)) {
            return Err(Refused::invalid("Invalid proration_behavior"));
        }
        for line in items(&params["items"]) {
            let price = self.named("price", text(line, "price")?)?;
            let item = text(line, "id")?;
            let own = subscription["items"]["data"].as_array_mut().unwrap();
            let found = own.iter_mut().find(|own| own["id"] == item);
            found.ok_or_else(|| Refused::no_such("subscription_item", item))?["price"] = price;
        }
        if let Some(ends) = flag(params, "cancel_at_period_end")? {
            subscription["cancel_at_period_end"] = json!(ends);
            let end = subscription["items"]["data"][0]["current_period_end"].clone();
            subscription["cancel_at"] = if ends { end } else { Value::Null };
            subscription["canceled_at"] = if ends { json!(self.now) } else { Value::Null };
        }
        metadata(&mut subscription, params);
        Ok(self.keep(subscription))
    }

    pub(crate) fn cancel_subscription(&mut self, id: &str) -> Result {
        let subscription = self.find("subscription", id)?;
        if subscription["status"] == "canceled" {
            return Err(Refused::missing("subscription", id));
        }
        self.end(id);
        self.find("subscription", id)
    }
}
