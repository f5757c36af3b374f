//! API keys outlive nothing that they rest on, and the audit log tells what happened, no more.

use edgekeep_core::crypto::fingerprint;
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Fault, Founder, World, run, text};
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
    "SELECT action FROM audit_log WHERE action LIKE 'api_key.%' ORDER BY action",
);
static COLUMNS: SystemQuery = SystemQuery::new(
    "test.columns",
    "SELECT secret_hash, id, tenant_id, user_id, name, scopes, created_at, expires_at,
        last_used_at, revoked_at, uses, environment, networks FROM api_keys",
);
static UNIQUE_HASH: SystemQuery = SystemQuery::new(
    "test.unique",
    "SELECT COUNT(*) FROM pragma_index_list('api_keys') l, pragma_index_info(l.name) i
     WHERE l.\"unique\" = 1 AND i.name = 'secret_hash'",
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

/// Rows: C-13 L-04
#[test]
fn a_colleague_without_the_permission_is_told_so() {
    run(async || {
        let (world, founder, _) = ready().await;
        let keys = Call::new("GET", "/api/v1/api-keys").bearer(&founder.access);
        let id = text(&world.send(keys).await.data(200)[0]["id"]);
        world.sql(&DEMOTE, &[]).await;
        let path = format!("/api/v1/api-keys/{id}");
        for call in [
            Call::new("GET", "/api/v1/api-keys"),
            Call::new("GET", &path),
            Call::new("DELETE", &path),
            Call::new("POST", &format!("{path}/revoke")),
            Call::new("POST", &format!("{path}/reroll")),
            Call::post("/api/v1/api-keys", &json!({"name": "k"})),
        ] {
            let (method, path) = (call.method.clone(), call.path.clone());
            let answer = world.send(call.bearer(&founder.access)).await;
            assert_eq!(code(&answer), (403, json!("FORBIDDEN")), "{method} {path}");
        }
    });
}

/// Rows: C-01 C-07
#[test]
fn the_table_holds_hashes_only() {
    run(async || {
        let (world, _, key) = ready().await;
        let rows = world.sql(&COLUMNS, &[]).await;
        assert_eq!(rows[0].text(0).unwrap(), fingerprint(&key));
        let shown = format!("{rows:?}");
        assert!(!shown.contains(&key[25..57]), "{shown}");
        assert_eq!(count(&world, &UNIQUE_HASH).await, 1);
    });
}

/// Rows: C-10
#[test]
fn nothing_is_stored_from_outside_a_keys_networks() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        // Callers of this world come from 192.0.2.1.
        for (network, stored) in [("203.0.113.0/24", 0), ("192.0.2.0/24", 1)] {
            let body = json!({"name": "k", "allowed_ips": [network]});
            let call = Call::post("/api/v1/api-keys", &body).bearer(&founder.access);
            let key = text(&world.send(call).await.data(201)["key"]);
            let answer = ingest(&world, &key, network).await;
            if stored == 0 {
                assert_eq!(code(&answer), (403, json!("IP_NOT_ALLOWED")));
            } else {
                assert_eq!(answer.data(200)["inserted"], 1);
            }
            let found = (count(&world, &EVENTS).await, count(&world, &MONTHS).await);
            assert_eq!(found, (stored, stored), "{network}");
        }
    });
}

/// Rows: C-08
#[test]
fn a_use_that_cannot_be_counted_fails_nothing() {
    run(async || {
        let (world, founder, key) = ready().await;
        let read = || Call::new("GET", "/api/v1/usage/summary").bearer(&key);
        // One call is the request's own, the next is the count's.
        world.set(Fault::Before(2));
        let late = read().header("x-test-clock-offset-ms", "61000");
        world.send(late).await.data(200);
        for _ in 0..100 {
            tokio::task::yield_now().await;
            if world.happened() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(world.happened(), "nothing was counted");
        // What was not written is written with the next.
        let late = read().header("x-test-clock-offset-ms", "122000");
        world.send(late).await.data(200);
        let mut uses = Value::Null;
        for _ in 0..100 {
            let keys = Call::new("GET", "/api/v1/api-keys").bearer(&founder.access);
            uses = world.send(keys).await.data(200)[0]["uses"].clone();
            if uses == 3 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(uses, 3);
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
        let reroll = |who: &Founder, id: &str| {
            let path = format!("/api/v1/api-keys/{id}/reroll");
            Call::post(&path, &json!({})).bearer(&who.access)
        };
        let revoke = |who: &Founder, id: &str| {
            Call::new("POST", &format!("/api/v1/api-keys/{id}/revoke")).bearer(&who.access)
        };
        for foreign in [id.as_str(), long.as_str(), "key_0000000000000000"] {
            for call in [
                remove(&other, foreign),
                revoke(&other, foreign),
                reroll(&other, foreign),
            ] {
                let answer = world.send(call).await;
                assert_eq!(code(&answer), (404, json!("NOT_FOUND")));
            }
        }
        assert_eq!(recorded(&world).await, ["api_key.create"]);
        for _ in 0..2 {
            world.send(revoke(&founder, &id)).await.data(200);
        }
        assert_eq!(recorded(&world).await, ["api_key.create", "api_key.revoke"]);
        let refused = world.send(reroll(&founder, &id)).await;
        assert_eq!(code(&refused), (409, json!("STATE_CONFLICT")));
        world.send(remove(&founder, &id)).await.data(200);
        let again = world.send(remove(&founder, &id)).await;
        assert_eq!(code(&again), (404, json!("NOT_FOUND")));
        let all = ["api_key.create", "api_key.delete", "api_key.revoke"];
        assert_eq!(recorded(&world).await, all);

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
