//! What is denied leaves nothing behind: every table is as it was before.

use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Founder, World, run, text};
use serde_json::{Value, json};

/// A statement of a test; there are few of them, so they may stay.
fn query(name: &str, text: &str) -> &'static SystemQuery {
    let leaked = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    Box::leak(Box::new(SystemQuery::new(leaked(name), leaked(text))))
}

/// Every row of every table.
async fn dump(world: &World) -> Vec<String> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'";
    let mut all = Vec::new();
    for table in world.sql(query("test.tables", tables), &[]).await {
        let table = table.text(0).expect("a name").to_owned();
        let rows = query("test.rows", &format!("SELECT * FROM {table}"));
        let rows = world.sql(rows, &[]).await;
        all.extend(rows.iter().map(|row| format!("{table} {row:?}")));
    }
    all.sort();
    all
}

/// A colleague with that role.
async fn member(world: &World, host: &Founder, email: &str, role: &str) -> Founder {
    let guest = world.founder(email).await;
    let body = json!({"email": email, "role": role});
    let invite = Call::post("/api/v1/organizations/invitations", &body).bearer(&host.access);
    world.send(invite).await.data(201);
    let link = text(&world.mails(email).await[0]["link"]);
    let token = link.split("token=").nth(1).expect("a token");
    let accept = Call::post("/api/v1/invitations/accept", &json!({"token": token}));
    world.send(accept.bearer(&guest.access)).await.data(200);
    let switch = Call::post("/api/v1/auth/switch", &json!({"tenant_id": host.tenant}));
    let tokens = world.send(switch.bearer(&guest.access)).await.data(200);
    Founder {
        access: text(&tokens["access_token"]),
        tenant: host.tenant.clone(),
        ..guest
    }
}

async fn scoped_key(world: &World, host: &Founder, scope: &str) -> String {
    let body = json!({"name": scope, "scopes": [scope]});
    let call = Call::post("/api/v1/api-keys", &body).bearer(&host.access);
    text(&world.send(call).await.data(201)["key"])
}

fn patch(path: &str, body: &Value) -> Call {
    let mut call = Call::post(path, body);
    call.method = "PATCH".to_owned();
    call
}

async fn user(world: &World, who: &Founder) -> String {
    let me = Call::new("GET", "/api/v1/auth/me").bearer(&who.access);
    text(&world.send(me).await.data(200)["id"])
}

/// Rows: B-05
#[test]
fn what_is_denied_leaves_every_table_as_it_was() {
    run(async || {
        let world = World::new(&[]).await;
        let host = world.founder("host@example.com").await;
        let admin = member(&world, &host, "admin@example.com", "admin").await;
        let agent = member(&world, &host, "agent@example.com", "agent").await;
        let reader = scoped_key(&world, &host, "usage:read").await;
        let host_id = user(&world, &host).await;
        let job = Call::post("/api/v1/jobs", &json!({"type": "usage.export"}));
        let job = job.header("idempotency-key", "job").bearer(&host.access);
        let job = text(&world.send(job).await.data(202)["id"]);

        let event = json!([{"id": "1", "meter": "calls", "quantity": 1}]);
        let invite = |role: &str| {
            let body = json!({"email": "new@example.com", "role": role});
            Call::post("/api/v1/organizations/invitations", &body)
        };
        let role = json!({"name": "x", "base": "client", "permissions": []});
        let founder = format!("/api/v1/organizations/members/{host_id}");
        // By the role, by a scope, by a rule about the one resource, by the plan.
        let denied = [
            (
                403,
                &agent.access,
                Call::post("/api/v1/api-keys", &json!({"name": "x"})),
            ),
            (403, &agent.access, invite("client")),
            (403, &reader, Call::post("/api/v1/usage/events", &event)),
            (403, &admin.access, invite("admin")),
            (
                403,
                &admin.access,
                patch(&founder, &json!({"role": "client"})),
            ),
            (403, &admin.access, Call::new("DELETE", &founder)),
            (
                403,
                &agent.access,
                Call::new("GET", &format!("/api/v1/jobs/{job}/result")),
            ),
            (
                402,
                &host.access,
                Call::post("/api/v1/organizations/roles", &role),
            ),
        ];
        let before = dump(&world).await;
        assert!(before.len() > 20);
        for (status, bearer, call) in denied {
            let told = format!("{} {}", call.method, call.path);
            let call = call.header("idempotency-key", "denied").bearer(bearer);
            let answer: Answer = world.send(call).await;
            assert_eq!(answer.status(), status, "{told}: {}", answer.json());
            assert_eq!(dump(&world).await, before, "{told}");
        }
        // The key was not taken either: the same one serves who may.
        let body = json!({"name": "x"});
        let made = Call::post("/api/v1/api-keys", &body).header("idempotency-key", "denied");
        world.send(made.bearer(&host.access)).await.data(201);
        assert_ne!(dump(&world).await, before);
    });
}
