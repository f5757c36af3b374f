//! Stripe, played by the suite: one for all tests, at the address that `STRIPE_API_BASE` of the server's
//! variables names. Each test looks only at what is of its own tenant.

use std::sync::{LazyLock, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::Duration;

use edgekeep_fake_stripe::{Asked, Stripe, Told};
use serde_json::Value;

use crate::others;

/// The plans of the seed that cost something: lookup key and cents a month.
const PRICES: [(&str, i64); 3] = [
    ("edgekeep_starter_monthly", 2_900),
    ("edgekeep_professional_monthly", 19_900),
    ("edgekeep_enterprise_monthly", 99_900),
];

static STRIPE: LazyLock<Mutex<Stripe>> = LazyLock::new(|| {
    // A server may have seen another run of this suite, and objects with other ids.
    let mut stripe = Stripe::new(&format!("{:x}x", now()));
    stripe.now = now();
    for (key, amount) in PRICES {
        stripe.price(key, amount);
    }
    Mutex::new(stripe)
});

fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_secs()).expect("a date")
}

/// Stripe, at this moment. What holds it keeps the server's requests waiting.
pub fn stripe() -> MutexGuard<'static, Stripe> {
    let mut stripe = STRIPE.lock().unwrap();
    stripe.now = now();
    stripe
}

/// The answer, or none for a connection that ends.
pub fn answer(asked: &others::Asked) -> Option<(u16, String)> {
    let asked = Asked {
        method: asked.method.clone(),
        path: asked.path.clone(),
        headers: asked.headers().to_vec(),
        body: asked.body.clone(),
    };
    let told = stripe().answer(&asked);
    match told {
        Told::Nothing => None,
        Told::Answer(status, body, millis) => {
            sleep(Duration::from_millis(millis));
            Some((status, body.to_string()))
        }
    }
}

/// Makes Stripe know what an event tells of a subscription, unless it knows something newer: the event
/// may be late.
pub fn know(event: &Value) {
    let object = &event["data"]["object"];
    let kind = event["type"].as_str().unwrap_or_default();
    let (Some(id), true) = (
        object["id"].as_str(),
        kind.starts_with("customer.subscription."),
    ) else {
        return;
    };
    let rank = match kind {
        "customer.subscription.created" => 0,
        "customer.subscription.deleted" => 2,
        _ => 1,
    };
    let version = event["created"].as_i64().unwrap_or_default() * 10 + rank;
    let mut stripe = stripe();
    let known = stripe
        .object(id)
        .and_then(|known| known["known_by"].as_i64());
    if known.is_none_or(|known| known <= version) {
        let mut object = object.clone();
        object["object"] = "subscription".into();
        object["known_by"] = version.into();
        stripe.put(object);
    }
}
