//! Jobs that nobody works on by themselves: what a run, a tick and a message do.

use edgekeep_core::jobs::{Wake, on_wake};
use edgekeep_core::port::Platform as _;
use edgekeep_core::sql::{Row, SystemQuery, Value as Sql};
use edgekeep_robustness::{Answer, Call, Fault, Founder, World, run, text};
use serde_json::{Value, json};

async fn sql(world: &World, text: &'static str) -> Vec<Row> {
    let query = Box::leak(Box::new(SystemQuery::new("test.jobs", text)));
    world.sql(query, &[]).await
}

async fn submit(world: &World, founder: &Founder) -> Answer {
    let call = Call::post("/api/v1/jobs", &json!({"type": "usage.export"}));
    world.send(call.bearer(&founder.access)).await
}

async fn job(world: &World, founder: &Founder, id: &str) -> Value {
    let call = Call::new("GET", &format!("/api/v1/jobs/{id}")).bearer(&founder.access);
    world.send(call).await.data(200)
}

async fn release(world: &World) {
    sql(world, "UPDATE jobs SET leased_until = 0").await;
}

/// As many events as that, a second apart, in the only tenant.
async fn many_events(world: &World, count: &str) {
    let text = format!(
        "INSERT INTO usage_events (tenant_id, source, event_id, meter, quantity, occurred_at, received_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
        SELECT t.id, 'api', n.i, 'm', 1, {} - 1000 * n.i, 0 FROM tenants t, n",
        world.now().0
    );
    sql(world, text.leak()).await;
}

/// Rows: G-16
#[test]
fn a_job_that_takes_its_worker_along_is_given_up() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let id = text(&submit(&world, &founder).await.data(202)["id"]);
        for attempt in 1..=5 {
            // The worker has the lease, and is never heard of again.
            world.set(Fault::After(1));
            on_wake(&world, &id).await;
            let shown = job(&world, &founder, &id).await;
            assert_eq!(
                (&shown["state"], &shown["attempts"]),
                (&json!("running"), &json!(attempt))
            );
            release(&world).await;
        }
        assert_eq!(on_wake(&world, &id).await, Wake::Done);
        let shown = job(&world, &founder, &id).await;
        assert_eq!(
            (&shown["state"], &shown["error"]),
            (&json!("failed"), &json!("WORKER_LOST"))
        );
    });
}

/// A long export sends itself messages; none of them counts as a delivery that failed.
#[test]
fn a_long_job_in_good_health_fails_no_delivery() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        many_events(&world, "20500").await;
        let id = text(&submit(&world, &founder).await.data(202)["id"]);
        let mut runs = 0;
        while let Some(woken) = world.woken() {
            assert_eq!(woken, id);
            assert_eq!(on_wake(&world, &woken).await, Wake::Done);
            runs += 1;
        }
        let shown = job(&world, &founder, &id).await;
        assert_eq!((&shown["state"], runs), (&json!("completed"), 2), "{shown}");
        assert_eq!(shown["parts"], 21);
    });
}

#[test]
fn a_result_has_so_many_bytes_and_a_failed_job_keeps_none() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        many_events(&world, "20500").await;
        let id = text(&submit(&world, &founder).await.data(202)["id"]);
        on_wake(&world, &id).await;
        // As if the pages so far had been this large.
        sql(
            &world,
            "UPDATE jobs SET checkpoint = json_set(checkpoint, '$.bytes', 33554400)",
        )
        .await;
        on_wake(&world, &id).await;
        let shown = job(&world, &founder, &id).await;
        assert_eq!(
            (&shown["state"], &shown["error"], &shown["parts"]),
            (&json!("failed"), &json!("RESULT_TOO_LARGE"), &json!(0))
        );
        let rows = sql(&world, "SELECT COUNT(*) FROM job_parts").await;
        assert_eq!(rows[0].0, [Sql::Int(0)]);
    });
}

/// Ten tenants with a heap each, all older than the newcomer's one job.
#[test]
fn a_newcomer_waits_for_one_round_not_for_the_heaps() {
    run(async || {
        let world = World::new(&[]).await;
        for number in 0..10 {
            let founder = world.founder(&format!("f{number}@example.com")).await;
            for _ in 0..4 {
                submit(&world, &founder).await.data(202);
            }
        }
        let newcomer = world.founder("newcomer@example.com").await;
        let id = text(&submit(&world, &newcomer).await.data(202)["id"]);
        for _ in 0..2 {
            edgekeep_core::scheduler::on_cron(&world).await;
        }
        let shown = job(&world, &newcomer, &id).await;
        assert_eq!(shown["state"], "completed", "{shown}");
        // And the others lost one turn, not all of them.
        edgekeep_core::scheduler::on_cron(&world).await;
        let left = sql(&world, "SELECT COUNT(*) FROM jobs WHERE finished_at IS NULL GROUP BY tenant_id HAVING COUNT(*) > 2")
            .await;
        assert!(left.is_empty(), "{left:?}");
    });
}

/// Rows: F-08
#[test]
fn five_jobs_may_be_unfinished() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        for _ in 0..5 {
            submit(&world, &founder).await.data(202);
        }
        let refused = submit(&world, &founder).await;
        assert_eq!(refused.status(), 429, "{refused:?}");
        assert_eq!(refused.json()["error"]["code"], "JOB_LIMIT");
        edgekeep_core::scheduler::on_cron(&world).await;
        submit(&world, &founder).await.data(202);
    });
}
