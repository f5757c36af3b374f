//! Requests as usage, when instances are many and the database fails.

use edgekeep_core::metrics;
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Call, Fault, World, run};
use serde_json::json;

use crate::metrics::{page, value};

static ROWS: SystemQuery = SystemQuery::new(
    "test.usage_logs",
    "SELECT route, status, COALESCE(error_code, ''), requests, latency_ms, COALESCE(request_id, ''),
        COALESCE(tenant_id, '') || ' ' || COALESCE(actor, ''), response_bytes, started_at
    FROM usage_logs ORDER BY started_at, id",
);

/// What stands in a row.
#[derive(Debug)]
struct Seen {
    route: String,
    status: i64,
    code: String,
    requests: i64,
    latency: i64,
    request: String,
    who: String,
    sent: i64,
    started_at: i64,
}

/// What is written by now.
async fn stored(world: &World) -> Vec<Seen> {
    let rows = world.sql(&ROWS, &[]).await;
    let row = |row: &edgekeep_core::sql::Row| Seen {
        route: row.text(0).unwrap().to_owned(),
        status: row.int(1).unwrap(),
        code: row.text(2).unwrap().to_owned(),
        requests: row.int(3).unwrap(),
        latency: row.int(4).unwrap(),
        request: row.text(5).unwrap().to_owned(),
        who: row.text(6).unwrap().to_owned(),
        sent: row.int(7).unwrap(),
        started_at: row.int(8).unwrap(),
    };
    rows.iter().map(row).collect()
}

/// How many requests of a route the rows stand for.
async fn counted(world: &World, route: &str) -> i64 {
    let rows = stored(world).await;
    let of = rows.iter().filter(|row| row.route == route);
    of.map(|row| row.requests).sum()
}

const JWKS: &str = "/.well-known/jwks.json";
const PLANS: &str = "/api/v1/billing/plans";

async fn get(world: &World, path: &str, times: usize) -> u16 {
    let mut status = 0;
    for _ in 0..times {
        status = world.send(Call::new("GET", path)).await.status();
    }
    status
}

/// Rows: J-04 J-06
#[test]
fn what_all_instances_saw_adds_up_and_costs_one_call_a_flush() {
    run(async || {
        let first = World::new(&[]).await;
        let second = first.with(&[]);
        for _ in 0..10 {
            tokio::join!(get(&first, PLANS, 7), get(&second, PLANS, 5));
            tokio::join!(metrics::write(&first), metrics::write(&second));
        }
        assert_eq!(counted(&first, "billing.plans").await, 120);
        // The clock of the test may pass an hour.
        assert!(stored(&first).await.len() <= 2);
        get(&first, PLANS, 40).await;
        first.ran();
        metrics::write(&first).await;
        assert_eq!(
            first.ran(),
            (1, 2),
            "the requests and the counts, in one batch"
        );
        metrics::write(&first).await;
        assert_eq!(first.ran(), (0, 0));
    });
}

/// Rows: J-05 J-06
#[test]
fn a_database_that_is_down_delays_rows_and_nothing_else() {
    run(async || {
        let world = World::new(&[]).await;
        world.set(Fault::Down);
        assert_eq!(get(&world, JWKS, 3).await, 200);
        assert_eq!(get(&world, PLANS, 2).await, 503);
        for _ in 0..5 {
            metrics::write(&world).await;
            assert_eq!(get(&world, JWKS, 1).await, 200, "whatever the writes do");
        }
        world.set(Fault::None);
        assert!(stored(&world).await.is_empty());
        metrics::write(&world).await;
        assert_eq!(counted(&world, "auth.jwks").await, 8);
        assert_eq!(counted(&world, "billing.plans").await, 2);
        for row in stored(&world).await {
            assert!(row.latency >= row.requests && row.sent > 0, "{row:?}");
            assert_eq!(row.status >= 500, !row.code.is_empty(), "{row:?}");
            assert_eq!(row.started_at % 3_600_000, 0, "{row:?}");
        }
        // Nothing is written twice.
        metrics::write(&world).await;
        assert_eq!(counted(&world, "auth.jwks").await, 8);
    });
}

/// Rows: J-06
#[test]
fn a_batch_that_fails_halfway_is_written_once() {
    run(async || {
        let world = World::new(&[]).await;
        get(&world, PLANS, 4).await;
        world.set(Fault::Statement(1));
        metrics::write(&world).await;
        assert!(world.happened());
        world.set(Fault::None);
        get(&world, PLANS, 1).await;
        metrics::write(&world).await;
        assert_eq!(counted(&world, "billing.plans").await, 5);
        let shown = page(&world).await;
        let series = r#"http_requests_total{route="billing.plans",method="GET",status="200"}"#;
        assert_eq!(value(&shown, series), 5);
    });
}

/// Rows: J-06
#[test]
fn memory_is_bounded_and_what_is_lost_is_counted() {
    run(async || {
        let world = World::new(&[("REQUEST_TRACKING", "rows")]).await;
        world.set(Fault::Down);
        get(&world, JWKS, 700).await;
        metrics::write(&world).await;
        assert_eq!(get(&world, JWKS, 400).await, 200);
        world.set(Fault::None);
        metrics::write(&world).await;
        let rows = stored(&world).await;
        assert_eq!(rows.len(), 1_000);
        let shown = page(&world).await;
        assert_eq!(value(&shown, "usage_logs_dropped_total"), 100);

        // Counts need no room for more of the same.
        let world = World::new(&[]).await;
        world.set(Fault::Down);
        get(&world, JWKS, 1_500).await;
        world.set(Fault::None);
        metrics::write(&world).await;
        assert_eq!(counted(&world, "auth.jwks").await, 1_500);
        let shown = page(&world).await;
        assert_eq!(value(&shown, "usage_logs_dropped_total"), 0);
    });
}

/// Rows: J-04
#[test]
fn each_request_has_a_row_where_that_is_asked_for() {
    run(async || {
        let world = World::new(&[("REQUEST_TRACKING", "rows")]).await;
        for request in ["request-1", "request-2", "request-3"] {
            let call = Call::new("GET", PLANS).header("x-request-id", request);
            world.send(call).await.data(200);
        }
        metrics::write(&world).await;
        let rows = stored(&world).await;
        let mut requests: Vec<_> = rows.iter().map(|row| row.request.as_str()).collect();
        requests.sort_unstable();
        assert_eq!(requests, ["request-1", "request-2", "request-3"]);
        assert!(rows.iter().all(|row| row.requests == 1 && row.latency >= 1));

        let off = World::new(&[("REQUEST_TRACKING", "off")]).await;
        assert_eq!(get(&off, PLANS, 3).await, 200);
        metrics::write(&off).await;
        assert!(stored(&off).await.is_empty());
        assert!(
            value(
                &page(&off).await,
                r#"http_requests_total{route="billing.plans",method="GET",status="200"}"#
            ) == 3
        );
    });
}

/// Rows: J-04
#[test]
fn rows_hold_nothing_personal_and_strangers_add_few() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("somebody@example.com").await;
        let key = world.api_key(&founder).await;
        let event = json!([{"id": "1", "meter": "m", "subject": "somebody"}]);
        let call = Call::post("/api/v1/usage/events?x=somebody", &event).bearer(&key);
        world.send(call).await.data(200);
        for number in 0..50 {
            let path = format!("/api/v1/organizations/members/somebody-{number}");
            world.send(Call::new("GET", &path)).await;
            let path = format!("/somebody-{number}");
            world.send(Call::new("BREW", &path)).await;
            let call = Call::new("GET", "/api/v1/auth/me").bearer(&format!("somebody-{number}"));
            world.send(call).await;
        }
        metrics::write(&world).await;
        let rows = stored(&world).await;
        let shown = format!("{rows:?}");
        for trace in ["somebody", "@", "192.0.2.1", key.as_str()] {
            assert!(!shown.contains(trace), "{trace}: {shown}");
        }
        assert!(shown.contains(&founder.tenant));
        let by_key = rows.iter().find(|row| row.route == "usage.ingest").unwrap();
        assert!(by_key.who.starts_with(&founder.tenant) && by_key.who.contains(" key_"));
        let strangers: Vec<_> = rows
            .iter()
            .filter(|row| row.who == " " && row.status >= 400)
            .collect();
        assert!(strangers.len() <= 4, "{strangers:#?}");
        // The probes and what is no route.
        get(&world, "/health", 3).await;
        get(&world, "/no/such/path", 3).await;
        metrics::write(&world).await;
        assert_eq!(stored(&world).await.len(), rows.len());
    });
}
