//! What fails again and again is left alone for a while: other services, the store, the database.

use std::sync::atomic::{AtomicU32, Ordering};

use edgekeep_core::port::{OutboundError, Platform as _};
use edgekeep_core::time::SECOND;
use edgekeep_robustness::{Call, Fault, World, run};
use serde_json::json;

use crate::faults::later;
use crate::metrics::{page, value};

const ON: (&str, &str) = ("PASSWORD_BREACH_CHECK", "on");
const CLOSED: (&str, &str) = ("PASSWORD_BREACH_POLICY", "closed");

/// Registers somebody, so many milliseconds from now: the status, and how often the service that
/// knows breached passwords was asked.
async fn register(world: &World, millis: i64) -> (u16, usize) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let email = format!("{number}@example.com");
    let body = json!({"email": email, "password": "another long pass phrase"});
    let call = Call::post("/api/v1/auth/register", &body).from(&format!("2001:db8:{number:x}::1"));
    let answer = world.send(later(call, millis)).await;
    let asked = world.sent_outside().len();
    // What is told to other instances is told after the answer.
    tokio::task::yield_now().await;
    (answer.status(), asked)
}

/// Rows: P-10 P-13
#[test]
fn a_service_that_fails_is_not_asked_until_a_probe_succeeds() {
    run(async || {
        let world = World::new(&[ON, ("LOG_LEVEL", "warn")]).await;
        world.outside(Err(OutboundError::Timeout));
        for _ in 0..5 {
            assert_eq!(register(&world, 0).await, (201, 1));
        }
        let state = r#"circuit_breaker_state{dependency="breach_check"}"#;
        assert_eq!(value(&page(&world).await, state), 2);
        for _ in 0..3 {
            assert_eq!(register(&world, SECOND).await, (201, 0));
        }
        // After the pause one call is let through, and fails: nobody else asks.
        assert_eq!(register(&world, 31 * SECOND).await, (201, 1));
        assert_eq!(register(&world, 32 * SECOND).await, (201, 0));
        world.outside(Ok((200, "")));
        assert_eq!(register(&world, 60 * SECOND).await, (201, 0));
        assert_eq!(register(&world, 62 * SECOND).await, (201, 1));
        assert_eq!(register(&world, 62 * SECOND).await, (201, 1));

        let page = page(&world).await;
        assert_eq!(value(&page, state), 0);
        let of = |state| {
            let labels = format!("dependency=\"breach_check\",state=\"{state}\"");
            value(
                &page,
                &format!("circuit_breaker_transitions_total{{{labels}}}"),
            )
        };
        assert_eq!((of("open"), of("half_open"), of("closed")), (2, 2, 1));
        let not_asked = r#"circuit_breaker_rejections_total{dependency="breach_check"}"#;
        assert_eq!(value(&page, not_asked), 5);
        let of = |outcome| {
            let labels = format!("target=\"breach_check\",outcome=\"{outcome}\"");
            value(&page, &format!("outbound_requests_total{{{labels}}}"))
        };
        assert_eq!((of("timeout"), of("success")), (6, 2));
        let all = r#"outbound_request_duration_seconds_count{target="breach_check"}"#;
        assert_eq!(value(&page, all), 8);
        assert_eq!(world.logged("breaker.changed"), 3);
    });
}

/// Rows: P-10
#[test]
fn a_policy_that_is_closed_stays_closed_and_fails_at_once() {
    run(async || {
        let world = World::new(&[ON, CLOSED]).await;
        world.outside(Ok((503, "")));
        for _ in 0..5 {
            // Asked twice: what only reads is repeated.
            assert_eq!(register(&world, 0).await, (503, 2));
        }
        assert_eq!(register(&world, 0).await, (503, 0));
    });
}

/// Rows: P-10
#[test]
fn an_answer_that_blames_the_caller_opens_nothing() {
    run(async || {
        let world = World::new(&[ON]).await;
        for status in [400, 401, 404, 429].repeat(3) {
            world.outside(Ok((status, "")));
            assert_eq!(register(&world, 0).await, (201, 1));
        }
    });
}

/// Rows: P-11
#[test]
fn a_trip_is_seen_by_an_instance_that_begins_after_it() {
    run(async || {
        let one = World::new(&[ON]).await;
        let (early, new) = (one.with(&[ON]), one.with(&[ON]));
        one.outside(Err(OutboundError::Timeout));
        assert_eq!(register(&early, 0).await.1, 1);
        for _ in 0..5 {
            assert_eq!(register(&one, 0).await.1, 1);
        }
        assert_eq!(register(&new, 0).await, (201, 0));
        // Who has just looked sees it when it looks again, five seconds later.
        assert_eq!(register(&early, 4 * SECOND).await.1, 1);
        assert_eq!(register(&early, 5 * SECOND).await.1, 0);
        // The end of it is told as well: the probe of one is enough for all.
        one.outside(Ok((200, "")));
        assert_eq!(register(&one, 31 * SECOND).await.1, 1);
        for world in [&new, &early] {
            assert_eq!(register(world, 31 * SECOND).await.1, 1);
        }
    });
}

/// Rows: P-11 P-12
#[test]
fn without_a_store_each_instance_learns_by_itself() {
    run(async || {
        let one = World::new(&[ON]).await;
        one.key_value_down(true);
        one.outside(Err(OutboundError::Timeout));
        for _ in 0..5 {
            assert_eq!(register(&one, 0).await.1, 1);
        }
        assert_eq!(register(&one, 0).await.1, 0);
        let other = one.with(&[ON]);
        assert_eq!(register(&other, 0).await.1, 1);
    });
}

/// Rows: P-12 P-10
#[test]
fn a_store_that_fails_is_left_alone_and_everything_works() {
    run(async || {
        let world = World::new(&[]).await;
        world.key_value_down(true);
        let founder = world.founder("f@example.com").await;
        let key = world.api_key(&founder).await;
        for n in 0..20 {
            let events = json!([{"id": n.to_string(), "meter": "m"}]);
            let call = Call::post("/api/v1/usage/events", &events).bearer(&key);
            world.send(call).await.data(200);
            let job = Call::post("/api/v1/jobs", &json!({"type": "usage.export"}))
                .header("idempotency-key", &n.to_string());
            let answer = world.send(job.bearer(&key)).await;
            assert!(matches!(answer.status(), 202 | 429), "{answer:?}");
            tokio::task::yield_now().await;
        }
        let page = page(&world).await;
        let errors = ["get", "put", "add"].map(|operation| {
            value(
                &page,
                &format!("kv_errors_total{{operation=\"{operation}\"}}"),
            )
        });
        assert_eq!(errors.iter().sum::<i64>(), 5, "{errors:?}");
        let skipped = r#"circuit_breaker_rejections_total{dependency="key_value"}"#;
        assert!(value(&page, skipped) > 0);
        let state = r#"circuit_breaker_state{dependency="key_value"}"#;
        assert_eq!(value(&page, state), 2);
    });
}

/// Rows: P-10
#[test]
fn a_database_that_cannot_be_reached_is_left_alone_for_two_seconds() {
    run(async || {
        let world = World::new(&[]).await;
        let plans = async || {
            let answer = world.send(Call::new("GET", "/api/v1/billing/plans")).await;
            let asked = answer.0.header("server-timing").unwrap_or_default();
            let asked = asked.contains("sql;desc=\"1\"");
            let wait = answer.0.header("retry-after").map(str::to_owned);
            (answer.status(), asked, wait)
        };
        // One that is busy works: requests that meet must not shut out all others.
        world.set(Fault::Busy);
        for _ in 0..10 {
            assert_eq!(plans().await, (503, true, Some("1".to_owned())));
        }
        world.set(Fault::Down);
        for _ in 0..5 {
            assert_eq!(plans().await, (503, true, Some("1".to_owned())));
        }
        world.set(Fault::None);
        let began = world.now();
        for _ in 0..3 {
            assert_eq!(plans().await, (503, false, Some("2".to_owned())));
        }
        while world.now().since(began) < 2 * SECOND {
            world.sleep(100).await;
        }
        assert_eq!(plans().await, (200, true, None));
        assert_eq!(plans().await, (200, true, None));
        let page = page(&world).await;
        let state = r#"circuit_breaker_state{dependency="database"}"#;
        assert_eq!(value(&page, state), 0);
        let skipped = r#"circuit_breaker_rejections_total{dependency="database"}"#;
        assert_eq!(value(&page, skipped), 3);
    });
}
