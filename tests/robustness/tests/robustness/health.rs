//! Probes and answers while something is missing or broken.

use std::time::Duration;

use edgekeep_robustness::{Call, Fault, PRODUCTION, World, run};
use serde_json::json;

async fn get(world: &World, path: &str) -> edgekeep_robustness::Answer {
    world.send(Call::new("GET", path)).await
}

/// Rows: P-04 R-09
#[test]
fn a_database_that_is_down_shows_and_recovers() {
    run(async || {
        let world = World::new(&[]).await;
        get(&world, "/readyz").await.data(200);
        world.set(Fault::Down);
        assert_eq!(get(&world, "/healthz").await.status(), 200);
        let ready = get(&world, "/readyz").await;
        assert_eq!(
            (ready.status(), &ready.json()["error"]["code"]),
            (503, &json!("UNAVAILABLE"))
        );
        let health = get(&world, "/health").await;
        assert_eq!(health.status(), 503);
        assert_eq!(
            health.json()["data"]["dependencies"]["database"]["status"],
            "down"
        );
        let text = String::from_utf8(health.0.body).unwrap();
        assert!(!text.contains("injected"), "{text}");
        let plans = get(&world, "/api/v1/billing/plans").await;
        assert_eq!(
            (plans.status(), plans.0.header("retry-after")),
            (503, Some("1"))
        );
        world.set(Fault::None);
        get(&world, "/readyz").await.data(200);
    });
}

/// Rows: P-06
#[test]
fn a_hanging_database_does_not_hang_the_probe() {
    run(async || {
        let world = World::new(&[]).await;
        world.set(Fault::Hangs);
        let both = async {
            assert_eq!(get(&world, "/readyz").await.status(), 503);
            assert_eq!(get(&world, "/health").await.status(), 503);
        };
        let answered = tokio::time::timeout(Duration::from_secs(6), both).await;
        assert!(answered.is_ok(), "the probes hang with the database");
    });
}

/// Rows: Q-06
#[test]
fn a_missing_binding_is_503_by_name_in_the_log_alone() {
    run(async || {
        let world = World::new(&[]).await;
        world.set(Fault::Missing);
        let answer = get(&world, "/api/v1/billing/plans").await;
        assert_eq!(
            (answer.status(), &answer.json()["error"]["code"]),
            (503, &json!("NOT_CONFIGURED"))
        );
        assert_eq!(get(&world, "/healthz").await.status(), 200);
        assert_eq!(get(&world, "/readyz").await.status(), 503);
    });
}

/// Rows: Q-02 P-03
#[test]
fn a_refused_configuration_serves_probes_alone() {
    run(async || {
        let world = World::new(&[("JWT_SECRET", ""), ("ENVIRONMENT", "production")]).await;
        assert_eq!(get(&world, "/healthz").await.status(), 200);
        assert_eq!(get(&world, "/startupz").await.status(), 503);
        assert_eq!(get(&world, "/readyz").await.status(), 503);
        let answer = get(&world, "/api/v1/billing/plans").await;
        assert_eq!(
            (answer.status(), &answer.json()["error"]["code"]),
            (503, &json!("NOT_CONFIGURED"))
        );
        let text = String::from_utf8(answer.0.body).unwrap();
        assert!(!text.contains("acceptance-"), "{text}");
    });
}

/// Rows: E-22 Q-19
#[test]
fn development_routes_do_not_exist_in_production() {
    run(async || {
        let world = World::new(&PRODUCTION).await;
        get(&world, "/api/v1/billing/plans").await.data(200);
        assert_eq!(
            get(&world, "/api/v1/dev/mailbox?to=a@example.com")
                .await
                .status(),
            404
        );
        let call = Call::new("GET", "/healthz").header("x-test-clock-offset-ms", "86400000");
        let answer = world.send(call).await;
        assert_eq!(answer.0.header("server-timing"), None);
        let shown = answer.json()["metadata"]["timestamp"]
            .as_str()
            .unwrap()
            .to_owned();
        let now = edgekeep_core::port::Platform::now(&world).rfc3339();
        assert_eq!(shown[..16], now[..16]);
    });
}

/// Rows: H-01 Q-08
#[test]
fn billing_off_answers_plainly() {
    run(async || {
        let world =
            World::new(&[("BILLING_ENABLED", "false"), ("STRIPE_WEBHOOK_SECRET", "")]).await;
        let answer = world.send(Call::post("/webhooks/stripe", &json!({}))).await;
        assert_eq!(
            (answer.status(), &answer.json()["error"]["code"]),
            (503, &json!("BILLING_DISABLED"))
        );
        get(&world, "/api/v1/billing/plans").await.data(200);
    });
}
