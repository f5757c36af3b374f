//! API keys outlive nothing that they rest on, and the audit log tells what happened, no more.

use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Founder, World, run, text};
use serde_json::{Value, json};

static DISABLE_USERS: SystemQuery =
    SystemQuery::new("test.disable", "UPDATE users SET disabled_at = 1");
static DELETE_TENANTS: SystemQuery =
    SystemQuery::new("test.delete", "UPDATE tenants SET deleted_at = 1");
static DEMOTE: SystemQuery =
    SystemQuery::new("test.demote", "UPDATE memberships SET role = 'client'");
static EXPEL: SystemQuery = SystemQuery::new("test.expel", "DELETE FROM memberships");
static EVENTS: SystemQuery = SystemQuery::new("test.events", "SELECT COUNT(*) FROM usage_events");
static MONTHS: SystemQuery = SystemQuery::new(
    "test.months",
    "SELECT COALESCE(SUM(events), 0) FROM usage_months",
);
static RECORDED: SystemQuery = SystemQuery::new(
    "test.recorded",
    "SELECT action FROM audit_log WHERE action LIKE 'api_key.%' ORDER BY id",
);
static CLAIMS: SystemQuery =
    SystemQuery::new("test.claims", "SELECT COUNT(*) FROM idempotency_keys");

async fn ingest(world: &World, key: &str, id: &str) -> Answer {
    let call = Call::post("/api/v1/usage/events", &json!({"id": id, "meter": "m"}));
    world.send(call.bearer(key)).await
}

fn code(answer: &Answer) -> (u16, Value) {
    let code = &answer.json()["error"]["code"];
    (answer.status(), code.clone())
}

async fn count(world: &World, query: &'static SystemQuery) -> i64 {
    world.sql(query, &[]).await[0].int(0).unwrap()
}

async fn ready() -> (World, Founder, String) {
    let world = World::new(&[]).await;
    let founder = world.founder("f@example.com").await;
    let key = world.api_key(&founder).await;
    ingest(&world, &key, "before").await.data(200);
    (world, founder, key)
}

/// Rows: C-06
#[test]
fn a_key_ends_with_its_owner_its_tenant_and_their_tie() {
    run(async || {
        for end in [&DISABLE_USERS, &DELETE_TENANTS, &EXPEL] {
            let (world, founder, key) = ready().await;
            world.sql(end, &[]).await;
            let name = end.query().name;
            let refused = (401, json!("API_KEY_INVALID"));
            assert_eq!(
                code(&ingest(&world, &key, "after").await),
                refused,
                "{name}"
            );
            let read = Call::new("GET", "/api/v1/usage/summary").bearer(&key);
            assert_eq!(code(&world.send(read).await), refused, "{name}");
            let stored = (count(&world, &EVENTS).await, count(&world, &MONTHS).await);
            assert_eq!(
                stored,
                (1, 1),
                "{name}: a refused event was stored or counted"
            );

            let ended = (401, json!("SESSION_ENDED"));
            let me = Call::new("GET", "/api/v1/auth/me").bearer(&founder.access);
            assert_eq!(code(&world.send(me).await), ended, "{name}");
            let body = json!({"refresh_token": founder.refresh});
            let refresh = Call::post("/api/v1/auth/refresh", &body);
            assert_eq!(code(&world.send(refresh).await), ended, "{name}");
            let login = code(&world.login(&founder.email).await);
            assert_eq!(login, (401, json!("CREDENTIALS_INVALID")), "{name}");
        }
    });
}

/// Rows: C-06
#[test]
fn a_key_may_not_more_than_its_owners_role() {
    run(async || {
        let (world, _, key) = ready().await;
        world.sql(&DEMOTE, &[]).await;
        let forbidden = (403, json!("FORBIDDEN"));
        assert_eq!(code(&ingest(&world, &key, "after").await), forbidden);
        let stored = (count(&world, &EVENTS).await, count(&world, &MONTHS).await);
        assert_eq!(stored, (1, 1), "a refused event was stored or counted");
        let jobs = Call::post("/api/v1/jobs", &json!({"type": "usage.export"})).bearer(&key);
        assert_eq!(code(&world.send(jobs).await), forbidden);
        // What clients may read, their keys may read.
        let read = Call::new("GET", "/api/v1/usage/summary").bearer(&key);
        world.send(read).await.data(200);
    });
}

async fn recorded(world: &World) -> Vec<String> {
    let rows = world.sql(&RECORDED, &[]).await;
    let mut actions: Vec<_> = rows
        .iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect();
    // What happened in one millisecond has no order.
    actions.sort();
    actions
}

#[test]
fn only_what_happened_is_recorded() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let other = world.founder("o@example.com").await;
        let create = |who: &Founder, key: &str| {
            let call = Call::post("/api/v1/api-keys", &json!({"name": "k"}));
            call.bearer(&who.access).header("idempotency-key", key)
        };
        let made = world.send(create(&founder, "k1")).await.data(201);
        let id = text(&made["id"]);
        let remove = |who: &Founder, id: &str| {
            Call::new("DELETE", &format!("/api/v1/api-keys/{id}")).bearer(&who.access)
        };
        let long = "x".repeat(60_000);
        for foreign in [id.as_str(), long.as_str(), "key_0000000000000000"] {
            let answer = world.send(remove(&other, foreign)).await;
            assert_eq!(code(&answer), (404, json!("NOT_FOUND")));
        }
        assert_eq!(recorded(&world).await, ["api_key.create"]);
        for _ in 0..2 {
            world.send(remove(&founder, &id)).await.data(200);
        }
        assert_eq!(recorded(&world).await, ["api_key.create", "api_key.revoke"]);

        for number in 0..5 {
            let key = format!("more-{number}");
            world.send(create(&founder, &key)).await.data(201);
        }
        let (told, claims) = (recorded(&world).await.len(), count(&world, &CLAIMS).await);
        let full = world.send(create(&founder, "one too many")).await;
        assert_eq!(code(&full), (400, json!("IDEMPOTENCY_KEY_INVALID")));
        let full = world.send(create(&founder, "one-too-many")).await;
        assert_eq!(code(&full), (429, json!("QUOTA_EXCEEDED")));
        let after = (recorded(&world).await.len(), count(&world, &CLAIMS).await);
        assert_eq!(
            after,
            (told, claims),
            "a refused creation left something behind"
        );
    });
}
