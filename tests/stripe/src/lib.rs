//! Stripe, played for tests.
//!
//! It keeps what it is told, as Stripe does: customers, Checkout and portal sessions, subscriptions,
//! products and prices, `PaymentIntents`, refunds, invoices, webhook endpoints and meter events. Shapes
//! are those of Stripe's `OpenAPI` fixtures in version 2026-09-30; only what somebody may look at is
//! there. It is stricter than Stripe where that finds mistakes of ours: every request names a version
//! and a key, every `POST` has an idempotency key, and no parameter is unknown.
//!
//! It has no threads and no clock: whoever plays it moves [`Stripe::now`], and what happens at Stripe
//! by itself is a method of [`Stripe`] (`life.rs`), or a request below `/fake/` (`control.rs`). The
//! binary of this crate serves it to a server on the same machine.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "it runs in tests, where a panic is a finding"
)]

mod control;
mod life;
mod money;
mod params;
mod prices;
mod refusal;
mod sessions;
mod store;
mod subscriptions;

use std::collections::BTreeMap;

use serde_json::Value;

pub use params::parse as parse_form;
pub use refusal::Refused;

/// The version that requests must name.
pub const VERSION: &str = "2026-09-30.endive";

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, `POST`, `DELETE`
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A header's value, empty without one.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// The parameters in its body.
    pub fn params(&self) -> Value {
        params::parse(&self.body)
    }

    fn speaks_of(&self, what: &str) -> bool {
        self.path.contains(what) || self.body.contains(what)
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Another status, and nothing is done.
    Status(u16),
    /// The card is declined, and nothing is done.
    Declined,
    /// The connection ends, and nothing is done.
    HangsUp,
    /// It is done, and then the connection ends.
    Lost,
    /// It is done, and answered so many milliseconds later.
    Late(u64),
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Status and body, after so many milliseconds.
    Answer(u16, Value, u64),
    /// None: the connection ends.
    Nothing,
}

/// What Stripe knows.
#[derive(Debug, Default)]
pub struct Stripe {
    /// Unix seconds.
    pub now: i64,
    /// What ids of this one have in them, so that those of several differ.
    mark: String,
    made: u64,
    objects: BTreeMap<String, Value>,
    /// What Stripe knows of an object and does not show.
    hidden: BTreeMap<String, Value>,
    /// What a key was used for, and the answer to it.
    keys: BTreeMap<String, (String, u16, Value)>,
    fates: Vec<(String, Fate, u32)>,
    asked: Vec<Asked>,
}

/// A success, or an error as Stripe tells it.
type Result<T = Value> = core::result::Result<T, Refused>;

impl Stripe {
    /// One that knows nothing. `mark` is letters and digits.
    pub fn new(mark: &str) -> Self {
        Self {
            mark: mark.to_owned(),
            ..Self::default()
        }
    }

    /// What becomes of the next `times` requests whose path or body has `what` in it: an id of a
    /// tenant or of an object, a part of a path.
    pub fn doom(&mut self, what: &str, fate: Fate, times: u32) {
        self.fates.push((what.to_owned(), fate, times));
    }

    /// Lets everything that has `what` in it succeed again.
    pub fn forgive(&mut self, what: &str) {
        self.fates.retain(|(of, ..)| of != what);
    }

    /// A day passes: what was asked for with a key may be asked for with it again.
    pub fn forget(&mut self) {
        self.keys.clear();
    }

    /// The requests so far that have `what` in their path or body.
    pub fn asked(&self, what: &str) -> Vec<Asked> {
        let all = self.asked.iter().filter(|asked| asked.speaks_of(what));
        all.cloned().collect()
    }

    /// Answers a request.
    pub fn answer(&mut self, asked: &Asked) -> Told {
        let fate = self.fate(asked);
        self.asked.push(asked.clone());
        match fate {
            Some(Fate::Status(status)) => {
                let refused = Refused::with_status(status);
                Told::Answer(status, refused.body(), 0)
            }
            Some(Fate::Declined) => {
                let refused = Refused::declined();
                Told::Answer(refused.status, refused.body(), 0)
            }
            Some(Fate::HangsUp) => Told::Nothing,
            Some(Fate::Lost) => {
                self.act(asked);
                Told::Nothing
            }
            Some(Fate::Late(millis)) => {
                let (status, body) = self.act(asked);
                Told::Answer(status, body, millis)
            }
            None => {
                let (status, body) = self.act(asked);
                Told::Answer(status, body, 0)
            }
        }
    }

    fn fate(&mut self, asked: &Asked) -> Option<Fate> {
        let fates = &mut self.fates;
        let at = fates
            .iter()
            .position(|(what, _, times)| *times > 0 && asked.speaks_of(what))?;
        fates[at].2 -= 1;
        Some(fates[at].1)
    }

    /// The status and the body.
    fn act(&mut self, asked: &Asked) -> (u16, Value) {
        if let Some(path) = asked.path.strip_prefix(control::PREFIX) {
            return self.control(&asked.method, path);
        }
        let done = Self::check(asked).and_then(|()| match asked.method.as_str() {
            "POST" => self.once(asked),
            _ => self.route(asked),
        });
        match done {
            Ok(body) => (200, body),
            Err(refused) => (refused.status, refused.body()),
        }
    }

    /// What every request must have.
    fn check(asked: &Asked) -> Result<()> {
        let bearer = asked.header("authorization");
        if !bearer.starts_with("Bearer sk_test_") && !bearer.starts_with("Bearer rk_test_") {
            return Err(Refused::with_status(401));
        }
        if asked.header("stripe-version") != VERSION {
            return Err(Refused::invalid("Stripe-Version is not the pinned one"));
        }
        let form = asked.header("content-type") == "application/x-www-form-urlencoded";
        if asked.method == "POST" && !form {
            return Err(Refused::invalid("the body is no form"));
        }
        Ok(())
    }

    /// Does what a key asks for once (docs.stripe.com, "Idempotent requests").
    fn once(&mut self, asked: &Asked) -> Result {
        let key = asked.header("idempotency-key").to_owned();
        if key.is_empty() || key.len() > 255 {
            return Err(Refused::invalid("a POST without an idempotency key"));
        }
        let what = format!("{} {}", asked.path, asked.body);
        if let Some((first, status, body)) = self.keys.get(&key) {
            if *first != what {
                return Err(Refused::other_params());
            }
            return if *status == 200 {
                Ok(body.clone())
            } else {
                Err(Refused::again(*status, body.clone()))
            };
        }
        let done = self.route(asked);
        // What was refused before anything was done is not kept.
        if let Ok(body) = &done {
            self.keys.insert(key, (what, 200, body.clone()));
        }
        done
    }

    fn route(&mut self, asked: &Asked) -> Result {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let path = path.strip_prefix("/v1/").ok_or_else(Refused::unknown)?;
        let parts: Vec<&str> = path.split('/').collect();
        let params = if asked.method == "GET" {
            params::parse(query)
        } else {
            asked.params()
        };
        match (asked.method.as_str(), parts.as_slice()) {
            ("POST", ["customers"]) => self.create_customer(&params),
            ("POST", ["checkout", "sessions"]) => self.create_checkout(&params),
            ("POST", ["checkout", "sessions", id, "expire"]) => self.expire_checkout(id),
            ("POST", ["billing_portal", "sessions"]) => self.create_portal(&params),
            ("POST", ["subscriptions"]) => self.create_subscription(&params),
            ("POST", ["subscriptions", id]) => self.update_subscription(id, &params),
            ("DELETE", ["subscriptions", id]) => self.cancel_subscription(id),
            ("POST", ["products"]) => self.create_product(&params),
            ("POST", ["products", id]) => self.update_product(id, &params),
            ("POST", ["prices"]) => self.create_price(&params),
            ("POST", ["webhook_endpoints"]) => self.create_endpoint(&params),
            ("POST", ["webhook_endpoints", id]) => self.update_endpoint(id, &params),
            ("POST", ["payment_intents"]) => self.create_intent(&params),
            ("POST", ["payment_intents", id, "confirm"]) => self.confirm_intent(id, &params),
            ("POST", ["payment_intents", id, "cancel"]) => self.cancel_intent(id, &params),
            ("POST", ["refunds"]) => self.create_refund(&params),
            ("POST", ["billing", "meter_events"]) => self.create_meter_event(&params),
            ("GET", ["checkout", "sessions"]) => self.list("checkout.session", &params),
            ("GET", ["checkout", "sessions", id]) => self.find("checkout.session", id),
            ("GET", [kind]) => self.list(store::object(kind)?, &params),
            ("GET", [kind, id]) => self.find(store::object(kind)?, id),
            _ => Err(Refused::unknown()),
        }
    }
}
