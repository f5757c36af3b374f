//! What happens at Stripe without a request of ours: somebody pays, a card fails, time passes. And
//! the events that tell of it.

use serde_json::{Value, json};

use crate::subscriptions::PERIOD;
use crate::{Stripe, VERSION};

impl Stripe {
    /// An event about an object as it is now.
    pub fn event(&mut self, kind: &str, id: &str) -> Value {
        let object = self
            .object(id)
            .cloned()
            .unwrap_or_else(|| panic!("no {id}"));
        json!({
            "id": self.new_id("evt"), "object": "event", "api_version": VERSION, "created": self.now,
            "livemode": object["livemode"].as_bool().unwrap_or_default(), "type": kind,
            "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
            "data": {"object": object},
        })
    }

    /// Changes an object by hand.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self
            .object(id)
            .cloned()
            .unwrap_or_else(|| panic!("no {id}"));
        change(&mut object);
        self.put(object);
    }

    /// A product with a price of that lookup key, in cents a month; the price's id.
    pub fn price(&mut self, lookup_key: &str, amount: i64) -> String {
        let known = self.all("price");
        if let Some(price) = known.iter().find(|price| price["lookup_key"] == lookup_key) {
            return price["id"].as_str().unwrap().to_owned();
        }
        let product = self.create_product(&json!({"name": lookup_key})).unwrap();
        let price = json!({
            "product": product["id"], "currency": "usd", "unit_amount": amount.to_string(),
            "recurring": {"interval": "month"}, "lookup_key": lookup_key,
        });
        let price = self.create_price(&price).unwrap();
        price["id"].as_str().unwrap().to_owned()
    }

    /// Somebody pays at a Checkout Session: the id of the subscription, or of the payment.
    pub fn pay_checkout(&mut self, id: &str) -> String {
        let hidden = self.hidden(id);
        let mut session = self
            .object(id)
            .cloned()
            .unwrap_or_else(|| panic!("no {id}"));
        assert_eq!(session["status"], "open", "{session}");
        if session["customer"].is_null() {
            let customer = self.create_customer(&json!({})).unwrap();
            session["customer"] = customer["id"].clone();
        }
        let (name, made) = if session["mode"] == "subscription" {
            let mut params = hidden["subscription_data"].clone();
            if params.is_null() {
                params = json!({});
            }
            params["customer"] = session["customer"].clone();
            params["items"] = hidden["line_items"].clone();
            ("subscription", self.create_subscription(&params).unwrap())
        } else {
            let mut params = hidden["payment_intent_data"].clone();
            if params.is_null() {
                params = json!({});
            }
            params["customer"] = session["customer"].clone();
            params["amount"] = json!(session["amount_total"].to_string());
            params["currency"] = session["currency"].clone();
            ("payment_intent", self.create_intent(&params).unwrap())
        };
        let made = made["id"].as_str().unwrap().to_owned();
        if name == "subscription" {
            let invoice = self.invoice(&made, "paid");
            session["invoice"] = json!(invoice);
        } else {
            self.pay_intent(&made);
        }
        session[name] = json!(made);
        session["status"] = json!("complete");
        session["payment_status"] = json!("paid");
        session["url"] = Value::Null;
        self.put(session);
        made
    }

    /// Somebody gives all of it back in the dashboard; the refund's id.
    pub fn refund_intent(&mut self, id: &str) -> String {
        let made = self.create_refund(&json!({"payment_intent": id}));
        let made = made.unwrap_or_else(|_| panic!("{id} cannot be given back"));
        made["id"].as_str().unwrap_or_default().to_owned()
    }

    /// The card pays; the charge's id.
    pub fn pay_intent(&mut self, id: &str) -> String {
        let intent = self
            .object(id)
            .cloned()
            .unwrap_or_else(|| panic!("no {id}"));
        let charge = self.charge(
            intent["amount"].as_i64().unwrap(),
            &intent["currency"],
            &intent["customer"],
            &intent["id"],
        );
        self.change(id, |intent| {
            intent["status"] = json!("succeeded");
            intent["amount_received"] = intent["amount"].clone();
            intent["latest_charge"] = json!(charge);
            intent["last_payment_error"] = Value::Null;
            intent["next_action"] = Value::Null;
            intent["payment_method"] = json!("pm_card_visa");
        });
        charge
    }

    /// The card's bank asks its holder for a proof, in the browser.
    pub fn challenge_intent(&mut self, id: &str) {
        self.change(id, |intent| {
            intent["status"] = json!("requires_action");
            intent["payment_method"] = json!("pm_card_visa");
            intent["next_action"] = json!({"type": "redirect_to_url", "redirect_to_url":
                {"url": "https://hooks.stripe.com/3d_secure", "return_url": null}});
        });
    }

    /// A bank works on it, which takes days.
    pub fn process_intent(&mut self, id: &str) {
        self.change(id, |intent| {
            intent["status"] = json!("processing");
            intent["payment_method"] = json!("pm_debit");
            intent["next_action"] = Value::Null;
        });
    }

    /// The card is declined; another may be tried.
    pub fn decline_intent(&mut self, id: &str) {
        self.change(id, |intent| {
            intent["status"] = json!("requires_payment_method");
            intent["next_action"] = Value::Null;
            intent["last_payment_error"] = json!({"type": "card_error", "code": "card_declined",
                "decline_code": "generic_decline", "message": "Your card was declined."});
        });
    }

    /// A charge of a customer's, as for an invoice.
    pub fn charge(
        &mut self,
        amount: i64,
        currency: &Value,
        customer: &Value,
        intent: &Value,
    ) -> String {
        let id = self.new_id("ch");
        let charge = json!({
            "id": id, "object": "charge", "created": self.now, "livemode": false, "amount": amount,
            "amount_captured": amount, "amount_refunded": 0, "currency": currency, "paid": true,
            "customer": customer, "payment_intent": intent, "refunded": false, "disputed": false,
            "status": "succeeded", "metadata": {},
        });
        self.put(charge);
        id
    }

    /// The customer's bank takes a charge back; the dispute's id.
    pub fn dispute(&mut self, charge: &str) -> String {
        let id = self.new_id("dp");
        self.change(charge, |charge| charge["disputed"] = json!(true));
        let charged = self.object(charge).cloned().unwrap_or_default();
        self.put(json!({
            "id": id, "object": "dispute", "created": self.now, "livemode": false, "charge": charge,
            "amount": charged["amount"], "currency": charged["currency"], "reason": "fraudulent",
            "status": "needs_response", "payment_intent": charged["payment_intent"], "metadata": {},
            "evidence_details": {"due_by": self.now + 604_800, "has_evidence": false},
        }));
        id
    }

    /// An invoice for a subscription's period: `draft`, `open` or `paid`.
    pub fn invoice(&mut self, subscription: &str, status: &str) -> String {
        let of = self.object(subscription).cloned().unwrap_or_default();
        let item = &of["items"]["data"][0];
        let amount = item["price"]["unit_amount"].as_i64().unwrap_or_default();
        let id = self.new_id("in");
        let paid = if status == "paid" { amount } else { 0 };
        let number =
            (status != "draft").then(|| format!("{}-{:04}", self.mark.to_uppercase(), self.made));
        self.put(json!({
            "id": id, "object": "invoice", "created": self.now, "livemode": false, "status": status,
            "customer": of["customer"], "currency": of["currency"], "amount_due": amount,
            "amount_paid": paid, "amount_remaining": amount - paid, "total": amount, "subtotal": amount,
            "number": number, "attempt_count": i64::from(status != "draft"), "billing_reason": "subscription_cycle",
            "hosted_invoice_url": format!("https://invoice.stripe.com/i/{id}"),
            "period_start": item["current_period_start"], "period_end": item["current_period_end"],
            "due_date": null, "next_payment_attempt": null, "metadata": {},
            "parent": {"type": "subscription_details", "quote_details": null,
                "subscription_details": {"subscription": subscription, "metadata": of["metadata"]}},
            "status_transitions": {"finalized_at": self.now, "paid_at": (paid > 0).then_some(self.now),
                "marked_uncollectible_at": null, "voided_at": null},
        }));
        self.change(subscription, |of| of["latest_invoice"] = json!(id));
        id
    }

    /// Puts a subscription into a state: `past_due`, `unpaid`, `active`, `paused`.
    pub fn set_status(&mut self, subscription: &str, status: &str) {
        self.change(subscription, |of| of["status"] = json!(status));
    }

    /// The next period begins.
    pub fn renew(&mut self, subscription: &str) {
        let now = self.now;
        self.change(subscription, |of| {
            let item = &mut of["items"]["data"][0];
            item["current_period_start"] = json!(now);
            item["current_period_end"] = json!(now + PERIOD);
        });
    }

    /// It is over.
    pub fn end(&mut self, subscription: &str) {
        let now = self.now;
        self.change(subscription, |of| {
            of["status"] = json!("canceled");
            of["canceled_at"] = json!(now);
            of["ended_at"] = json!(now);
        });
    }
}
