//! The audit log's chain: what an operator of the database could do to it is found.

use edgekeep_core::audit::{Head, verify_all};
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Fault, World, run, text};
use serde_json::{Value, json};

static LAX: [SystemQuery; 4] = [
    SystemQuery::new("test.lax_1", "DROP TRIGGER audit_log_no_update"),
    SystemQuery::new("test.lax_2", "DROP TRIGGER audit_log_no_delete"),
    SystemQuery::new("test.lax_3", "DROP TRIGGER audit_seals_no_update"),
    SystemQuery::new("test.lax_4", "DROP TRIGGER audit_seals_no_delete"),
];
static IDS: SystemQuery = SystemQuery::new(
    "test.ids",
    "SELECT audit_id FROM audit_seals ORDER BY position",
);
static COUNTS: SystemQuery = SystemQuery::new(
    "test.counts",
    "SELECT (SELECT COUNT(*) FROM audit_log) AS entries, (SELECT COUNT(*) FROM audit_seals) AS seals,
        (SELECT COUNT(*) FROM audit_pending) AS pending",
);

/// A world with some entries, and all of them sealed.
async fn sealed() -> (World, Vec<String>) {
    let world = World::new(&[]).await;
    for number in 0..3 {
        world.founder(&format!("f{number}@example.com")).await;
    }
    verify_all(&world, None).await.unwrap();
    let rows = world.sql(&IDS, &[]).await;
    let ids: Vec<String> = rows
        .iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 6, "registrations and logins");
    (world, ids)
}

async fn lax(world: &World) {
    for drop in &LAX {
        world.sql(drop, &[]).await;
    }
}

async fn found(world: &World) -> Option<(String, &'static str)> {
    let report = verify_all(world, None).await.unwrap();
    report.bad.map(|bad| (bad.id, bad.fault.name()))
}

async fn counts(world: &World) -> (i64, i64, i64) {
    let rows = world.sql(&COUNTS, &[]).await;
    let count = |index| rows[0].int(index).unwrap();
    (count(0), count(1), count(2))
}

/// Rows: M-17
#[test]
fn the_database_refuses_changes() {
    run(async || {
        static CHANGES: [SystemQuery; 4] = [
            SystemQuery::new("test.u1", "UPDATE audit_log SET actor = 'x'"),
            SystemQuery::new("test.d1", "DELETE FROM audit_log"),
            SystemQuery::new("test.u2", "UPDATE audit_seals SET hash = 'x'"),
            SystemQuery::new("test.d2", "DELETE FROM audit_seals"),
        ];
        let (world, _) = sealed().await;
        let database = edgekeep_core::port::Platform::database(&world).unwrap();
        for change in &CHANGES {
            let refused = edgekeep_core::port::Database::query(database, &change.bind([])).await;
            let why = refused.unwrap_err().to_string();
            assert!(why.contains("append-only"), "{why}");
        }
        assert_eq!(found(&world).await, None);
    });
}

/// Rows: M-18
#[test]
fn every_change_is_found_at_its_first_entry() {
    static EDITS: [SystemQuery; 9] = [
        SystemQuery::new(
            "test.e0",
            "UPDATE audit_log SET tenant_id = NULL WHERE id = ?1",
        ),
        SystemQuery::new(
            "test.e1",
            "UPDATE audit_log SET actor = 'usr_else' WHERE id = ?1",
        ),
        SystemQuery::new(
            "test.e2",
            "UPDATE audit_log SET action = 'auth.other' WHERE id = ?1",
        ),
        SystemQuery::new("test.e3", "UPDATE audit_log SET target = 'x' WHERE id = ?1"),
        SystemQuery::new(
            "test.e4",
            "UPDATE audit_log SET request_id = 'x' WHERE id = ?1",
        ),
        SystemQuery::new(
            "test.e5",
            "UPDATE audit_log SET created_at = created_at + 1 WHERE id = ?1",
        ),
        SystemQuery::new(
            "test.e6",
            "UPDATE audit_log SET network = NULL WHERE id = ?1",
        ),
        SystemQuery::new(
            "test.e7",
            "UPDATE audit_log SET change = '{}' WHERE id = ?1",
        ),
        SystemQuery::new("test.e8", "UPDATE audit_log SET mac = NULL WHERE id = ?1"),
    ];
    static DELETE: SystemQuery =
        SystemQuery::new("test.delete", "DELETE FROM audit_log WHERE id = ?1");
    static UNLINK: SystemQuery =
        SystemQuery::new("test.unlink", "DELETE FROM audit_seals WHERE audit_id = ?1");
    run(async || {
        // The second login: it has a tenant. Nothing before it is blamed, nothing after it.
        for edit in &EDITS {
            let (world, ids) = sealed().await;
            lax(&world).await;
            world.sql(edit, &[&ids[3]]).await;
            let expected = Some((ids[3].clone(), "edited"));
            assert_eq!(found(&world).await, expected, "{}", edit.query().name);
        }

        let (world, ids) = sealed().await;
        lax(&world).await;
        world.sql(&DELETE, &[&ids[2]]).await;
        assert_eq!(found(&world).await, Some((ids[2].clone(), "deleted")));

        // With its link gone too, the next one tells.
        world.sql(&UNLINK, &[&ids[2]]).await;
        assert_eq!(found(&world).await, Some((ids[3].clone(), "link_missing")));
    });
}

/// Rows: M-18
#[test]
fn exchanged_and_remade_links_are_found() {
    static RELEASE: SystemQuery = SystemQuery::new(
        "test.release",
        "UPDATE audit_seals SET audit_id = 'x' WHERE audit_id = ?1",
    );
    static TAKE: SystemQuery = SystemQuery::new(
        "test.take",
        "UPDATE audit_seals SET audit_id = ?1 WHERE audit_id = ?2",
    );
    static FORGE: SystemQuery = SystemQuery::new(
        "test.forge",
        "UPDATE audit_seals SET mac = 'x' WHERE audit_id = ?1",
    );
    run(async || {
        let (world, ids) = sealed().await;
        lax(&world).await;
        world.sql(&RELEASE, &[&ids[1]]).await;
        world.sql(&TAKE, &[&ids[1], &ids[4]]).await;
        world.sql(&TAKE, &[&ids[4], "x"]).await;
        // The entry that stands in the second place now.
        assert_eq!(found(&world).await, Some((ids[4].clone(), "reordered")));

        let (world, ids) = sealed().await;
        lax(&world).await;
        world.sql(&FORGE, &[&ids[4]]).await;
        assert_eq!(found(&world).await, Some((ids[4].clone(), "seal_forged")));
    });
}

/// Rows: M-18
#[test]
fn entries_without_our_key_are_found() {
    static FORGE: SystemQuery = SystemQuery::new(
        "test.forge",
        "INSERT INTO audit_log (id, actor, action, target, request_id, created_at, mac)
        VALUES ('aud_00000000000000000000000000', 'usr_x', 'auth.login', 'x', 'x', 0, ?1)",
    );
    static BARE: SystemQuery = SystemQuery::new(
        "test.bare",
        "INSERT INTO audit_log (id, actor, action, target, request_id, created_at)
        VALUES ('aud_00000000000000000000000000', 'usr_x', 'auth.login', 'x', 'x', 0)",
    );
    let id = "aud_00000000000000000000000000".to_owned();
    run(async || {
        for sealed_first in [false, true] {
            for bare in [false, true] {
                let (world, _) = sealed().await;
                if !sealed_first {
                    // A new entry of ours waits beside the forged one.
                    world.founder("more@example.com").await;
                }
                if bare {
                    world.sql(&BARE, &[]).await;
                } else {
                    world.sql(&FORGE, &["bWFj"]).await;
                }
                assert_eq!(found(&world).await, Some((id.clone(), "entry_forged")));
                assert_eq!(world.logged("audit.forged"), usize::from(!bare));
            }
        }
        // Entries from before the chain are its beginning.
        let world = World::new(&[]).await;
        world.sql(&BARE, &[]).await;
        world.founder("f@example.com").await;
        assert_eq!(found(&world).await, None);
        assert_eq!(counts(&world).await, (3, 3, 0));
    });
}

/// Rows: M-18
#[test]
fn what_never_reached_the_chain_is_found() {
    static FORGET: SystemQuery = SystemQuery::new("test.forget", "DELETE FROM audit_pending");
    static DELETE: SystemQuery = SystemQuery::new("test.delete", "DELETE FROM audit_log");
    static TAIL: SystemQuery =
        SystemQuery::new("test.tail", "DELETE FROM audit_seals WHERE position > 4");
    static ROWS: SystemQuery = SystemQuery::new(
        "test.rows",
        "DELETE FROM audit_log WHERE id NOT IN (SELECT audit_id FROM audit_seals)",
    );
    run(async || {
        let world = World::new(&[]).await;
        world.founder("f@example.com").await;
        world.sql(&FORGET, &[]).await;
        assert_eq!(found(&world).await, None, "it may still wait");
        let verify = |millis: i64| {
            let token = service_token(&world, millis);
            let call = Call::new("GET", "/api/v1/scheduler/audit?after=aud_").bearer(&token);
            world.send(call.header("x-test-clock-offset-ms", &millis.to_string()))
        };
        assert_eq!(verify(60_000).await.data(200)["bad"], Value::Null);
        let later = verify(86_400_000 + 60_000).await.data(200);
        assert_eq!(later["bad"]["fault"], "unsealed", "{later}");

        let world = World::new(&[]).await;
        world.founder("f@example.com").await;
        lax(&world).await;
        world.sql(&DELETE, &[]).await;
        let (_, fault) = found(&world).await.expect("two entries are gone");
        assert_eq!(fault, "deleted");

        // The end of the chain, entries and all, is missed by who remembers it.
        let (world, _) = sealed().await;
        let end: Head = verify_all(&world, None).await.unwrap().head.unwrap();
        assert_eq!(end.position, 6);
        let told = world.lines_of("audit.sealed");
        assert_eq!(told.last().unwrap()["hash"], end.hash);
        world.founder("more@example.com").await;
        assert_eq!(verify_all(&world, Some(&end)).await.unwrap().bad, None);
        lax(&world).await;
        world.sql(&TAIL, &[]).await;
        world.sql(&ROWS, &[]).await;
        assert_eq!(found(&world).await, None);
        let bad = verify_all(&world, Some(&end)).await.unwrap().bad.unwrap();
        assert_eq!(bad.fault.name(), "not_as_expected");
    });
}

fn service_token(world: &World, later: i64) -> String {
    use edgekeep_core::port::Platform as _;
    let ready = world.app().ready().unwrap();
    let now = world.now().plus(later);
    edgekeep_core::auth::token::issue_service(&ready.keys, "test", "scheduler", now).unwrap()
}

async fn tick(world: &World) -> Answer {
    let call = Call::new("POST", "/api/v1/scheduler/tick?task=audit");
    let call = call.header("content-type", "application/json");
    // Later than any lease that a lost run has left.
    let later = 600_000;
    let call = call.header("x-test-clock-offset-ms", &later.to_string());
    world.send(call.bearer(&service_token(world, later))).await
}

/// Rows: M-20
#[test]
fn a_sealer_that_is_lost_at_any_call_leaves_one_chain() {
    run(async || {
        for kind in [Fault::Before, Fault::After] {
            for call in 1.. {
                let world = World::new(&[]).await;
                for number in 0..3 {
                    world
                        .register(&format!("f{number}@example.com"))
                        .await
                        .data(201);
                }
                world.set(kind(call));
                let _ = verify_all(&world, None).await;
                let reached = world.happened();
                world.set(Fault::None);
                let (entries, seals, pending) = counts(&world).await;
                assert_eq!(
                    (entries, seals + pending),
                    (3, 3),
                    "in the chain or waiting"
                );
                assert!(seals == 0 || seals == 3, "a batch is whole");
                assert_eq!(found(&world).await, None);
                assert_eq!(counts(&world).await, (3, 3, 0));
                if !reached {
                    assert!(call > 4, "read, seal, and two pages");
                    break;
                }
            }
        }
    });
}

/// Rows: M-20
#[test]
fn sealers_beside_each_other_make_one_chain() {
    run(async || {
        let world = World::new(&[]).await;
        for number in 0..20 {
            world
                .register(&format!("f{number}@example.com"))
                .await
                .data(201);
        }
        // Two of the tool and one of the scheduler, all reading before one of them writes.
        let (one, two, three) = tokio::join!(
            verify_all(&world, None),
            verify_all(&world, None),
            tick(&world)
        );
        assert_eq!((one.unwrap().bad, two.unwrap().bad), (None, None));
        three.data(200);
        assert_eq!(counts(&world).await, (20, 20, 0));
        assert_eq!(found(&world).await, None);
    });
}

#[test]
fn a_chain_longer_than_a_page_and_a_batch_is_walked() {
    static MANY: SystemQuery = SystemQuery::new(
        "test.many",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
        INSERT INTO audit_log (id, actor, action, target, request_id, created_at)
        SELECT 'aud_' || substr('00000000000000000000000000' || i, -26), 'usr_x', 'old', 'x', 'x', i FROM n",
    );
    static EDIT: SystemQuery = SystemQuery::new(
        "test.edit",
        "UPDATE audit_log SET actor = 'usr_y' WHERE id = 'aud_00000000000000000000001001'",
    );
    run(async || {
        let world = World::new(&[]).await;
        world.sql(&MANY, &[]).await;
        world.founder("f@example.com").await;
        let report = verify_all(&world, None).await.unwrap();
        assert_eq!((report.bad, report.checked), (None, 2 * 1_202));
        lax(&world).await;
        world.sql(&EDIT, &[]).await;
        let bad = verify_all(&world, None).await.unwrap().bad.unwrap();
        assert_eq!((bad.position, bad.fault.name()), (Some(1_001), "edited"));
    });
}

/// Rows: M-18
#[test]
fn former_secrets_still_verify_and_unknown_ones_do_not() {
    use edgekeep_core::app::App;
    use edgekeep_core::audit::Stored;
    let keys = |changes: &[(&str, &str)]| {
        let variables = edgekeep_robustness::variables(changes);
        App::new(|name| variables.get(name).cloned())
    };
    let entry = |mac| Stored {
        id: "aud_1".to_owned(),
        tenant: None,
        actor: "usr_1".to_owned(),
        action: "a".to_owned(),
        target: "t".to_owned(),
        request: "r".to_owned(),
        created_at: 1,
        network: None,
        change: None,
        mac,
    };
    let first = "a-first-audit-secret-of-32-characters";
    let mac = keys(&[("AUDIT_SECRET", first)])
        .ready()
        .unwrap()
        .audit
        .mac(&entry(None));
    let entry = entry(Some(mac));
    let second = ("AUDIT_SECRET", "a-second-audit-secret-of-32-characters");
    let rolled = keys(&[second, ("AUDIT_OLD_SECRETS", first)]);
    assert!(rolled.ready().unwrap().audit.is_ours(&entry));
    assert!(!keys(&[second]).ready().unwrap().audit.is_ours(&entry));
}

/// Rows: M-19
#[test]
fn an_entry_reaches_the_database_and_the_log() {
    static LOGIN: SystemQuery = SystemQuery::new(
        "test.login",
        "SELECT id, tenant_id, actor, action, target, request_id, network FROM audit_log
        WHERE action = 'auth.login'",
    );
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let row = &world.sql(&LOGIN, &[]).await[0];
        let lines = world.lines_of("audit");
        let line = lines.iter().find(|line| line["action"] == "auth.login");
        let line = line.expect("the login is in the log, at LOG_LEVEL=error too");
        let names = [
            "audit_id",
            "tenant",
            "actor",
            "action",
            "target",
            "request_id",
        ];
        for (column, name) in names.into_iter().enumerate() {
            assert_eq!(line[name], json!(row.text(column).unwrap()), "{name}");
        }
        assert_eq!(row.text(6).unwrap(), "192.0.2.0/24");
        let told = lines.iter().map(Value::to_string).collect::<String>();
        assert!(
            !told.contains("example.com") && !told.contains("192.0.2"),
            "{told}"
        );

        // What a guard refused is in neither; what was lost on the way is in neither.
        let revoke = |id: &str| {
            let call = Call::new("POST", &format!("/api/v1/api-keys/{id}/revoke"));
            call.bearer(&founder.access)
        };
        let call = Call::post("/api/v1/api-keys", &json!({"name": "k"})).bearer(&founder.access);
        let id = text(&world.send(call).await.data(201)["id"]);
        for _ in 0..2 {
            world.send(revoke(&id)).await.data(200);
        }
        let actions = |world: &World| {
            let lines = world.lines_of("audit");
            let actions = lines.iter().map(|line| text(&line["action"]));
            actions
                .filter(|action| action.starts_with("api_key."))
                .collect::<Vec<_>>()
        };
        assert_eq!(actions(&world), ["api_key.create", "api_key.revoke"]);
        world.set(Fault::Before(2));
        let call = Call::post("/api/v1/api-keys", &json!({"name": "k"})).bearer(&founder.access);
        assert!(world.send(call).await.status() >= 500);
        assert_eq!(actions(&world).len(), 2);
    });
}
