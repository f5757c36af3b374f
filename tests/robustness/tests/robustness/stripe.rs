//! A webhook with a Stripe key set: the event is only a trigger, Stripe's own state counts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use edgekeep_core::stripe::sign;
use edgekeep_robustness::{Answer, Call, Founder, World, run};
use serde_json::{Value, json};

/// A Stripe on loopback: knows `sub_live` (of `tenant`), breaks on `sub_broken`, and keeps
/// whoever asks for `sub_slow` waiting.
#[expect(
    clippy::disallowed_methods,
    reason = "it runs beside the product, not in it"
)]
fn fake_stripe(tenant: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let tenant = tenant.lock().unwrap().clone();
            thread::spawn(move || {
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                let (status, body) = match line.split(' ').nth(1).unwrap() {
                    "/v1/subscriptions/sub_live" => (200, subscription("active", &tenant)),
                    "/v1/subscriptions/sub_slow" => {
                        thread::sleep(Duration::from_secs(20));
                        (200, subscription("active", &tenant))
                    }
                    _ => (500, json!({"error": {"message": "boom"}})),
                };
                let body = body.to_string();
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            });
        }
    });
    base
}

fn subscription(status: &str, tenant: &str) -> Value {
    json!({"id": "sub_live", "status": status, "customer": "cus_1", "metadata": {"tenant_id": tenant},
        "items": {"data": [{"price": {"lookup_key": "edgekeep_starter_monthly"}}]}})
}

async fn deliver(world: &World, event_id: &str, mut object: Value, subscription: &str) -> Answer {
    let now = edgekeep_core::port::Platform::now(world);
    object["id"] = json!(subscription);
    let body = json!({"id": event_id, "type": "customer.subscription.updated", "created": now.seconds(),
        "livemode": false, "data": {"object": object}});
    let secret = edgekeep_robustness::variables(&[])["STRIPE_WEBHOOK_SECRET"].clone();
    let signature = sign(&secret, body.to_string().as_bytes(), now);
    let call = Call::post("/webhooks/stripe", &body).header("stripe-signature", &signature);
    world.send(call).await
}

async fn plan(world: &World, founder: &Founder) -> Value {
    let call = Call::new("GET", "/api/v1/billing/subscription").bearer(&founder.access);
    world.send(call).await.data(200)["plan"].clone()
}

/// A world, its founder, and a Stripe that knows the founder's tenant.
async fn setting() -> (World, Founder) {
    let tenant = Arc::new(Mutex::new(String::new()));
    let base = fake_stripe(Arc::clone(&tenant));
    let world = World::new(&[
        ("STRIPE_SECRET_KEY", "sk_test_51NqXcVbR7yTfGh2KjLpMd8s"),
        ("STRIPE_API_BASE", &base),
    ])
    .await;
    let founder = world.founder("founder@example.com").await;
    tenant.lock().unwrap().clone_from(&founder.tenant);
    (world, founder)
}

/// Rows: H-10
#[test]
fn what_stripe_says_now_counts_not_what_the_event_said() {
    run(async || {
        let (world, founder) = setting().await;
        let stale = subscription("canceled", &founder.tenant);
        deliver(&world, "evt_1", stale, "sub_live").await.data(200);
        assert_eq!(plan(&world, &founder).await, "STARTER");
    });
}

/// Rows: AD-09 H-09
#[test]
fn a_stripe_that_fails_leaves_the_event_for_the_next_delivery() {
    run(async || {
        let (world, founder) = setting().await;
        let sent = subscription("active", &founder.tenant);
        for (id, status, code) in [
            ("sub_broken", 503, "UPSTREAM_FAILED"),
            ("sub_slow", 504, "UPSTREAM_TIMEOUT"),
        ] {
            let answer = deliver(&world, "evt_2", sent.clone(), id).await;
            assert_eq!(answer.status(), status, "{answer:?}");
            assert_eq!(answer.json()["error"]["code"], code);
            assert_eq!(answer.json()["error"]["retryable"], true);
            assert_eq!(plan(&world, &founder).await, "FREE");
        }
        deliver(&world, "evt_2", sent, "sub_live").await.data(200);
        assert_eq!(plan(&world, &founder).await, "STARTER");
    });
}
