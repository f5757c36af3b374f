//! Events and what they cause: with the change or not at all, and once.

use edgekeep_core::port::Platform as _;
use edgekeep_core::sql::{Row, SystemQuery, Value as Sql};
use edgekeep_core::stripe::sign;
use edgekeep_robustness::{Answer, Call, Fault, Founder, World, run};
use serde_json::json;

async fn sql(world: &World, text: &'static str, params: &[&str]) -> Vec<Row> {
    let query = Box::leak(Box::new(SystemQuery::new("test.outbox", text)));
    world.sql(query, params).await
}

async fn number(world: &World, text: &'static str) -> i64 {
    sql(world, text, &[]).await[0].int(0).unwrap()
}

/// Events of this topic that wait, as if a batch had written them.
async fn written(world: &World, founder: &Founder, topic: &str, ids: &[&str]) {
    for id in ids {
        sql(
            world,
            "INSERT INTO outbox (id, tenant_id, topic, payload, created_at)
            VALUES (?1, ?2, ?3, '{\"percent\":80,\"meter\":\"calls\"}', 1)",
            &[id, &founder.tenant, topic],
        )
        .await;
    }
}

async fn tick(world: &World) {
    edgekeep_core::scheduler::on_cron(world).await;
}

/// As after so long that every lease has run out, of tasks and of events.
async fn leases_run_out(world: &World) {
    sql(
        world,
        "UPDATE scheduler_tasks SET leased_until = 0, next_at = 0",
        &[],
    )
    .await;
    sql(world, "UPDATE outbox SET claimed_until = 0", &[]).await;
}

async fn subscribed(world: &World, founder: &Founder) -> Answer {
    let now = world.now();
    let body = json!({"id": "evt_1", "type": "customer.subscription.created", "created": now.seconds(),
        "livemode": false, "data": {"object": {"id": "sub_1", "status": "active", "customer": "cus_1",
        "metadata": {"tenant_id": founder.tenant},
        "items": {"data": [{"price": {"lookup_key": "edgekeep_starter_monthly"}}]}}}});
    let secret = edgekeep_robustness::variables(&[])["STRIPE_WEBHOOK_SECRET"].clone();
    let signature = sign(&secret, body.to_string().as_bytes(), now);
    let call = Call::post("/webhooks/stripe", &body).header("stripe-signature", &signature);
    world.send(call).await
}

async fn notices(world: &World, founder: &Founder) -> usize {
    let mails = world.mails(&founder.email).await;
    let told = |mail: &&serde_json::Value| mail["text"].as_str().unwrap().contains("80 %");
    mails.iter().filter(told).count()
}

/// Whatever statement fails, there is the change with its event or neither of them; and delivered
/// again, there is one of each.
///
/// Rows: K-01 F-22
#[test]
fn a_change_and_its_event_are_both_there_or_neither() {
    run(async || {
        for left in 1.. {
            let world = World::new(&[]).await;
            let founder = world.founder("f@example.com").await;
            world.set(Fault::Statement(left));
            let first = subscribed(&world, &founder).await;
            let happened = world.happened();
            world.set(Fault::None);
            let plan = "SELECT COUNT(*) FROM tenants WHERE plan_id = 'STARTER'";
            let events = "SELECT COUNT(*) FROM outbox WHERE topic = 'subscription.changed'
                AND version = 1 AND created_at > 0";
            let both = [number(&world, plan).await, number(&world, events).await];
            assert!(both == [0, 0] || both == [1, 1], "{left}: {both:?}");
            if !happened {
                assert_eq!((first.status(), both), (200, [1, 1]));
                assert!(left > 5, "{left}");
                break;
            }
            sql(&world, "UPDATE stripe_inbox SET claimed_until = 0", &[]).await;
            subscribed(&world, &founder).await.data(200);
            let both = [number(&world, plan).await, number(&world, events).await];
            assert_eq!(both, [1, 1], "{left}");
        }
    });
}

/// One relay stops at each of its calls while another one, whose lease came later, does the work.
///
/// Rows: K-02 F-22
#[test]
fn two_relays_pass_on_each_event_once() {
    run(async || {
        let setting = async || {
            let world = World::new(&[]).await;
            let founder = world.founder("f@example.com").await;
            written(
                &world,
                &founder,
                "quota.threshold",
                &["evt_a", "evt_b", "evt_c"],
            )
            .await;
            world.ran();
            (world, founder)
        };
        let (world, _) = setting().await;
        tick(&world).await;
        let (calls, _) = world.ran();
        assert!(calls > 8, "{calls}");
        for call in 1..=calls {
            let (world, founder) = setting().await;
            let other = async {
                leases_run_out(&world).await;
                tick(&world).await;
            };
            let call = u32::try_from(call).unwrap();
            world.in_between(call, tick(&world), other).await;
            tick(&world).await;
            assert_eq!(notices(&world, &founder).await, 3, "{call}");
            let open = "SELECT COUNT(*) FROM outbox WHERE relayed_at IS NULL";
            assert_eq!(number(&world, open).await, 0, "{call}");
        }
    });
}

/// Rows: K-02 U-03
#[test]
fn a_relay_that_fails_anywhere_is_finished_by_the_next() {
    run(async || {
        for kind in [Fault::Before, Fault::After] {
            for call in 1.. {
                let world = World::new(&[]).await;
                let founder = world.founder("f@example.com").await;
                written(&world, &founder, "quota.threshold", &["evt_a", "evt_b"]).await;
                world.set(kind(call));
                tick(&world).await;
                let happened = world.happened();
                world.set(Fault::None);
                leases_run_out(&world).await;
                tick(&world).await;
                assert_eq!(notices(&world, &founder).await, 2, "{call}");
                if !happened {
                    break;
                }
            }
        }
    });
}

/// Rows: K-02
#[test]
fn an_event_that_cannot_be_passed_on_waits_and_holds_up_nobody() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        written(&world, &founder, "of.tomorrow", &["evt_a"]).await;
        written(&world, &founder, "quota.threshold", &["evt_b"]).await;
        tick(&world).await;
        assert_eq!(notices(&world, &founder).await, 1);
        let rows = sql(
            &world,
            "SELECT attempts, last_error, claimed_until FROM outbox WHERE relayed_at IS NULL",
            &[],
        )
        .await;
        let [row] = rows.as_slice() else {
            panic!("{rows:?}");
        };
        assert_eq!(row.0[0], Sql::Int(1));
        assert!(row.text(1).unwrap().contains("unknown topic"), "{row:?}");
        assert!(row.int(2).unwrap() > world.now().0, "{row:?}");
        assert_eq!(world.logged("outbox.relay_failed"), 1);
        // Its pauses grow, to an hour at most.
        let mut waits = Vec::new();
        for _ in 0..14 {
            leases_run_out(&world).await;
            tick(&world).await;
            let until = number(
                &world,
                "SELECT claimed_until FROM outbox WHERE relayed_at IS NULL",
            );
            waits.push(until.await - world.now().0);
        }
        assert!(waits.is_sorted_by(|a, b| *a < *b + 2_000), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= 3_600_000), "{waits:?}");
        assert!(waits[13] > 3_500_000, "{waits:?}");
    });
}

/// Somebody sends an event through again: the inbox knows it, until its time is over.
///
/// Rows: K-03 F-22
#[test]
fn an_event_that_comes_again_is_taken_in_once_until_it_is_forgotten() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        written(&world, &founder, "quota.threshold", &["evt_a"]).await;
        tick(&world).await;
        let again = async || {
            let text = "UPDATE outbox SET relayed_at = NULL, claimed_until = 0";
            sql(&world, text, &[]).await;
            sql(
                &world,
                "DELETE FROM mails WHERE template = 'quota_threshold'",
                &[],
            )
            .await;
            tick(&world).await;
            notices(&world, &founder).await
        };
        assert_eq!(notices(&world, &founder).await, 1);
        assert_eq!(again().await, 0);
        sql(&world, "UPDATE inbox SET expires_at = 1", &[]).await;
        assert_eq!(again().await, 1);
        assert_eq!(again().await, 0);
    });
}

/// Whoever has not confirmed the address, and who is no founder, is told nothing.
#[test]
fn notices_go_to_founders_with_a_confirmed_address() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let other = world.founder("o@example.com").await;
        written(&world, &founder, "quota.threshold", &["evt_a"]).await;
        let silent = "UPDATE users SET email_verified_at = NULL WHERE email = 'f@example.com'";
        sql(&world, silent, &[]).await;
        tick(&world).await;
        assert_eq!(notices(&world, &founder).await, 0);
        assert_eq!(notices(&world, &other).await, 0);
    });
}
