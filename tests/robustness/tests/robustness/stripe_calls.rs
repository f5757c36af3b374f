//! How Stripe's API is called: what every request carries, and what is asked again.

use edgekeep_core::port::{Again, OutboundRequest};
use edgekeep_core::stripe::sign;
use edgekeep_robustness::{Answer, Call, World, run};
use serde_json::json;

const KEY: &str = "sk_test_51NqXcVbR7yTfGh2KjLpMd8s";

async fn deliver(world: &World, event_id: &str) -> Answer {
    let now = edgekeep_core::port::Platform::now(world);
    let body = json!({"id": event_id, "type": "customer.subscription.updated", "created": now.seconds(),
        "livemode": false, "data": {"object": {"id": "sub_1", "status": "active", "items": {"data": []}}}});
    let secret = edgekeep_robustness::variables(&[])["STRIPE_WEBHOOK_SECRET"].clone();
    let signature = sign(&secret, body.to_string().as_bytes(), now);
    let call = Call::post("/webhooks/stripe", &body).header("stripe-signature", &signature);
    world.send(call).await
}

fn header<'a>(request: &'a OutboundRequest, name: &str) -> Option<&'a str> {
    let found = request.headers.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value.as_str())
}

/// Rows: H-20
#[test]
fn every_request_says_who_asks_and_in_which_version() {
    run(async || {
        let world = World::new(&[("STRIPE_SECRET_KEY", KEY)]).await;
        world.outside(Ok((
            200,
            r#"{"id":"sub_1","status":"active","items":{"data":[]}}"#,
        )));
        deliver(&world, "evt_1").await.data(200);
        let sent = world.sent_outside();
        let [request] = sent.as_slice() else {
            panic!("{sent:?}")
        };
        assert_eq!(request.url, "https://api.stripe.com/v1/subscriptions/sub_1");
        let bearer = format!("Bearer {KEY}");
        assert_eq!(header(request, "authorization"), Some(bearer.as_str()));
        assert_eq!(header(request, "stripe-version"), Some("2026-09-30.endive"));
    });
}

/// Rows: H-20
#[test]
fn what_may_succeed_is_asked_three_times_and_a_refusal_once() {
    run(async || {
        for (status, code, attempts) in [
            (500, "UPSTREAM_FAILED", 3),
            (429, "UPSTREAM_FAILED", 3),
            (409, "UPSTREAM_FAILED", 3),
            (401, "BILLING_NOT_CONFIGURED", 1),
            (400, "UPSTREAM_REFUSED", 1),
        ] {
            let world = World::new(&[("STRIPE_SECRET_KEY", KEY)]).await;
            let told = r#"{"error":{"type":"api_error","message":"secret of a@b.test"}}"#;
            world.outside(Ok((status, told)));
            let answer = deliver(&world, "evt_1").await;
            assert_eq!(answer.status(), 503, "{status}: {answer:?}");
            assert_eq!(answer.json()["error"]["code"], code, "{status}");
            assert!(!String::from_utf8_lossy(&answer.0.body).contains("a@b"));
            assert_eq!(world.sent_outside().len(), attempts, "{status}");
        }
    });
}

/// What Stripe says about another attempt holds in place of what its status would make us think.
/// Rows: H-20
#[test]
fn stripe_says_whether_to_ask_again() {
    let says = |wanted| Again {
        wanted: Some(wanted),
        after: None,
    };
    run(async || {
        for (status, said, attempts) in [
            (500, vec![says(false)], 1),
            (429, vec![says(false)], 1),
            (409, vec![says(true), says(false)], 2),
            (400, vec![says(true), says(true), says(true), says(true)], 3),
            (400, vec![], 1),
        ] {
            let world = World::new(&[("STRIPE_SECRET_KEY", KEY)]).await;
            world.outside(Ok((status, r#"{"error":{"type":"api_error"}}"#)));
            world.outside_says(&said);
            assert_eq!(deliver(&world, "evt_1").await.status(), 503, "{status}");
            assert_eq!(world.sent_outside().len(), attempts, "{status} {said:?}");
        }
    });
}

/// Rows: H-20
#[test]
fn stripe_says_how_long_to_wait_and_nobody_waits_for_long() {
    let says = |seconds| Again {
        wanted: None,
        after: Some(seconds),
    };
    run(async || {
        for (seconds, attempts, least) in [(1, 3, 1_000), (0, 3, 0), (10, 1, 0), (u32::MAX, 1, 0)] {
            let world = World::new(&[("STRIPE_SECRET_KEY", KEY)]).await;
            world.outside(Ok((429, r#"{"error":{"type":"api_error"}}"#)));
            world.outside_says(&[says(seconds)]);
            let started = edgekeep_core::port::Platform::now(&world);
            assert_eq!(deliver(&world, "evt_1").await.status(), 503);
            let took = edgekeep_core::port::Platform::now(&world).since(started);
            assert_eq!(world.sent_outside().len(), attempts, "{seconds}");
            assert!(
                (least..least + 1_000).contains(&took),
                "{seconds}: {took} ms"
            );
        }
    });
}
