//! A thousand random histories: subscriptions begin, go up and down, fall behind, end and resume at
//! Stripe, and its events come late, twice, in any order, within one second, or not at all. In the end
//! every tenant has what it pays for, by events alone where all came, and else by the reconcile task.

use edgekeep_core::sql::SystemQuery;
use edgekeep_fake_stripe::Fate;
use edgekeep_robustness::{Fault, Founder, World, run};
use serde_json::{Value, json};

use super::stripe_events::{DAY, KEY, STARTER, deliver, task};

const PROFESSIONAL: &str = "edgekeep_professional_monthly";
/// Worlds, each with some histories on one database after the other.
const WORLDS: u64 = 20;
const HISTORIES: u64 = 50;

static PLAN: SystemQuery =
    SystemQuery::new("test.plan_of", "SELECT plan_id FROM tenants WHERE id = ?1");
static STATES: SystemQuery = SystemQuery::new(
    "test.states",
    "SELECT id, status, plan_id, cancel_at FROM subscriptions WHERE tenant_id = ?1 ORDER BY id",
);
/// Of one history nothing is left for the next.
static FORGET: SystemQuery = SystemQuery::new(
    "test.forget",
    "DELETE FROM subscriptions WHERE tenant_id = ?1",
);
static FORGET_PLAN: SystemQuery = SystemQuery::new(
    "test.forget_plan",
    "UPDATE tenants SET plan_id = 'FREE', stripe_customer_id = NULL, stripe_checked_at = 0 WHERE id = ?1",
);

/// A generator that gives the same for the same seed (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

/// One step at Stripe, and the event about it.
fn step(world: &World, draw: &mut Draw, id: &str, first: bool) -> Value {
    world.stripe(|stripe| {
        let ended = stripe.object(id).unwrap()["status"] == "canceled";
        let key = if draw.below(2) == 0 {
            STARTER
        } else {
            PROFESSIONAL
        };
        let price = stripe.price(key, 2_900);
        match draw.below(7) {
            _ if first || ended => {}
            0 | 1 => stripe.change(id, |of| {
                of["items"]["data"][0]["price"] = json!({"id": price, "lookup_key": key});
            }),
            2 => stripe.set_status(id, "past_due"),
            3 => stripe.set_status(id, "active"),
            4 => stripe.change(id, |of| of["cancel_at"] = json!(2_000_000_000)),
            5 => stripe.change(id, |of| of["cancel_at"] = Value::Null),
            _ => stripe.end(id),
        }
        let what = match stripe.object(id).unwrap()["status"].as_str() {
            _ if first => "created",
            Some("canceled") => "deleted",
            _ => "updated",
        };
        stripe.event(&format!("customer.subscription.{what}"), id)
    })
}

/// A subscription that begins at Stripe, of the tenant's customer.
fn begin(world: &World, founder: &Founder, history: u64) -> String {
    let id = format!("sub_{}_{history}", founder.tenant);
    let customer = format!("cus_{}_{history}", founder.tenant);
    world.stripe(|stripe| {
        let price = stripe.price(STARTER, 2_900);
        stripe.put(json!({"id": customer, "object": "customer"}));
        stripe.put(json!({"id": id, "object": "subscription", "status": "active", "customer": customer,
            "cancel_at": null, "metadata": {"tenant_id": founder.tenant}, "items": {"data": [{"id": "si_1",
            "current_period_end": 2_000_000_000, "price": {"id": price, "lookup_key": STARTER}}]}}));
    });
    id
}

/// Whether what we have is what Stripe has.
async fn agrees(world: &World, founder: &Founder, id: &str, told: &str) {
    let truth = world.stripe(|stripe| stripe.object(id).unwrap().clone());
    let key = &truth["items"]["data"][0]["price"]["lookup_key"];
    let plan = if key == STARTER {
        "STARTER"
    } else {
        "PROFESSIONAL"
    };
    let rows = world.sql(&STATES, &[&founder.tenant]).await;
    assert_eq!(rows.len(), 1, "{told}");
    let row = &rows[0];
    assert_eq!(row.text(1).unwrap(), truth["status"], "{told}");
    assert_eq!(row.text(2).unwrap(), plan, "{told}");
    let cancel = truth["cancel_at"].as_i64().map(|at| at * 1_000);
    assert_eq!(row.opt_int(3).unwrap(), cancel, "{told}");
    let has = world.sql(&PLAN, &[&founder.tenant]).await;
    let ended = truth["status"] == "canceled";
    let expected = if ended { "FREE" } else { plan };
    assert_eq!(has[0].text(0).unwrap(), expected, "{told}");
}

/// Rows: H-08 H-10 H-12
#[test]
fn a_thousand_histories_end_as_stripe_has_them() {
    run(async || {
        for seed in 0..WORLDS {
            let world = World::new(&KEY).await;
            let founder = world.founder("f@example.com").await;
            for history in 0..HISTORIES {
                let told = format!("seed {seed}, history {history}");
                one(&world, &founder, seed * HISTORIES + history, &told).await;
                world.sql(&FORGET, &[&founder.tenant]).await;
                world.sql(&FORGET_PLAN, &[&founder.tenant]).await;
            }
        }
    });
}

async fn one(world: &World, founder: &Founder, seed: u64, told: &str) {
    let mut draw = Draw(seed);
    let id = begin(world, founder, seed);
    // Events that were sent and have not arrived; all of a history bear the same second.
    let mut under_way = vec![step(world, &mut draw, &id, true)];
    let mut lost = false;
    for _ in 0..draw.below(8) {
        under_way.push(step(world, &mut draw, &id, false));
        while !under_way.is_empty() && draw.below(3) == 0 {
            let event = under_way.remove(draw.below(under_way.len()));
            match draw.below(8) {
                // The database, or Stripe, fails meanwhile: Stripe delivers it again.
                0 => {
                    world.set(Fault::Before(1 + u32::try_from(draw.below(3)).unwrap()));
                    let _ = deliver(world, &event).await;
                    world.set(Fault::None);
                    under_way.push(event);
                }
                1 => {
                    world.stripe(|stripe| stripe.doom(&id, Fate::Status(400), 1));
                    let _ = deliver(world, &event).await;
                    world.stripe(|stripe| stripe.forgive(&id));
                    under_way.push(event);
                }
                // It never comes.
                2 if draw.below(2) == 0 => lost = true,
                3 => {
                    deliver(world, &event).await;
                    under_way.push(event);
                }
                _ => {
                    deliver(world, &event).await;
                }
            }
        }
    }
    let mut left = under_way;
    while !left.is_empty() {
        let event = left.remove(draw.below(left.len()));
        if draw.below(6) == 0 {
            lost = true;
            continue;
        }
        // A claim that a lost attempt has left runs out after a minute.
        let answer = super::stripe_events::deliver_at(world, &event, 61_000).await;
        assert_eq!(answer.status(), 200, "{told}: {answer:?}");
    }
    if lost {
        // Whoever never heard of it at all is a customer since the checkout.
        let customer = format!("cus_{}_{seed}", founder.tenant);
        static BOUGHT: SystemQuery = SystemQuery::new(
            "test.bought",
            "UPDATE tenants SET stripe_customer_id = ?2 WHERE id = ?1",
        );
        world.sql(&BOUGHT, &[&founder.tenant, &customer]).await;
        task(world, DAY + 3_600_000).await;
    }
    agrees(world, founder, &id, told).await;
}
