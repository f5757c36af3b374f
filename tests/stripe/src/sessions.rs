//! Pages of Stripe's that a browser is sent to: Checkout and the customer portal.

use serde_json::{Value, json};

use crate::params::{items, metadata, only, text};
use crate::refusal::Refused;
use crate::{Result, Stripe};

impl Stripe {
    pub(crate) fn create_checkout(&mut self, params: &Value) -> Result {
        only(
            params,
            &[
                "mode",
                "customer",
                "line_items",
                "success_url",
                "cancel_url",
                "client_reference_id",
                "metadata",
                "subscription_data",
                "payment_intent_data",
                "allow_promotion_codes",
                "expires_at",
            ],
        )?;
        let mode = text(params, "mode")?;
        if !["payment", "subscription"].contains(&mode) {
            return Err(Refused::invalid("Invalid mode"));
        }
        let customer = &params["customer"];
        if let Some(id) = customer.as_str() {
            self.named("customer", id)?;
        }
        let lines = items(&params["line_items"]);
        if lines.is_empty() {
            return Err(Refused::coded(
                "parameter_missing",
                "Missing required param: line_items.",
            ));
        }
        let mut total = 0;
        for line in &lines {
            let price = self.named("price", text(line, "price")?)?;
            let recurring = price["type"] == "recurring";
            if recurring != (mode == "subscription") || price["active"] != true {
                return Err(Refused::invalid("the price does not fit the mode"));
            }
            let quantity: i64 = text(line, "quantity")?.parse().unwrap_or_default();
            total += price["unit_amount"].as_i64().unwrap_or_default() * quantity;
        }
        text(params, "success_url")?;
        let id = self.new_id("cs_test");
        self.hide(&id, params.clone());
        let mut session = json!({
            "id": id, "object": "checkout.session", "created": self.now, "livemode": false,
            "mode": mode, "status": "open", "payment_status": "unpaid", "customer": customer,
            "client_reference_id": params["client_reference_id"], "subscription": null,
            "payment_intent": null, "invoice": null, "amount_total": total, "currency": "usd",
            "success_url": params["success_url"], "cancel_url": params["cancel_url"],
            "expires_at": self.now + 86_400, "url": format!("https://checkout.stripe.com/c/pay/{id}"),
            "metadata": {},
        });
        metadata(&mut session, params);
        Ok(self.keep(session))
    }

    pub(crate) fn expire_checkout(&mut self, id: &str) -> Result {
        let mut session = self.find("checkout.session", id)?;
        if session["status"] != "open" {
            return Err(Refused::invalid(
                "Only Checkout Sessions with a status in [\"open\"] can be expired.",
            ));
        }
        session["status"] = json!("expired");
        session["url"] = Value::Null;
        Ok(self.keep(session))
    }

    pub(crate) fn create_portal(&mut self, params: &Value) -> Result {
        only(
            params,
            &["customer", "return_url", "configuration", "locale"],
        )?;
        let customer = self.named("customer", text(params, "customer")?)?;
        let id = self.new_id("bps");
        Ok(self.keep(json!({
            "id": id, "object": "billing_portal.session", "created": self.now, "livemode": false,
            "configuration": "bpc_1", "customer": customer["id"], "return_url": params["return_url"],
            "url": format!("https://billing.stripe.com/p/session/{id}"),
        })))
    }
}
