//! Payments and what goes back.

use serde_json::{Value, json};

use crate::params::{metadata, number, only, text};
use crate::refusal::Refused;
use crate::{Result, Stripe};

impl Stripe {
    pub(crate) fn create_intent(&mut self, params: &Value) -> Result {
        only(
            params,
            &[
                "amount",
                "currency",
                "customer",
                "metadata",
                "description",
                "automatic_payment_methods",
            ],
        )?;
        let (amount, currency) = (number(params, "amount")?, text(params, "currency")?);
        if amount < 1 {
            return Err(Refused::coded(
                "parameter_invalid_integer",
                "Invalid positive integer",
            ));
        }
        if currency.len() != 3 || currency != currency.to_lowercase() {
            return Err(Refused::invalid("Invalid currency"));
        }
        let id = self.new_id("pi");
        let mut intent = json!({
            "id": id, "object": "payment_intent", "created": self.now, "livemode": false,
            "amount": amount, "amount_received": 0, "currency": currency,
            "client_secret": format!("{id}_secret_{}", self.mark), "customer": params["customer"],
            "description": params["description"], "status": "requires_payment_method",
            "last_payment_error": null, "latest_charge": null, "next_action": null, "payment_method": null, "canceled_at": null,
            "cancellation_reason": null, "metadata": {}, "automatic_payment_methods": null,
        });
        if params["automatic_payment_methods"]["enabled"] == "true" {
            intent["automatic_payment_methods"] =
                json!({"enabled": true, "allow_redirects": "always"});
        }
        metadata(&mut intent, params);
        Ok(self.keep(intent))
    }

    /// Pays with one of Stripe's payment methods for tests (docs.stripe.com/testing).
    pub(crate) fn confirm_intent(&mut self, id: &str, params: &Value) -> Result {
        only(params, &["payment_method", "return_url"])?;
        let intent = self.find("payment_intent", id)?;
        let open = [
            "requires_payment_method",
            "requires_confirmation",
            "requires_action",
        ];
        if !open.iter().any(|state| intent["status"] == *state) {
            let message = "You cannot confirm this PaymentIntent because of its status.";
            return Err(Refused::coded("payment_intent_unexpected_state", message));
        }
        // Some of the methods lead away, so Stripe asks where to come back to, whatever this one does.
        if !intent["automatic_payment_methods"].is_null() {
            text(params, "return_url")?;
        }
        match text(params, "payment_method")? {
            "pm_card_visa" => drop(self.pay_intent(id)),
            "pm_usBankAccount_processing" => self.process_intent(id),
            "pm_card_authenticationRequired" => self.challenge_intent(id),
            "pm_card_visa_chargeDeclined" => {
                self.decline_intent(id);
                return Err(Refused::declined());
            }
            other => return Err(Refused::no_such("payment_method", other)),
        }
        self.find("payment_intent", id)
    }

    pub(crate) fn cancel_intent(&mut self, id: &str, params: &Value) -> Result {
        only(params, &["cancellation_reason"])?;
        let mut intent = self.find("payment_intent", id)?;
        let done = ["succeeded", "canceled", "processing"].map(|state| intent["status"] == state);
        if done.contains(&true) {
            let message = "You cannot cancel this PaymentIntent because of its status.";
            return Err(Refused::coded("payment_intent_unexpected_state", message));
        }
        intent["status"] = json!("canceled");
        intent["next_action"] = Value::Null;
        intent["canceled_at"] = json!(self.now);
        intent["cancellation_reason"] = params["cancellation_reason"].clone();
        Ok(self.keep(intent))
    }

    pub(crate) fn create_refund(&mut self, params: &Value) -> Result {
        only(
            params,
            &["payment_intent", "charge", "amount", "reason", "metadata"],
        )?;
        let charge = match params["payment_intent"].as_str() {
            Some(intent) => self.named("payment_intent", intent)?["latest_charge"].clone(),
            None => params["charge"].clone(),
        };
        let id = charge.as_str().unwrap_or_default();
        let mut charge = self.named("charge", id)?;
        let left = charge["amount"].as_i64().unwrap() - charge["amount_refunded"].as_i64().unwrap();
        let amount = if params["amount"].is_null() {
            left
        } else {
            number(params, "amount")?
        };
        if left == 0 {
            return Err(Refused::coded(
                "charge_already_refunded",
                "It has already been refunded.",
            ));
        }
        if !(1..=left).contains(&amount) {
            return Err(Refused::invalid("The amount is greater than what is left."));
        }
        charge["amount_refunded"] = json!(charge["amount_refunded"].as_i64().unwrap() + amount);
        charge["refunded"] = json!(amount == left);
        let mut refund = json!({
            "id": self.new_id("re"), "object": "refund", "created": self.now, "amount": amount,
            "currency": charge["currency"], "charge": charge["id"], "reason": params["reason"],
            "payment_intent": charge["payment_intent"], "status": "succeeded", "metadata": {},
        });
        self.keep(charge);
        metadata(&mut refund, params);
        Ok(self.keep(refund))
    }
}
