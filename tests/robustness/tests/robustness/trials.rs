//! Trials from registration to their end, whatever fails, and each step once.

use edgekeep_core::auth::token::issue_service;
use edgekeep_core::port::Platform as _;
use edgekeep_core::sql::{Row, SystemQuery};
use edgekeep_core::stripe::sign;
use edgekeep_robustness::{Answer, Call, Fault, Founder, PASSWORD, World, run, text};
use serde_json::{Value, json};

use crate::faults::later;

const DAY: i64 = 86_400_000;

async fn sql(world: &World, text: &'static str, params: &[&str]) -> Vec<Row> {
    let query = Box::leak(Box::new(SystemQuery::new("test.trials", text)));
    world.sql(query, params).await
}

async fn number(world: &World, text: &'static str) -> i64 {
    sql(world, text, &[]).await[0].int(0).unwrap()
}

fn service(world: &World, function: &str, call: Call, millis: i64) -> Call {
    let keys = &world.app().ready().unwrap().keys;
    let token = issue_service(keys, "tests", function, world.now().plus(millis)).unwrap();
    later(call.bearer(&token), millis)
}

/// One task, `millis` from now.
async fn task(world: &World, name: &str, millis: i64) -> Answer {
    let call = Call::new("POST", &format!("/api/v1/scheduler/tick?task={name}"));
    world.send(service(world, "scheduler", call, millis)).await
}

/// A founder whose registration began a trial.
async fn on_trial(world: &World, email: &str) -> Founder {
    let body = json!({"email": email, "password": PASSWORD});
    let call = Call::post("/api/v1/auth/register", &body);
    world.send(call).await.data(201);
    world.verify(email).await.data(200);
    let tokens = world.login(email).await.data(200);
    let access = text(&tokens["access_token"]);
    let me = world
        .send(Call::new("GET", "/api/v1/auth/me").bearer(&access))
        .await
        .data(200);
    Founder {
        email: email.to_owned(),
        access,
        refresh: text(&tokens["refresh_token"]),
        tenant: text(&me["tenant"]["id"]),
    }
}

async fn subscription(world: &World, founder: &Founder) -> Value {
    let call = Call::new("GET", "/api/v1/billing/subscription").bearer(&founder.access);
    world.send(call).await.data(200)
}

async fn pays(world: &World, founder: &Founder, status: &str, millis: i64) -> Answer {
    let now = world.now().plus(millis);
    let body = json!({"id": format!("evt_{status}_{millis}"), "type": "customer.subscription.updated",
        "created": now.seconds(), "livemode": false, "data": {"object": {"id": "sub_1", "status": status,
        "customer": "cus_1", "metadata": {"tenant_id": founder.tenant},
        "items": {"data": [{"price": {"lookup_key": "edgekeep_starter_monthly"}}]}}}});
    let secret = edgekeep_robustness::variables(&[])["STRIPE_WEBHOOK_SECRET"].clone();
    let signature = sign(&secret, body.to_string().as_bytes(), now);
    let call = Call::post("/webhooks/stripe", &body).header("stripe-signature", &signature);
    world.send(later(call, millis)).await
}

/// How many mails of each stage went to the founder.
async fn told(world: &World, founder: &Founder) -> [usize; 3] {
    let mails = world.mails(&founder.email).await;
    ["ends soon", "ends within a day", "has ended"].map(|words| {
        let of = |mail: &&Value| mail["subject"].as_str().unwrap().contains(words);
        mails.iter().filter(of).count()
    })
}

/// Both tasks of one tick.
async fn tick(world: &World, millis: i64) -> String {
    let ran = task(world, "trials", millis).await.data(200);
    task(world, "outbox", millis).await.data(200);
    text(&ran["ran"][0]["outcome"])
}

/// Rows: H-22 H-24
#[test]
fn each_stage_is_told_once_and_the_end_downgrades() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = on_trial(&world, "f@example.com").await;
        for (millis, mails, plan) in [
            (0, [0, 0, 0], "PROFESSIONAL"),
            (10 * DAY, [0, 0, 0], "PROFESSIONAL"),
            (11 * DAY + 60_000, [1, 0, 0], "PROFESSIONAL"),
            (12 * DAY, [1, 0, 0], "PROFESSIONAL"),
            (13 * DAY + 60_000, [1, 1, 0], "PROFESSIONAL"),
            (13 * DAY + 120_000, [1, 1, 0], "PROFESSIONAL"),
            (14 * DAY, [1, 1, 1], "FREE"),
            (15 * DAY, [1, 1, 1], "FREE"),
            (400 * DAY, [1, 1, 1], "FREE"),
        ] {
            tick(&world, millis).await;
            assert_eq!(told(&world, &founder).await, mails, "{}", millis / DAY);
            assert_eq!(subscription(&world, &founder).await["plan"], plan);
        }
    });
}

/// A scheduler that slept tells only what still holds.
///
/// Rows: H-24
#[test]
fn stages_that_were_slept_through_are_not_told() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = on_trial(&world, "f@example.com").await;
        tick(&world, 20 * DAY).await;
        assert_eq!(told(&world, &founder).await, [0, 0, 1]);
    });
}

/// Rows: H-22 H-24
#[test]
fn a_step_that_fails_anywhere_is_made_once() {
    run(async || {
        for kind in [Fault::Before, Fault::After, Fault::Statement] {
            for call in 1.. {
                let world = World::new(&[]).await;
                let founder = on_trial(&world, "f@example.com").await;
                world.set(kind(call));
                task(&world, "trials", 15 * DAY).await;
                let happened = world.happened();
                world.set(Fault::None);
                let plan = "SELECT COUNT(*) FROM tenants WHERE plan_id = 'FREE' AND trial_stage = 'expired'";
                let events = "SELECT COUNT(*) FROM outbox WHERE topic = 'trial.expired'";
                let both = [number(&world, plan).await, number(&world, events).await];
                assert!(both == [0, 0] || both == [1, 1], "{call}: {both:?}");
                sql(&world, "UPDATE scheduler_tasks SET leased_until = 0", &[]).await;
                tick(&world, 15 * DAY).await;
                let both = [number(&world, plan).await, number(&world, events).await];
                assert_eq!(both, [1, 1], "{call}");
                assert_eq!(told(&world, &founder).await, [0, 0, 1]);
                if !happened {
                    break;
                }
            }
        }
    });
}

/// Rows: H-22
#[test]
fn a_thousand_expired_trials_are_ended_in_bounded_ticks() {
    run(async || {
        let world = World::new(&[]).await;
        sql(
            &world,
            "INSERT INTO tenants (id, name, plan_id, created_at, updated_at, trial_plan,
                trial_started_at, trial_ends_at, trial_stage)
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
            SELECT 'ten_' || i, 't', 'PROFESSIONAL', 1, 1, 'PROFESSIONAL', 1, 2 + i,
                CASE i % 3 WHEN 0 THEN 'started' WHEN 1 THEN 'ending' ELSE 'last_day' END FROM n",
            &[],
        )
        .await;
        let mut ticks = 0;
        loop {
            world.ran();
            let outcome = text(&task(&world, "trials", 0).await.data(200)["ran"][0]["outcome"]);
            let (calls, _) = world.ran();
            assert!(calls <= 45, "{calls}");
            if outcome == "0 reminded, 0 ended" {
                break;
            }
            ticks += 1;
            assert!(ticks < 10, "{outcome}");
        }
        assert!(ticks > 1, "one tick did it all");
        let done =
            "SELECT COUNT(*) FROM tenants WHERE plan_id = 'FREE' AND trial_stage = 'expired'";
        assert_eq!(number(&world, done).await, 1000);
        let events = "SELECT COUNT(DISTINCT tenant_id) FROM outbox WHERE topic = 'trial.expired'";
        assert_eq!(number(&world, events).await, 1000);
        assert_eq!(number(&world, "SELECT COUNT(*) FROM outbox").await, 1000);
        let epochs = "SELECT COUNT(*) FROM tenants WHERE epoch = 2";
        assert_eq!(number(&world, epochs).await, 1000);
    });
}

/// Two ticks at once, and a payment between what a tick reads and what it writes.
///
/// Rows: H-22 H-26
#[test]
fn a_payment_in_between_is_not_undone_by_the_end() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = on_trial(&world, "f@example.com").await;
        // The lease of the task, what is due, and then the batch waits.
        let paid = async {
            pays(&world, &founder, "active", 15 * DAY).await.data(200);
        };
        world
            .in_between(3, task(&world, "trials", 15 * DAY), paid)
            .await;
        let shown = subscription(&world, &founder).await;
        assert_eq!(shown["plan"], "STARTER", "{shown}");
        tick(&world, 15 * DAY).await;
        let shown = subscription(&world, &founder).await;
        assert_eq!(
            (&shown["plan"], &shown["trial"]["state"]),
            (&json!("STARTER"), &json!("converted"))
        );
        assert_eq!(told(&world, &founder).await, [0, 0, 0]);
    });
}

/// Rows: H-26
#[test]
fn a_subscription_beats_the_trial_and_the_trial_outlives_it() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = on_trial(&world, "f@example.com").await;
        let plan = async || subscription(&world, &founder).await["plan"].clone();
        assert_eq!(plan().await, "PROFESSIONAL");
        pays(&world, &founder, "active", DAY).await.data(200);
        assert_eq!(plan().await, "STARTER");
        pays(&world, &founder, "canceled", 2 * DAY).await.data(200);
        assert_eq!(plan().await, "PROFESSIONAL");
        // Whoever pays is not reminded; whoever stopped is again.
        pays(&world, &founder, "active", 3 * DAY).await.data(200);
        tick(&world, 12 * DAY).await;
        assert_eq!(told(&world, &founder).await, [0, 0, 0]);
        pays(&world, &founder, "canceled", 13 * DAY).await.data(200);
        tick(&world, 14 * DAY).await;
        assert_eq!(told(&world, &founder).await, [0, 0, 1]);
        assert_eq!(plan().await, "FREE");
        // After the end there is no trial to fall back to.
        pays(&world, &founder, "active", 15 * DAY).await.data(200);
        let shown = subscription(&world, &founder).await;
        assert_eq!(
            (&shown["plan"], &shown["trial"]["state"]),
            (&json!("STARTER"), &json!("converted"))
        );
        pays(&world, &founder, "canceled", 16 * DAY).await.data(200);
        assert_eq!(plan().await, "FREE");
    });
}

async fn extend(world: &World, tenant: &str, ends: i64, millis: i64) -> Answer {
    let ends = world.now().plus(ends).rfc3339();
    let path = format!("/api/v1/trials/{tenant}");
    let mut call = Call::post(&path, &json!({"endsAt": ends}));
    call.method = "PUT".to_owned();
    world.send(service(world, "billing", call, millis)).await
}

/// Rows: H-26
#[test]
fn an_extension_moves_the_end_revives_and_is_recorded() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = on_trial(&world, "f@example.com").await;
        tick(&world, 12 * DAY).await;
        let answer = extend(&world, &founder.tenant, 20 * DAY, 13 * DAY).await;
        assert_eq!(answer.data(200)["trial"]["daysLeft"], 7);
        tick(&world, 15 * DAY).await;
        assert_eq!(told(&world, &founder).await, [1, 0, 0]);
        tick(&world, 21 * DAY).await;
        assert_eq!(subscription(&world, &founder).await["plan"], "FREE");
        assert_eq!(told(&world, &founder).await, [1, 0, 1]);
        extend(&world, &founder.tenant, 30 * DAY, 22 * DAY)
            .await
            .data(200);
        assert_eq!(subscription(&world, &founder).await["plan"], "PROFESSIONAL");
        tick(&world, 28 * DAY).await;
        assert_eq!(told(&world, &founder).await, [2, 0, 1]);
        let entries = "SELECT COUNT(*) FROM audit_log WHERE action = 'trial.extend' AND actor = 'service:tests'";
        assert_eq!(number(&world, entries).await, 2);
        let events = "SELECT COUNT(*) FROM outbox WHERE topic = 'trial.extended'";
        assert_eq!(number(&world, events).await, 2);

        // Whoever pays, or never had one, has none to extend.
        pays(&world, &founder, "active", 29 * DAY).await.data(200);
        tick(&world, 31 * DAY).await;
        let refused = extend(&world, &founder.tenant, 40 * DAY, 32 * DAY).await;
        assert_eq!(refused.status(), 409, "{}", refused.json());
        let other = world.founder("o@example.com").await;
        assert_eq!(extend(&world, &other.tenant, DAY, 0).await.status(), 409);
        assert_eq!(number(&world, entries).await, 2);
        for (tenant, ends, status) in [
            ("ten_00000000000000000000000000", DAY, 404),
            ("nothing", DAY, 404),
            (&founder.tenant, -1, 400),
            (&founder.tenant, 366 * DAY, 400),
        ] {
            assert_eq!(
                extend(&world, tenant, ends, 0).await.status(),
                status,
                "{tenant}"
            );
        }
    });
}

/// Rows: H-25
#[test]
fn the_statistics_are_those_of_the_rows() {
    run(async || {
        let world = World::new(&[]).await;
        let stats = async || {
            let call = Call::new("GET", "/api/v1/trials/stats");
            world
                .send(service(&world, "billing", call, 0))
                .await
                .data(200)
        };
        assert_eq!(stats().await["conversionPercent"], Value::Null);
        let midnight = world.now().0 - world.now().0.rem_euclid(DAY);
        for (id, stage, ends) in [
            ("ten_a", "started", midnight + 10 * DAY),
            ("ten_b", "ending", midnight + 3 * DAY - 1),
            ("ten_c", "last_day", midnight + 2 * DAY - 1),
            ("ten_d", "last_day", midnight + DAY),
            ("ten_e", "last_day", midnight + DAY - 1),
            // Over, and the task has not seen it yet.
            ("ten_f", "last_day", world.now().0 - 1),
            ("ten_g", "expired", 5),
            ("ten_h", "converted", 5),
            ("ten_i", "started", midnight + 5 * DAY),
            ("ten_gone", "started", midnight + 5 * DAY),
        ] {
            sql(
                &world,
                "INSERT INTO tenants (id, name, plan_id, created_at, updated_at, trial_plan,
                    trial_started_at, trial_ends_at, trial_stage)
                VALUES (?1, 't', 'PROFESSIONAL', 1, 1, 'PROFESSIONAL', 1, CAST(?3 AS INTEGER), ?2)",
                &[id, stage, &ends.to_string()],
            )
            .await;
        }
        sql(
            &world,
            "INSERT INTO subscriptions (id, tenant_id, plan_id, status, version_at, created_at, updated_at)
            VALUES ('sub_i', 'ten_i', 'STARTER', 'active', 1, 1, 1)",
            &[],
        )
        .await;
        sql(
            &world,
            "UPDATE tenants SET deleted_at = 1 WHERE id = 'ten_gone'",
            &[],
        )
        .await;
        for (labels, value) in [
            ("trial_ending sent", "4"),
            ("trial_expired sent", "3"),
            ("trial_expired given_up", "2"),
            ("trial_expired failed", "9"),
            ("verify_email sent", "100"),
        ] {
            sql(
                &world,
                "INSERT INTO metrics (name, labels, value) VALUES ('emails_total', ?1, CAST(?2 AS INTEGER))",
                &[labels, value],
            )
            .await;
        }
        assert_eq!(
            stats().await,
            json!({"active": 5, "expiringToday": 1, "expiringTomorrow": 2, "expired": 2, "converted": 2,
                "conversionPercent": 50, "emailsSent": 7, "emailsFailed": 2})
        );
        let founder = world.founder("f@example.com").await;
        let call = Call::new("GET", "/api/v1/trials/stats").bearer(&founder.access);
        assert_eq!(world.send(call).await.status(), 401);
    });
}

/// Rows: H-21
#[test]
fn the_length_and_the_plan_of_trials_are_configured() {
    run(async || {
        for (days, plan, has) in [
            ("0", "PROFESSIONAL", Value::Null),
            ("30", "STARTER", json!([30, "STARTER"])),
            ("14", "NO_SUCH_PLAN", Value::Null),
        ] {
            let world = World::new(&[("TRIAL_DAYS", days), ("TRIAL_PLAN", plan)]).await;
            let founder = on_trial(&world, "f@example.com").await;
            let shown = subscription(&world, &founder).await;
            let events = "SELECT COUNT(*) FROM outbox WHERE topic = 'trial.started'";
            let events = number(&world, events).await;
            if has.is_null() {
                assert_eq!(
                    (&shown["plan"], &shown["trial"], events),
                    (&json!("FREE"), &Value::Null, 0)
                );
            } else {
                assert_eq!(json!([shown["trial"]["daysLeft"], shown["plan"]]), has);
                assert_eq!(events, 1);
            }
        }
    });
}

/// Whoever never confirms the address goes with the trial and its events.
#[test]
fn an_account_that_nobody_confirmed_goes_with_its_trial() {
    run(async || {
        let world = World::new(&[]).await;
        let body = json!({"email": "u@example.com", "password": PASSWORD});
        let call = Call::post("/api/v1/auth/register", &body);
        world.send(call).await.data(201);
        assert_eq!(number(&world, "SELECT COUNT(*) FROM outbox").await, 1);
        task(&world, "cleanup", 9 * DAY).await.data(200);
        for table in [
            "SELECT COUNT(*) FROM tenants",
            "SELECT COUNT(*) FROM outbox",
        ] {
            assert_eq!(number(&world, table).await, 0, "{table}");
        }
    });
}
