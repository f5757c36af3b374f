//! Projects and agents while the database fails, and what refusals leave behind.

use edgekeep_core::port::Platform as _;
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Founder, World, run, text};
use serde_json::{Value, json};

use super::faults::survive;

/// Path, and how many the plan FREE allows.
const KINDS: [(&str, usize); 2] = [("/api/v1/projects", 3), ("/api/v1/agents", 2)];
const TEMP: &str = "temp_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071";

static TABLES: SystemQuery = SystemQuery::new(
    "test.tables",
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
);
static DEMOTE: SystemQuery =
    SystemQuery::new("test.demote", "UPDATE memberships SET role = 'agent'");
static GIVE_AWAY: SystemQuery = SystemQuery::new(
    "test.give_away",
    "UPDATE projects SET created_by = (SELECT id FROM users WHERE email = 'o@example.com')",
);

static PURGE: [SystemQuery; 2] = [
    SystemQuery::new(
        "test.purge_projects",
        "DELETE FROM projects WHERE created_at < 1001",
    ),
    SystemQuery::new(
        "test.purge_agents",
        "DELETE FROM agents WHERE created_at < 1001",
    ),
];
static DELETED_PROJECTS: SystemQuery = SystemQuery::new(
    "test.deleted_projects",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
     INSERT INTO projects SELECT 'prj_' || i, m.tenant_id, m.user_id, 'x', NULL, '{}', 2, i, i,
         CAST(?1 AS INTEGER) FROM n, memberships m",
);
static DELETED_AGENTS: SystemQuery = SystemQuery::new(
    "test.deleted_agents",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
     INSERT INTO agents SELECT 'agt_' || i, m.tenant_id, m.user_id, NULL, 'x', NULL, NULL, '{}', '{}',
         2, i, i, CAST(?1 AS INTEGER) FROM n, memberships m",
);

async fn send(world: &World, who: &Founder, call: Call) -> Answer {
    world.send(call.bearer(&who.access)).await
}

async fn list(world: &World, who: &Founder, path: &str) -> Vec<Value> {
    let listed = send(world, who, Call::new("GET", path)).await.data(200);
    listed.as_array().unwrap().clone()
}

/// A founder with one thing, and its path.
async fn made(world: &World, path: &str) -> (Founder, String) {
    let founder = world.founder("f@example.com").await;
    let call = Call::post(path, &json!({"name": "x"}));
    let made = send(world, &founder, call).await.data(201);
    let at = format!("{path}/{}", text(&made["id"]));
    (founder, at)
}

fn patch(path: &str, body: &Value) -> Call {
    let mut call = Call::post(path, body);
    call.method = "PATCH".to_owned();
    call
}

#[test]
fn a_creation_with_a_key_happens_once() {
    run(async || {
        for (path, _) in KINDS {
            survive(
                async |world| world.founder("f@example.com").await,
                async |world, founder, _| {
                    let call = Call::post(path, &json!({"name": "x"}));
                    send(world, founder, call.header("idempotency-key", "k")).await
                },
                async |world, founder, again| {
                    let made = again.data(201);
                    let listed = list(world, founder, path).await;
                    assert_eq!(listed, [made]);
                },
            )
            .await;
        }
    });
}

/// Rows: AA-02
#[test]
fn a_creation_with_a_temporary_id_happens_once() {
    run(async || {
        for (path, _) in KINDS {
            survive(
                async |world| world.founder("f@example.com").await,
                async |world, founder, _| {
                    let body = json!({"name": "x", "client_temp_id": TEMP});
                    send(world, founder, Call::post(path, &body)).await
                },
                async |world, founder, again| {
                    assert!(matches!(again.status(), 200 | 201), "{again:?}");
                    let listed = list(world, founder, path).await;
                    assert_eq!(listed.len(), 1);
                    assert_eq!(again.json()["data"]["id"], listed[0]["id"]);
                },
            )
            .await;
        }
    });
}

#[test]
fn a_refused_creation_stays_refused() {
    run(async || {
        for (path, most) in KINDS {
            survive(
                async |world| {
                    let founder = world.founder("f@example.com").await;
                    for _ in 0..most {
                        let call = Call::post(path, &json!({"name": "x"}));
                        send(world, &founder, call).await.data(201);
                    }
                    founder
                },
                async |world, founder, _| {
                    let call = Call::post(path, &json!({"name": "x"}));
                    send(world, founder, call.header("idempotency-key", "k")).await
                },
                async |world, founder, again| {
                    assert_eq!(again.json()["error"]["code"], "QUOTA_EXCEEDED");
                    assert_eq!(list(world, founder, path).await.len(), most);
                },
            )
            .await;
        }
    });
}

/// Rows: F-20
#[test]
fn a_change_happens_once() {
    run(async || {
        for (path, _) in KINDS {
            survive(
                async |world| made(world, path).await,
                async |world, (founder, at), _| {
                    let change = json!({"name": "y", "version": 1});
                    send(world, founder, patch(at, &change)).await
                },
                async |world, (founder, at), again| {
                    // What was done and not heard of has another version now.
                    if again.status() == 409 {
                        assert_eq!(again.json()["error"]["expected"], 2);
                    } else {
                        again.data(200);
                    }
                    let now = send(world, founder, Call::new("GET", at)).await.data(200);
                    assert_eq!((&now["name"], &now["version"]), (&json!("y"), &json!(2)));
                },
            )
            .await;
        }
    });
}

/// Rows: M-11
#[test]
fn deletion_and_restoration_happen_once() {
    run(async || {
        for (path, _) in KINDS {
            survive(
                async |world| made(world, path).await,
                async |world, (founder, at), _| send(world, founder, Call::new("DELETE", at)).await,
                async |world, (founder, at), again| {
                    assert!(matches!(again.status(), 200 | 404), "{again:?}");
                    let all = list(world, founder, &format!("{path}?include_deleted=true")).await;
                    assert_eq!(all[0]["version"], 2);
                    assert!(all[0]["deletedAt"].is_string(), "{at}");
                },
            )
            .await;
            survive(
                async |world| {
                    let (founder, at) = made(world, path).await;
                    send(world, &founder, Call::new("DELETE", &at))
                        .await
                        .data(200);
                    (founder, at)
                },
                async |world, (founder, at), _| {
                    let call = Call::new("POST", &format!("{at}/restore"));
                    send(world, founder, call).await
                },
                async |_, _, again| {
                    assert_eq!(again.data(200)["version"], 3);
                },
            )
            .await;
        }
    });
}

/// Every row of every table, but for those that judge and count callers.
async fn contents(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for row in world.sql(&TABLES, &[]).await {
        let table = row.text(0).unwrap().to_owned();
        let query = format!("SELECT * FROM {table}").leak();
        let query: &'static SystemQuery =
            Box::leak(Box::new(SystemQuery::new("test.contents", query)));
        for row in world.sql(query, &[]).await {
            all.push(format!("{table} {row:?}"));
        }
    }
    all
}

/// Rows: B-05 A-19
#[test]
fn who_may_not_change_it_leaves_nothing_behind() {
    run(async || {
        let world = World::new(&[]).await;
        world.founder("o@example.com").await;
        let (founder, at) = made(&world, "/api/v1/projects").await;
        world.sql(&GIVE_AWAY, &[]).await;
        world.sql(&DEMOTE, &[]).await;
        let before = contents(&world).await;
        assert!(before.len() > 10, "{before:?}");
        for call in [
            patch(&at, &json!({"name": "y", "version": 1})),
            Call::new("DELETE", &at),
            Call::new("POST", &format!("{at}/restore")),
        ] {
            let call = call.header("idempotency-key", "k");
            let answer = send(&world, &founder, call).await;
            assert_eq!(answer.status(), 403);
            assert_eq!(answer.json()["error"]["permission"], "projects:all");
            assert_eq!(contents(&world).await, before);
        }
    });
}

/// Rows: AA-03
#[test]
fn temporary_ids_are_in_their_own_table_alone() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        for (number, (path, _)) in KINDS.into_iter().enumerate() {
            let temp = TEMP.replace("0f3c", &format!("000{number}"));
            let body = json!({"name": "x", "client_temp_id": temp});
            send(&world, &founder, Call::post(path, &body))
                .await
                .data(201);
        }
        let all = contents(&world).await;
        let holders = all.iter().filter(|row| row.contains("temp_0"));
        let holders: Vec<&String> = holders.collect();
        assert_eq!(holders.len(), 2);
        assert!(
            holders.iter().all(|row| row.starts_with("temp_ids ")),
            "{holders:?}"
        );
    });
}

/// Creating and deleting in turn does not fill the database.
///
/// Rows: AD-14 L-08
#[test]
fn deleted_things_have_a_bound() {
    run(async || {
        for ((path, most), litter) in KINDS.into_iter().zip([&DELETED_PROJECTS, &DELETED_AGENTS]) {
            let world = World::new(&[]).await;
            let (founder, at) = made(&world, path).await;
            world.sql(litter, &[&world.now().0.to_string()]).await;
            let create = async || {
                let call = Call::post(path, &json!({"name": "y"}));
                send(&world, &founder, call).await
            };
            for _ in 1..most {
                create().await.data(201);
            }
            send(&world, &founder, Call::new("DELETE", &at))
                .await
                .data(200);
            let refused = create().await;
            assert_eq!(refused.status(), 429);
            let error = refused.json()["error"].clone();
            assert_eq!(error["code"], "QUOTA_EXCEEDED");
            assert!(text(&error["message"]).contains("deleted"), "{error}");
            // What was deleted comes back all the same, and a month later all is as before.
            let restore = Call::post(&format!("{at}/restore"), &json!({}));
            send(&world, &founder, restore).await.data(200);
            send(&world, &founder, Call::new("DELETE", &at))
                .await
                .data(200);
            world
                .sql(&PURGE[usize::from(path.ends_with("agents"))], &[])
                .await;
            create().await.data(201);
        }
    });
}
