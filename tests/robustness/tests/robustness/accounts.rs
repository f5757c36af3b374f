//! Accounts: limits by source, and mails that go out at once.

use edgekeep_core::port::OutboundError;
use edgekeep_core::sql::{Row, SystemQuery};
use edgekeep_robustness::{Answer, Call, Fault, PASSWORD, World, run, text};
use serde_json::json;

const WRONG: &str = "not the password";

async fn login_from(world: &World, client: &str, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    let call = Call::post("/api/v1/auth/login", &body).header("x-test-client", client);
    world.send(call).await
}

async fn sql(world: &World, text: &'static str) -> Vec<Row> {
    world
        .sql(Box::leak(Box::new(SystemQuery::new("test.sql", text))), &[])
        .await
}

async fn count(world: &World, text: &'static str) -> i64 {
    sql(world, text).await[0].int(0).unwrap()
}

/// Rows: A-29
#[test]
fn a_stranger_locks_an_account_for_their_own_network_alone() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        for (host, status) in [(1, 401), (2, 401), (3, 429), (4, 429)] {
            let client = format!("2001:db8:1:1::{host}");
            let answer = login_from(&world, &client, &founder.email, WRONG).await;
            assert_eq!(answer.status(), status);
        }
        // One subscriber has a whole /64; the next one is somebody else, as is the owner.
        for client in ["2001:db8:1:2::1", "192.0.2.1"] {
            let answer = login_from(&world, client, &founder.email, PASSWORD).await;
            answer.data(200);
        }
        let answer = login_from(&world, "2001:db8:1:1::9", &founder.email, PASSWORD).await;
        assert_eq!(answer.json()["error"]["code"], "ACCOUNT_LOCKED");
    });
}

/// Rows: A-29
#[test]
fn guesses_from_many_places_lock_the_account_after_a_hundred() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        sql(&world, "UPDATE exact_limits SET hits = 0 WHERE hits < 0").await;
        for place in 0..50 {
            let client = format!("198.51.100.{place}");
            for _ in 0..2 {
                let answer = login_from(&world, &client, &founder.email, WRONG).await;
                assert_eq!(answer.status(), 401);
            }
        }
        let answer = login_from(&world, "192.0.2.1", &founder.email, PASSWORD).await;
        assert_eq!(answer.json()["error"]["code"], "ACCOUNT_LOCKED");
    });
}

#[test]
fn a_source_that_is_refused_locks_nobody() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        // Every counter of this source is at its limit.
        login_from(&world, "203.0.113.9", "x@example.com", WRONG).await;
        sql(&world, "UPDATE exact_limits SET hits = 100 WHERE hits = 1").await;
        sql(&world, "DELETE FROM failed_auth_attempts").await;
        for _ in 0..5 {
            let answer = login_from(&world, "203.0.113.9", &founder.email, WRONG).await;
            assert_eq!(answer.json()["error"]["code"], "RATE_LIMITED");
        }
        assert_eq!(
            count(&world, "SELECT COUNT(*) FROM failed_auth_attempts").await,
            0
        );
    });
}

#[test]
fn a_refused_registration_leaves_nothing_behind() {
    run(async || {
        let world = World::new(&[]).await;
        world.register("a@example.com").await.data(201);
        sql(&world, "UPDATE exact_limits SET hits = 300").await;
        let all = "SELECT (SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM tenants)
            + (SELECT COUNT(*) FROM mails) + (SELECT COUNT(*) FROM audit_log)
            + (SELECT COUNT(*) FROM exact_limits) AS n";
        let before = count(&world, all).await;
        let refused = world.register("b@example.com").await;
        assert_eq!(refused.status(), 429);
        assert!(refused.0.header("retry-after").is_some());
        assert_eq!(count(&world, all).await, before);
    });
}

const RESEND: &[(&str, &str)] = &[("EMAIL_PROVIDER", "resend"), ("RESEND_API_KEY", "re_1")];

/// Lets what was deferred run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn tick(world: &World) -> String {
    let app = edgekeep_core::port::Platform::app(world);
    let now = edgekeep_core::port::Platform::now(world);
    let keys = &app.ready().unwrap().keys;
    let token = edgekeep_core::auth::token::issue_service(keys, "test", "scheduler", now).unwrap();
    let call = Call::new("POST", "/api/v1/scheduler/tick?task=mail").bearer(&token);
    let ran = world.send(call).await.data(200);
    edgekeep_robustness::text(&ran["ran"][0]["outcome"])
}

/// The other tests' worlds have the development mailbox: it is the configuration that chooses.
///
/// Rows: U-01 U-03
#[test]
fn a_mail_goes_out_at_once_and_once() {
    run(async || {
        let world = World::new(RESEND).await;
        world.outside(Ok((200, "{}")));
        world.register("r@example.com").await.data(201);
        settle().await;
        let sent = world.sent_outside();
        assert_eq!(sent.len(), 1);
        let body = String::from_utf8(sent[0].body.clone()).unwrap();
        assert!(
            body.contains("r@example.com") && body.contains("<a href="),
            "{body}"
        );
        assert_eq!(tick(&world).await, "0 mails");
        assert!(world.sent_outside().is_empty());
    });
}

/// Rows: U-03
#[test]
fn a_mail_that_the_provider_refused_is_sent_by_the_tick_later() {
    run(async || {
        let world = World::new(RESEND).await;
        world.outside(Err(OutboundError::Timeout));
        world.register("r@example.com").await.data(201);
        settle().await;
        let first = world.sent_outside();
        assert_eq!(first.len(), 1);
        assert_eq!(tick(&world).await, "0 mails");
        world.outside(Ok((200, "{}")));
        sql(&world, "UPDATE mails SET leased_until = 0").await;
        assert_eq!(tick(&world).await, "1 mails");
        let again = world.sent_outside();
        let key = |index: usize| again[0].headers[index].clone();
        assert_eq!((again.len(), key(2)), (1, first[0].headers[2].clone()));
        assert_eq!(key(2).0, "idempotency-key");
    });
}

#[test]
fn a_tick_sends_more_than_one_round() {
    run(async || {
        let world = World::new(RESEND).await;
        sql(&world, "INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until)
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 205)
                SELECT 'mai_' || i, 'r@example.com', 'account_exists', 'usr', 'n', i, i FROM n")
            .await;
        world.outside(Ok((200, "{}")));
        assert_eq!(tick(&world).await, "200 mails");
        assert_eq!(tick(&world).await, "5 mails");
    });
}

/// A failing database costs the shortcut, not the mail.
#[test]
fn a_mail_survives_a_fault_of_its_shortcut() {
    run(async || {
        let world = World::new(RESEND).await;
        world.outside(Ok((200, "{}")));
        // Registration makes two calls; the third is the lease of its mail.
        world.set(Fault::Before(3));
        world.register("r@example.com").await.data(201);
        settle().await;
        assert!(world.sent_outside().is_empty() && world.happened());
        assert_eq!(tick(&world).await, "1 mails");
    });
}

async fn close(world: &World, access: &str) -> Answer {
    let mut call = Call::post("/api/v1/auth/me", &json!({"password": PASSWORD})).bearer(access);
    "DELETE".clone_into(&mut call.method);
    world.send(call).await
}

#[test]
fn the_last_founder_of_others_may_not_leave() {
    run(async || {
        let world = World::new(&[]).await;
        let (first, second) = (
            world.founder("a@example.com").await,
            world.founder("b@example.com").await,
        );
        // The second becomes an agent of the first one's tenant, then a founder.
        sql(
            &world,
            "INSERT INTO memberships (tenant_id, user_id, role, created_at)
            SELECT m.tenant_id, b.id, 'agent', 0 FROM users a, users b, memberships m
            WHERE a.email = 'a@example.com' AND b.email = 'b@example.com' AND m.user_id = a.id",
        )
        .await;
        let refused = close(&world, &first.access).await;
        assert_eq!(
            (refused.status(), text(&refused.json()["error"]["code"])),
            (409, "STATE_CONFLICT".to_owned())
        );
        world.login(&first.email).await.data(200);
        sql(&world, "UPDATE memberships SET role = 'founder'").await;
        close(&world, &first.access).await.data(200);
        let left = "SELECT (SELECT COUNT(*) FROM memberships) * 10
            + (SELECT COUNT(*) FROM tenants WHERE deleted_at IS NOT NULL) AS n";
        assert_eq!(count(&world, left).await, 20);
        let personal = "SELECT COUNT(*) FROM users WHERE email = 'a@example.com'";
        assert_eq!(count(&world, personal).await, 0);
        let told = "SELECT COUNT(*) FROM audit_log WHERE action = 'auth.account_closed'";
        assert_eq!(count(&world, told).await, 1);
        // Nobody else is left in either tenant.
        close(&world, &second.access).await.data(200);
        assert_eq!(count(&world, left).await, 2);
    });
}
