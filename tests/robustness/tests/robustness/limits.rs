//! The general rate limit: limits that change in the database, instances that are new, stores that
//! fail.

use edgekeep_core::auth::token::issue_service;
use edgekeep_core::organizations::api_keys::key;
use edgekeep_core::port::Platform;
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Counting, Fault, Founder, World, run, text};
use serde_json::json;

static PLAN: SystemQuery = SystemQuery::new(
    "test.plan",
    "UPDATE plans SET rate_limits = ?1 WHERE id = 'FREE'",
);
static TENANT: SystemQuery = SystemQuery::new(
    "test.tenant",
    "UPDATE tenants SET rate_limits = ?2 WHERE id = ?1",
);
static STARTER: SystemQuery = SystemQuery::new(
    "test.starter",
    "UPDATE tenants SET plan_id = 'STARTER' WHERE id = ?1",
);
static PAYS: SystemQuery = SystemQuery::new(
    "test.pays",
    "UPDATE tenants SET plan_id = 'ENTERPRISE' WHERE id = ?1",
);

/// A world whose minute has twelve seconds left at least: its end would be a window's too.
async fn early(changes: &[(&str, &str)]) -> World {
    let world = World::new(changes).await;
    let left = 60_000 - world.now().0 % 60_000;
    if left < 12_000 {
        world.sleep(u32::try_from(left).unwrap()).await;
    }
    world
}

fn me(founder: &Founder) -> Call {
    Call::new("GET", "/api/v1/auth/me").bearer(&founder.access)
}

fn limit(answer: &Answer) -> &str {
    answer.0.header("x-ratelimit-limit").unwrap_or_default()
}

/// SQL round trips.
fn sql(answer: &Answer) -> String {
    let timing = answer.0.header("server-timing").unwrap_or_default();
    timing.split('"').nth(1).unwrap_or_default().to_owned()
}

/// A counter as this instance's page shows it.
async fn counted<P: Platform>(platform: &P, series: &str) -> i64 {
    let keys = &platform.app().ready().unwrap().keys;
    let token = issue_service(keys, "test", "health", platform.now()).unwrap();
    let call = Call::new("GET", "/metrics").bearer(&token);
    let page = edgekeep_core::functions::serve(platform, call).await;
    let page = String::from_utf8(page.body).unwrap();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

/// Rows: E-13
#[test]
fn a_plans_new_limits_hold_on_the_next_request() {
    run(async || {
        let world = early(&[]).await;
        let founder = world.founder("f@example.com").await;
        assert_eq!(limit(&world.send(me(&founder)).await), "1000000");
        world.sql(&PLAN, &["global=2"]).await;
        let answers = [
            world.send(me(&founder)).await,
            world.send(me(&founder)).await,
        ];
        // The minute's requests so far count too, so it is over already: before any handler wrote.
        for answer in &answers {
            assert_eq!((answer.status(), limit(answer)), (429, "2"));
            assert_eq!(answer.json()["error"]["policy"], "global");
        }
        assert_eq!(
            (sql(&answers[0]), sql(&answers[1])),
            ("1".into(), "0".into())
        );
        // More is believed 5 s later at most, and asked for before anybody is refused.
        world.sql(&PLAN, &["global=30"]).await;
        let later = me(&founder).header("x-test-clock-offset-ms", "6000");
        let answer = world.send(later).await;
        assert_eq!((answer.status(), limit(&answer)), (200, "30"));
        assert_eq!(sql(&answer), "2");
    });
}

/// What docs/rate-limiting.md tells operators to write.
///
/// Rows: E-13 E-14 E-31
#[test]
fn the_pages_statements_do_what_it_says() {
    run(async || {
        let page = include_str!("../../../../docs/rate-limiting.md");
        let block = page.split("```sql\n").nth(1).unwrap();
        let block = block.split("```").next().unwrap();
        let world = early(&[]).await;
        let founder = world.founder("f@example.com").await;
        world.sql(&STARTER, &[&founder.tenant]).await;
        let mut ran = 0;
        for statement in block.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            let text = statement.replace("ten_…", &founder.tenant);
            let query: &'static SystemQuery =
                Box::leak(Box::new(SystemQuery::new("test.page", text.leak())));
            world.sql(query, &[]).await;
            ran += 1;
        }
        assert_eq!(ran, 2);
        let body = json!({"name": "Renamed"});
        let mut call = Call::post("/api/v1/organizations/current", &body);
        call.method = "PATCH".to_owned();
        let answer = world.send(call.bearer(&founder.access)).await;
        let told = answer.0.header("ratelimit-policy");
        assert_eq!(told, Some("\"write\";q=60;w=60, \"global\";q=1000;w=60"));
    });
}

/// Rows: E-13 E-14
#[test]
fn unsound_limits_in_the_database_stop_nobody() {
    run(async || {
        let world = early(&[]).await;
        let founder = world.founder("f@example.com").await;
        world.sql(&PLAN, &["global=500"]).await;
        for unsound in ["write=", "global=0", "read=5", "x", "global=1;"] {
            world.sql(&TENANT, &[&founder.tenant, unsound]).await;
            let answer = world.send(me(&founder)).await;
            assert_eq!((answer.status(), limit(&answer)), (200, "500"), "{unsound}");
        }
        // What can be read in the same text holds.
        world
            .sql(&TENANT, &[&founder.tenant, "wirte=5,global=400,ai=x"])
            .await;
        assert_eq!(limit(&world.send(me(&founder)).await), "400");
        world.sql(&TENANT, &[&founder.tenant, "x"]).await;
        world.sql(&PLAN, &["nonsense"]).await;
        assert_eq!(limit(&world.send(me(&founder)).await), "1000000");
        assert!(counted(&world, "rate_limits_unsound_total").await >= 6);
        let [line] = &world.lines_of("rate_limits.unsound")[..] else {
            panic!("logged once")
        };
        assert_eq!(
            (&line["set_by"], &line["text"]),
            (&"tenant".into(), &"write=".into())
        );
    });
}

/// A request that has written by the time its limits are known passes; the next one does not.
#[test]
fn what_is_written_is_not_refused_afterwards() {
    run(async || {
        let world = early(&[]).await;
        let founder = world.founder("f@example.com").await;
        let key = world.api_key(&founder).await;
        let ingest = |id: &str| {
            let body = json!({"id": id, "meter": "m"});
            world.send(Call::post("/api/v1/usage/events", &body).bearer(&key))
        };
        for id in ["1", "2", "3"] {
            ingest(id).await.data(200);
        }
        world.sql(&TENANT, &[&founder.tenant, "ingest=2"]).await;
        let answer = ingest("4").await;
        assert_eq!((answer.status(), limit(&answer)), (200, "2"));
        assert_eq!(ingest("5").await.status(), 429);
        let call = Call::new("GET", "/api/v1/usage/summary").bearer(&key);
        assert_eq!(world.send(call).await.data(200)["events"], 4);
        let passed = r#"rate_limit_hits_total{policy="ingest",outcome="passed"}"#;
        assert_eq!(counted(&world, passed).await, 1);
    });
}

/// Instances of Spin live for 128 requests. One that has never seen a tenant asks what its plan
/// allows before it refuses by the defaults.
///
/// Rows: E-13 E-17
#[test]
fn a_new_instance_refuses_nobody_by_the_defaults_of_others() {
    run(async || {
        let world = early(&[]).await;
        let founder = world.founder("f@example.com").await;
        let key = world.api_key(&founder).await;
        world.sql(&PAYS, &[&founder.tenant]).await;
        let defaults = [("RATE_LIMITS", "global=4,ingest=4")];
        let first = Counting::new(&world).with(&defaults);
        for round in 0..10 {
            let fresh = first.with(&defaults);
            for n in 0..3 {
                let answer = fresh.send(me(&founder)).await;
                let told = (answer.status(), limit(&answer));
                assert_eq!(told, (200, "10000"), "{round} {n}");
                let asked = round * 3 + n >= 4 && n == 0;
                assert_eq!(sql(&answer), if asked { "2" } else { "1" }, "{round} {n}");
            }
        }
        // A key counts by its address until it was let in, which others may have used up.
        for _ in 0..6 {
            let call = Call::new("GET", "/api/v1/usage/summary").bearer("ek_live_x");
            first.send(call).await;
        }
        for _ in 0..10 {
            let fresh = first.with(&defaults);
            let call = || Call::new("GET", "/api/v1/usage/summary").bearer(&key);
            for _ in 0..2 {
                let answer = fresh.send(call()).await;
                assert_eq!((answer.status(), limit(&answer)), (200, "10000"));
            }
        }
        // Whoever has no plan that allows more is refused, and the database is not asked again.
        let other = world.founder("g@example.com").await;
        let fresh = first.with(&defaults);
        let mut told = Vec::new();
        for _ in 0..6 {
            let answer = fresh.send(me(&other)).await;
            told.push((answer.status(), sql(&answer)));
        }
        let told: Vec<_> = told
            .iter()
            .map(|(status, sql)| (*status, sql.as_str()))
            .collect();
        let passed = (200, "1");
        assert_eq!(
            told,
            [passed, passed, passed, passed, (429, "1"), (429, "0")]
        );
    });
}

/// Rows: E-17
#[test]
fn made_up_keys_are_not_looked_up_without_end() {
    run(async || {
        let world = early(&[]).await;
        let one = world.with(&[("RATE_LIMITS", "global=2")]);
        let mut asked = 0;
        for n in 0..20_u128 {
            let made_up = key::make(key::Environment::Live, n.to_be_bytes(), [7; 32]);
            let call = Call::new("GET", "/api/v1/usage/summary").bearer(&made_up.text);
            let answer = one.send(call).await;
            assert_eq!(answer.status(), if n < 2 { 401 } else { 429 }, "{n}");
            asked += sql(&answer).parse::<u32>().unwrap();
        }
        assert_eq!(asked, 2 + 3);
    });
}

/// Rows: E-16 P-12
#[test]
fn a_store_that_fails_leaves_each_instance_its_own_count() {
    run(async || {
        let world = early(&[]).await;
        let founder = world.founder("f@example.com").await;
        world.sql(&PLAN, &["global=5"]).await;
        let one = Counting::new(&world);
        one.store_down(true);
        let mut statuses = Vec::new();
        for _ in 0..8 {
            statuses.push(one.send(me(&founder)).await.status());
        }
        assert_eq!(statuses, [200, 200, 200, 200, 429, 429, 429, 429]);
        one.store_down(false);
        // After five failures it is left alone for five seconds (docs/resilience.md).
        let errors = counted(&one, "ratelimit_store_errors_total").await;
        assert_eq!(errors, 5);
        let add = r#"kv_errors_total{operation="add"}"#;
        assert_eq!(counted(&one, add).await, 5);
        let call = || me(&founder).header("x-test-clock-offset-ms", "130000");
        assert_eq!(one.send(call()).await.status(), 200);
        assert_eq!(counted(&one, add).await, 5);
    });
}

/// Rows: E-16
#[test]
fn a_failing_database_refuses_as_before() {
    run(async || {
        let world = early(&[]).await;
        let founder = world.founder("f@example.com").await;
        world.sql(&PLAN, &["global=3"]).await;
        let mut last = world.send(me(&founder)).await;
        for _ in 0..3 {
            last = world.send(me(&founder)).await;
        }
        assert_eq!(last.status(), 429);
        world.set(Fault::Down);
        let later = me(&founder).header("x-test-clock-offset-ms", "6000");
        assert_eq!(world.send(later).await.status(), 429);
    });
}

/// Rows: E-20
#[test]
fn every_limit_passes_the_hook() {
    run(async || {
        let world = early(&[("LOG_LEVEL", "warn")]).await;
        let founder = world.founder("f@example.com").await;
        world.sql(&PLAN, &["global=3"]).await;
        for _ in 0..6 {
            world.send(me(&founder)).await;
        }
        for _ in 0..5 {
            let body = json!({"email": founder.email});
            world
                .send(Call::post("/api/v1/auth/password/forgot", &body))
                .await;
            let wrong = json!({"email": founder.email, "password": "wrong password"});
            world.send(Call::post("/api/v1/auth/login", &wrong)).await;
        }
        let lines = world.lines_of("limit.met");
        let told: Vec<_> = lines
            .iter()
            .map(|line| (text(&line["policy"]), line["limit"].as_i64().unwrap()))
            .collect();
        let wanted = [("global", 3), ("login", 3), ("reset.recipient", 3)];
        for (policy, limit) in wanted {
            // The first one of a minute; a test that runs over its end sees two.
            let found = told
                .iter()
                .filter(|one| **one == (policy.to_owned(), limit));
            assert!((1..=2).contains(&found.count()), "{policy}: {told:?}");
            let series = format!(r#"rate_limit_hits_total{{policy="{policy}",outcome="refused"}}"#);
            assert!(counted(&world, &series).await >= 2, "{policy}");
        }
        for line in &lines {
            assert!(line["retry_after"].as_i64().unwrap() >= 1, "{line}");
            assert_eq!(text(&line["key"]).len(), 32, "{line}");
            let all = line.to_string();
            for secret in [founder.email.as_str(), founder.tenant.as_str(), "192.0.2.1"] {
                assert!(!all.contains(secret), "{all}");
            }
        }
    });
}

/// An operator finds whose requests are refused, and by which limit, without knowing any hash.
#[test]
fn the_log_says_whose_request_was_refused_and_by_what() {
    run(async || {
        let world = early(&[("LOG_LEVEL", "info")]).await;
        let founder = world.founder("f@example.com").await;
        world.sql(&PLAN, &["global=3"]).await;
        for _ in 0..6 {
            world.send(me(&founder)).await;
        }
        let lines = world.lines_of("request");
        let refused: Vec<_> = lines
            .iter()
            .filter(|line| line["code"] == "RATE_LIMITED")
            .collect();
        assert!(refused.len() >= 2, "{lines:?}");
        for line in refused {
            assert_eq!(line["tenant"], founder.tenant.as_str(), "{line}");
            assert_eq!(line["policy"], "global", "{line}");
        }
    });
}

/// Rows: E-21
#[test]
fn a_spray_is_suspected_once_a_window() {
    run(async || {
        let world = early(&[("LOG_LEVEL", "warn")]).await;
        let minute = |n: i64| (n * 60_000).to_string();
        for round in 1..=2 {
            for n in 0..100 {
                let at = minute(round * 2);
                let path = format!("/wp-admin/{n}");
                let lost = Call::new("GET", &path).header("x-test-clock-offset-ms", &at);
                assert_eq!(world.send(lost).await.status(), 404);
                let call = Call::new("GET", "/api/v1/auth/me").bearer(&format!("t{n}"));
                let call = call.header("x-test-clock-offset-ms", &at);
                assert_eq!(world.send(call).await.status(), 401);
                let call =
                    Call::new("GET", "/api/v1/usage/summary").bearer(&format!("ek_live_{n}"));
                let call = call.header("x-test-clock-offset-ms", &at);
                assert_eq!(world.send(call).await.status(), 401);
            }
            // The offset is fixed, but the clock under it may pass a minute's end.
            for kind in ["paths", "credentials", "keys"] {
                let series = format!(r#"abuse_suspected_total{{kind="{kind}"}}"#);
                let count = counted(&world, &series).await;
                assert!((round..=2 * round).contains(&count), "{kind}: {count}");
            }
        }
        for line in world.lines_of("abuse.suspected") {
            assert!(!line.to_string().contains("192.0.2.1"), "{line}");
        }
        // Somebody who mistypes is not suspected.
        let calm = early(&[]).await;
        for n in 0..9 {
            let call = Call::new("GET", "/api/v1/usage/summary").bearer(&format!("ek_live_{n}"));
            calm.send(call).await;
        }
        assert_eq!(
            counted(&calm, r#"abuse_suspected_total{kind="keys"}"#).await,
            0
        );
    });
}

/// Rows: E-30
#[test]
fn counters_are_hashed_and_end() {
    run(async || {
        let world = early(&[]).await;
        let founder = world.founder("f@example.com").await;
        let one = Counting::new(&world);
        for limits in ["global=9", "global=9:fixed", "global=9:bucket"] {
            world.sql(&PLAN, &[limits]).await;
            for _ in 0..3 {
                one.send(me(&founder)).await;
            }
        }
        one.send(Call::new("GET", "/api/v1/billing/plans")).await;
        let counters = one.counters();
        assert!(counters.len() >= 6, "{counters:?}");
        for (key, lives) in counters {
            let parts: Vec<_> = key.split(':').collect();
            assert_eq!((parts[0], parts[1], parts[2].len()), ("rl", "global", 32));
            assert!(parts[2].bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
            assert!((60_000..=4 * 3_600_000).contains(&lives), "{key}: {lives}");
            assert!(!key.contains(&founder.tenant) && !key.contains("192.0.2"));
        }
    });
}
