//! Counters over instances, failures and time.

use edgekeep_core::auth::token::issue_service;
use edgekeep_core::http::{Access, Context, Function, Interrupt, Reply, Route, serve};
use edgekeep_core::metrics;
use edgekeep_core::port::{OutboundError, Platform};
use edgekeep_core::tenancy::Permission;
use edgekeep_robustness::{Call, Fault, PRODUCTION, World, run};
use serde_json::json;

/// The page as this instance gives it.
pub(crate) async fn page(world: &World) -> String {
    let keys = &world.app().ready().unwrap().keys;
    let token = issue_service(keys, "test", "health", world.now()).unwrap();
    let answer = world
        .send(Call::new("GET", "/metrics").bearer(&token))
        .await;
    assert_eq!(answer.status(), 200, "{:?}", world.lines_of("request"));
    String::from_utf8(answer.0.body).unwrap()
}

/// The value of one series; 0 when it is not there.
pub(crate) fn value(page: &str, series: &str) -> i64 {
    let line = page.lines().find_map(|line| {
        let rest = line.strip_prefix(series)?;
        rest.strip_prefix(' ')
    });
    line.map_or(0, |value| value.parse().unwrap())
}

const PLANS: &str = r#"http_requests_total{route="billing.plans",method="GET",status="200"}"#;

async fn plans(world: &World, times: usize) {
    for _ in 0..times {
        let answer = world.send(Call::new("GET", "/api/v1/billing/plans")).await;
        answer.data(200);
    }
}

/// Rows: O-13
#[test]
fn what_all_instances_counted_adds_up() {
    run(async || {
        let first = World::new(&[]).await;
        let second = first.with(&[]);
        tokio::join!(plans(&first, 7), plans(&second, 5));
        // Who shows the page adds its own; the other has not written yet.
        assert_eq!(value(&page(&first).await, PLANS), 7);
        assert_eq!(value(&page(&second).await, PLANS), 12);
        // Both write at once, again and again.
        for _ in 0..10 {
            tokio::join!(plans(&first, 3), plans(&second, 3));
            tokio::join!(metrics::write(&first), metrics::write(&second));
        }
        let (one, other) = (page(&first).await, page(&second).await);
        assert_eq!(value(&one, PLANS), 72);
        assert_eq!(value(&other, PLANS), 72);
        let count = r#"http_request_duration_seconds_count{route="billing.plans"}"#;
        assert_eq!(value(&other, count), 72);
    });
}

/// Rows: H-36
#[test]
fn deliveries_of_stripe_have_their_durations() {
    run(async || {
        let world = World::new(&[]).await;
        let count = r#"stripe_webhook_processing_seconds_count{route="stripe.webhook"}"#;
        for _ in 0..3 {
            let call = Call::post("/webhooks/stripe", &serde_json::json!({}));
            assert_eq!(world.send(call).await.status(), 400);
        }
        plans(&world, 2).await;
        let page = page(&world).await;
        assert_eq!(value(&page, count), 3);
        assert!(page.contains("# TYPE stripe_webhook_processing_seconds histogram"));
        let le = r#"stripe_webhook_processing_seconds_bucket{route="stripe.webhook",le="+Inf"}"#;
        assert_eq!(value(&page, le), 3);
    });
}

/// Rows: O-13
#[test]
fn a_database_that_is_down_loses_no_counts() {
    run(async || {
        let world = World::new(&[]).await;
        plans(&world, 2).await;
        world.set(Fault::Down);
        metrics::write(&world).await;
        let token = issue_service(
            &world.app().ready().unwrap().keys,
            "t",
            "health",
            world.now(),
        );
        let call = Call::new("GET", "/metrics").bearer(&token.unwrap());
        assert_eq!(world.send(call).await.status(), 503);
        world.set(Fault::None);
        plans(&world, 1).await;
        let page = page(&world).await;
        assert_eq!(value(&page, PLANS), 3);
        assert_eq!(value(&page, r#"db_errors_total{kind="unavailable"}"#), 1);
        let failed = r#"http_requests_total{route="metrics.scrape",method="GET",status="503"}"#;
        assert_eq!(value(&page, failed), 1);
    });
}

/// Rows: A-26
#[test]
fn breach_checks_that_fail_are_counted_whatever_the_policy() {
    run(async || {
        let errors = async |world: &World| {
            world.outside(Err(OutboundError::Timeout));
            let answer = world.register("a@example.com").await;
            let page = page(world).await;
            (answer.status(), value(&page, "breach_check_errors_total"))
        };
        let world = World::new(&[("PASSWORD_BREACH_CHECK", "on")]).await;
        assert_eq!(value(&page(&world).await, "breach_check_errors_total"), 0);
        assert!(
            page(&world)
                .await
                .contains("\nbreach_check_errors_total 0\n")
        );
        assert_eq!(errors(&world).await, (201, 1));
        let closed = world.with(&[
            ("PASSWORD_BREACH_CHECK", "on"),
            ("PASSWORD_BREACH_POLICY", "closed"),
        ]);
        assert_eq!(errors(&closed).await, (503, 2));
        // An answer is none, and a check that is off asks nobody.
        world.outside(Ok((200, "")));
        world.register("b@example.com").await.data(201);
        let off = world.with(&[]);
        assert_eq!(errors(&off).await.1, 2);
    });
}

/// Rows: U-04
#[test]
fn mails_are_counted_by_what_became_of_them() {
    run(async || {
        let world = World::new(&[
            ("EMAIL_PROVIDER", "resend"),
            ("RESEND_API_KEY", "re_M7yGz2WqkT4vXcB9hR1sLd"),
        ])
        .await;
        world.outside(Ok((200, "{}")));
        world.register("a@example.com").await.data(201);
        // Asks for the mail that went out after the answer.
        tokio::task::yield_now().await;
        let counts = async || {
            let page = page(&world).await;
            ["queued", "sent", "failed", "given_up"].map(|result| {
                let series =
                    format!("emails_total{{template=\"verify_email\",result=\"{result}\"}}");
                value(&page, &series)
            })
        };
        for _ in 0..50 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            if counts().await[1] > 0 {
                break;
            }
        }
        assert_eq!(counts().await, [1, 1, 0, 0]);

        world.outside(Ok((500, "{}")));
        world.register("b@example.com").await.data(201);
        let keys = &world.app().ready().unwrap().keys;
        for hour in 1..10_i64 {
            let later = hour * 3_600_000;
            let token = issue_service(keys, "t", "scheduler", world.now().plus(later)).unwrap();
            let call = Call::post("/api/v1/scheduler/tick?task=mail", &json!({}))
                .bearer(&token)
                .header("x-test-clock-offset-ms", &later.to_string());
            world.send(call).await.data(200);
        }
        assert_eq!(counts().await, [2, 1, 5, 1]);
    });
}

/// Rows: Q-16 Q-17
#[test]
fn gauges_tell_of_the_configuration() {
    run(async || {
        let world = World::new(&[("FEATURES_DISABLED", "jobs")]).await;
        let warnings = world.app().ready().unwrap().config.warnings.len();
        assert!(warnings > 0, "the secrets of tests are samples");
        let shown = page(&world).await;
        let gauge = r#"config_warnings{environment="test"}"#;
        assert_eq!(value(&shown, gauge), i64::try_from(warnings).unwrap());
        assert!(shown.contains("feature_enabled{feature=\"jobs\"} 0\n"));
        assert!(shown.contains("feature_enabled{feature=\"api_keys\"} 1\n"));

        let strict = world.with(&PRODUCTION);
        let shown = page(&strict).await;
        assert!(shown.contains("config_warnings{environment=\"production\"} 0\n"));
        assert!(shown.contains("feature_enabled{feature=\"jobs\"} 1\n"));
    });
}

/// Rows: O-25
#[test]
fn a_store_that_is_down_is_counted() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let create = |key: &str| {
            Call::post("/api/v1/api-keys", &json!({"name": "k"}))
                .bearer(&founder.access)
                .header("idempotency-key", key)
        };
        world.send(create("a")).await.data(201);
        // The answer is kept after it was given.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        world.key_value_down(true);
        world.send(create("b")).await.data(201);
        world.send(create("b")).await.data(201);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let page = page(&world).await;
        assert_eq!(
            value(&page, r#"kv_errors_total{operation="get"}"#),
            2,
            "{page}"
        );
        assert_eq!(
            value(&page, r#"kv_errors_total{operation="put"}"#),
            1,
            "{page}"
        );
        let outcomes = ["new", "replay", "conflict"].map(|outcome| {
            let series = format!("idempotency_requests_total{{outcome=\"{outcome}\"}}");
            value(&page, &series)
        });
        assert_eq!(outcomes, [2, 1, 0]);
    });
}

/// A function whose handler forgot to ask who is calling.
struct Forgetful;

impl Function for Forgetful {
    type Action = ();
    const NAME: &'static str = "forgetful";
    const ROUTES: &'static [Route<()>] = &[
        Route::get(
            "/member",
            "f.member",
            (),
            Access::Member(Permission::ProfileRead),
        ),
        Route::get("/service", "f.service", (), Access::Service),
        Route::get("/open", "f.open", (), Access::Public),
    ];

    async fn handle<P: Platform>((): (), _: &Context<'_, P>) -> Result<Reply, Interrupt> {
        Ok(Reply::ok(&json!({"secret": "of somebody"})))
    }
}

/// Rows: A-43
#[test]
fn an_answer_that_nobody_judged_is_withheld_and_counted() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let get = async |path: &str, token: &str| {
            let call = Call::new("GET", path).bearer(token);
            serve::<Forgetful, _, _>(&world, call).await
        };
        let answer = get("/member", &founder.access).await;
        assert_eq!(answer.status, 500);
        assert!(!String::from_utf8(answer.body).unwrap().contains("secret"));
        let shown = page(&world).await;
        assert_eq!(value(&shown, "auth_bypass_detected_total"), 1);
        assert_eq!(world.logged("auth.bypass_detected"), 1);

        let keys = &world.app().ready().unwrap().keys;
        let service = issue_service(keys, "t", "forgetful", world.now()).unwrap();
        assert_eq!(get("/service", &service).await.status, 200);
        assert_eq!(get("/open", "x").await.status, 200);
        assert_eq!(value(&page(&world).await, "auth_bypass_detected_total"), 1);
    });
}

/// Rows: O-09
#[test]
fn scrapes_and_probes_fill_no_log() {
    run(async || {
        let world = World::new(&[("LOG_LEVEL", "info")]).await;
        let before = world.logged("request");
        for _ in 0..100 {
            page(&world).await;
            world.send(Call::new("GET", "/healthz")).await.data(200);
            world.send(Call::new("GET", "/readyz")).await.data(200);
        }
        assert_eq!(world.logged("request"), before);
        plans(&world, 1).await;
        assert_eq!(world.logged("request"), before + 1);
        // What goes wrong is told.
        world.send(Call::new("GET", "/metrics")).await;
        world.set(Fault::Down);
        world.send(Call::new("GET", "/readyz")).await;
        assert_eq!(world.logged("request"), before + 3);

        let debug = world.with(&[("LOG_LEVEL", "debug")]);
        let before = debug.logged("request");
        debug.send(Call::new("GET", "/healthz")).await.data(200);
        assert_eq!(debug.logged("request"), before + 1);
    });
}

/// Rows: O-14
#[test]
fn a_scraper_may_hold_a_token_of_its_own() {
    let tokens = "kR7wQz2mX9vB4nL6tY8sD3fG5hJ1cP0a,Zp3xN8qW5vM2kT9rB6yL4sH7dF1gJ0cE";
    let (new, old) = tokens.split_once(',').unwrap();
    run(async || {
        let world = World::new(&[("METRICS_TOKEN", tokens)]).await;
        let get = async |world: &World, token: &str| {
            let call = Call::new("GET", "/metrics").bearer(token);
            world.send(call).await.status()
        };
        for (token, status) in [
            (new, 200),
            (old, 200),
            (tokens, 401),
            ("kR7wQz2mX9vB4nL6tY8sD3fG5hJ1cP0b", 401),
            ("kR7w", 401),
            (",", 401),
        ] {
            assert_eq!(get(&world, token).await, status, "{token}");
        }
        // It opens nothing else.
        let call = Call::new("GET", "/api/v1/slo/environment").bearer(new);
        assert_eq!(world.send(call).await.status(), 401);
        // Without one, nothing is let in by being empty.
        let without = world.with(&[("METRICS_TOKEN", "")]);
        assert_eq!(get(&without, new).await, 401);
        let empty = Call::new("GET", "/metrics").header("authorization", "Bearer ");
        assert_eq!(without.send(empty).await.status(), 401);

        let weak = world.with(&[&PRODUCTION[..], &[("METRICS_TOKEN", "short")]].concat());
        assert!(
            weak.app()
                .ready()
                .unwrap_err()
                .to_string()
                .contains("METRICS_TOKEN")
        );
        let of_services = PRODUCTION
            .iter()
            .find(|(name, _)| *name == "SERVICE_JWT_SECRET");
        let service = of_services.unwrap().1;
        let same = [&PRODUCTION[..], &[("METRICS_TOKEN", service)]].concat();
        let same = world.with(&same);
        assert!(
            same.app()
                .ready()
                .unwrap_err()
                .to_string()
                .contains("METRICS_TOKEN")
        );
    });
}
