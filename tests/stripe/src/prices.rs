//! Customers, products, prices, and where events go.

use serde_json::{Value, json};

use crate::params::{flag, items, metadata, number, only, text};
use crate::refusal::Refused;
use crate::{Result, Stripe, VERSION};

impl Stripe {
    pub(crate) fn create_customer(&mut self, params: &Value) -> Result {
        only(params, &["name", "email", "description", "metadata"])?;
        let mut customer = json!({
            "id": self.new_id("cus"), "object": "customer", "created": self.now, "livemode": false,
            "name": params["name"], "email": params["email"], "description": params["description"],
            "balance": 0, "currency": null, "delinquent": false, "metadata": {},
        });
        metadata(&mut customer, params);
        Ok(self.keep(customer))
    }

    pub(crate) fn create_product(&mut self, params: &Value) -> Result {
        only(params, &["id", "name", "description", "metadata"])?;
        let name = text(params, "name")?;
        let id = match params["id"].as_str() {
            Some(id) if self.object(id).is_some() => {
                let message = "Product already exists.";
                return Err(Refused::coded("resource_already_exists", message));
            }
            Some(id) => id.to_owned(),
            None => self.new_id("prod"),
        };
        let mut product = json!({
            "id": id, "object": "product", "created": self.now, "livemode": false, "active": true,
            "name": name, "description": params["description"], "metadata": {},
        });
        metadata(&mut product, params);
        Ok(self.keep(product))
    }

    pub(crate) fn update_product(&mut self, id: &str, params: &Value) -> Result {
        only(params, &["name", "description", "active", "metadata"])?;
        let mut product = self.find("product", id)?;
        if params["name"].is_string() {
            product["name"] = json!(text(params, "name")?);
        }
        if let Some(active) = flag(params, "active")? {
            product["active"] = json!(active);
        }
        metadata(&mut product, params);
        Ok(self.keep(product))
    }

    pub(crate) fn create_price(&mut self, params: &Value) -> Result {
        only(
            params,
            &[
                "product",
                "currency",
                "unit_amount",
                "recurring",
                "lookup_key",
                "transfer_lookup_key",
                "nickname",
                "metadata",
            ],
        )?;
        let product = self.named("product", text(params, "product")?)?;
        let (amount, currency) = (number(params, "unit_amount")?, text(params, "currency")?);
        let key = &params["lookup_key"];
        let holder = self
            .all("price")
            .into_iter()
            .find(|price| !key.is_null() && price["lookup_key"] == *key);
        if let Some(mut holder) = holder {
            if flag(params, "transfer_lookup_key")? != Some(true) {
                let message = "A price already uses that lookup key.";
                return Err(Refused::coded("resource_already_exists", message));
            }
            holder["lookup_key"] = Value::Null;
            self.keep(holder);
        }
        let recurring = match params["recurring"]["interval"].as_str() {
            None => Value::Null,
            Some(interval @ ("day" | "week" | "month" | "year")) => {
                json!({"interval": interval, "interval_count": 1, "meter": null, "usage_type": "licensed"})
            }
            Some(_) => return Err(Refused::invalid("Invalid recurring[interval]")),
        };
        let mut price = json!({
            "id": self.new_id("price"), "object": "price", "created": self.now, "livemode": false,
            "active": true, "billing_scheme": "per_unit", "currency": currency, "lookup_key": key,
            "nickname": params["nickname"], "product": product["id"], "recurring": recurring,
            "type": if recurring.is_null() { "one_time" } else { "recurring" },
            "unit_amount": amount, "unit_amount_decimal": amount.to_string(), "metadata": {},
        });
        metadata(&mut price, params);
        Ok(self.keep(price))
    }

    pub(crate) fn create_endpoint(&mut self, params: &Value) -> Result {
        only(
            params,
            &[
                "url",
                "enabled_events",
                "api_version",
                "description",
                "metadata",
            ],
        )?;
        let url = text(params, "url")?;
        if params["api_version"] != VERSION {
            return Err(Refused::invalid("the endpoint has another version"));
        }
        let id = self.new_id("we");
        let mut endpoint = json!({
            "id": id, "object": "webhook_endpoint", "created": self.now, "livemode": false,
            "url": url, "enabled_events": items(&params["enabled_events"]), "status": "enabled",
            "api_version": VERSION, "description": params["description"], "metadata": {},
        });
        metadata(&mut endpoint, params);
        self.keep(endpoint.clone());
        // Told once, in the answer to its creation.
        endpoint["secret"] = json!(format!("whsec_{}Fk3Jd8sQpL2mXz7VbN4cRt", self.mark));
        Ok(endpoint)
    }

    pub(crate) fn update_endpoint(&mut self, id: &str, params: &Value) -> Result {
        only(
            params,
            &[
                "url",
                "enabled_events",
                "description",
                "disabled",
                "metadata",
            ],
        )?;
        let mut endpoint = self.find("webhook_endpoint", id)?;
        if !params["enabled_events"].is_null() {
            endpoint["enabled_events"] = json!(items(&params["enabled_events"]));
        }
        if let Some(disabled) = flag(params, "disabled")? {
            endpoint["status"] = json!(if disabled { "disabled" } else { "enabled" });
        }
        metadata(&mut endpoint, params);
        Ok(self.keep(endpoint))
    }

    pub(crate) fn create_meter_event(&mut self, params: &Value) -> Result {
        only(
            params,
            &["event_name", "payload", "identifier", "timestamp"],
        )?;
        let customer = text(&params["payload"], "stripe_customer_id")?;
        self.named("customer", customer)?;
        let identifier = text(params, "identifier")?;
        // Stripe takes each identifier once within a day.
        let id = format!("mev_{identifier}");
        if self.object(&id).is_some() {
            let message = format!("An event already exists with identifier {identifier}.");
            return Err(Refused::coded("duplicate_meter_event", &message));
        }
        text(&params["payload"], "value")?;
        let mut event = json!({
            "object": "billing.meter_event", "created": self.now, "livemode": false,
            "event_name": text(params, "event_name")?, "identifier": identifier,
            "payload": params["payload"], "timestamp": params["timestamp"],
        });
        event["id"] = json!(id);
        self.keep(event.clone());
        event.as_object_mut().unwrap().remove("id");
        Ok(event)
    }
}
