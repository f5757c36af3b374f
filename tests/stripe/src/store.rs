//! What all objects have in common: ids, finding and listing.

use serde_json::{Value, json};

use crate::params::items;
use crate::refusal::Refused;
use crate::{Result, Stripe};

/// The kind of object below a path.
pub(crate) fn object(path: &str) -> Result<&'static str> {
    Ok(match path {
        "customers" => "customer",
        "subscriptions" => "subscription",
        "products" => "product",
        "prices" => "price",
        "payment_intents" => "payment_intent",
        "refunds" => "refund",
        "charges" => "charge",
        "disputes" => "dispute",
        "invoices" => "invoice",
        "webhook_endpoints" => "webhook_endpoint",
        _ => return Err(Refused::unknown()),
    })
}

impl Stripe {
    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{}{:06}", self.mark, self.made)
    }

    /// Keeps an object, and answers it.
    pub(crate) fn keep(&mut self, object: Value) -> Value {
        let id = object["id"].as_str().expect("an id").to_owned();
        self.objects.insert(id, object.clone());
        object
    }

    pub(crate) fn hide(&mut self, id: &str, what: Value) {
        self.hidden.insert(id.to_owned(), what);
    }

    pub(crate) fn hidden(&self, id: &str) -> Value {
        self.hidden.get(id).cloned().unwrap_or_default()
    }

    /// An object of that kind, for a path.
    pub(crate) fn find(&self, kind: &str, id: &str) -> Result {
        let found = self.objects.get(id).filter(|found| found["object"] == kind);
        found.cloned().ok_or_else(|| Refused::missing(kind, id))
    }

    /// An object of that kind, for a parameter.
    pub(crate) fn named(&self, kind: &str, id: &str) -> Result {
        self.find(kind, id).map_err(|_| Refused::no_such(kind, id))
    }

    /// All of a kind, oldest first.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        let own = self
            .objects
            .values()
            .filter(|object| object["object"] == kind);
        own.cloned().collect()
    }

    /// An object as it is now.
    pub fn object(&self, id: &str) -> Option<&Value> {
        self.objects.get(id)
    }

    /// Puts an object there as it is, whoever made it.
    pub fn put(&mut self, object: Value) {
        self.keep(object);
    }

    /// A list (docs.stripe.com/api/pagination), newest first.
    pub(crate) fn list(&self, kind: &str, params: &Value) -> Result {
        let keys = items(&params["lookup_keys"]);
        let limit = params["limit"].as_str().map_or(Ok(10), str::parse);
        let limit: usize = limit.map_err(|_| Refused::invalid("Invalid integer: limit"))?;
        let mut all = self.all(kind);
        all.retain(|object| {
            let same = |name: &str| {
                let wanted = &params[name];
                wanted.is_null() || object[name] == *wanted
            };
            let status = match params["status"].as_str() {
                None if kind == "subscription" => object["status"] != "canceled",
                None | Some("all") => true,
                Some(status) => object["status"] == status,
            };
            let active = params["active"].as_str();
            status
                && same("customer")
                && same("product")
                && same("payment_intent")
                && active.is_none_or(|active| object["active"] == (active == "true"))
                && (keys.is_empty() || keys.contains(&&object["lookup_key"]))
        });
        all.sort_by_key(|object| {
            let id = object["id"].as_str().unwrap_or_default();
            core::cmp::Reverse((object["created"].as_i64(), id.to_owned()))
        });
        let after = params["starting_after"].as_str();
        let start = after.map_or(0, |id| {
            let at = all.iter().position(|object| object["id"] == id);
            at.map_or(all.len(), |at| at + 1)
        });
        let more = all.len().saturating_sub(start) > limit;
        let page: Vec<_> = all.into_iter().skip(start).take(limit).collect();
        Ok(json!({"object": "list", "url": format!("/v1/{kind}s"), "has_more": more, "data": page}))
    }
}
