//! `edgekeep stripe-setup`: Stripe is brought up to the plans, once.

use edgekeep_core::sql::SystemQuery;
use edgekeep_core::stripe::{API_VERSION, Report, TYPES, set_up};
use edgekeep_fake_stripe::Fate;
use edgekeep_robustness::{World, run};
use serde_json::{Value, json};

const API: &str = "https://api.acme.test";
const ENDPOINT: &str = "https://api.acme.test/webhooks/stripe";
static DEARER: SystemQuery = SystemQuery::new(
    "test.dearer",
    "UPDATE plans SET price_minor = 3900, name = 'Beginner' WHERE id = 'STARTER'",
);

async fn world() -> World {
    let changes = [
        ("STRIPE_SECRET_KEY", "sk_test_51NqXcVbR7yTfGh2KjLpMd8s"),
        ("STRIPE_API_BASE", "https://stripe.test"),
    ];
    let world = World::new(&changes).await;
    world.stripe(|_| {});
    world
}

async fn told(world: &World, dry: bool) -> Report {
    set_up(world, API, dry).await.unwrap()
}

/// How often Stripe was asked to do something.
fn posts(world: &World) -> usize {
    let asked = world.stripe(|stripe| stripe.asked(""));
    asked.iter().filter(|asked| asked.method == "POST").count()
}

fn all(world: &World, kind: &str) -> Vec<Value> {
    world.stripe(|stripe| stripe.all(kind))
}

fn price(world: &World, key: &str) -> Value {
    let mut prices = all(world, "price");
    prices.retain(|price| price["lookup_key"] == key);
    assert_eq!(prices.len(), 1, "{key}: {prices:?}");
    prices.remove(0)
}

/// Rows: H-34
#[test]
fn a_dry_run_changes_nothing_and_tells_what_the_first_run_does() {
    run(async || {
        let world = world().await;
        let plan = told(&world, true).await;
        assert_eq!((plan.changes, posts(&world)), (7, 0), "{plan:?}");
        assert!(plan.secret.is_none());
        let done = told(&world, false).await;
        assert_eq!(done.lines, plan.lines);
        assert_eq!((done.changes, posts(&world)), (7, 7));
        let endpoints = all(&world, "webhook_endpoint");
        let [endpoint] = endpoints.as_slice() else {
            panic!("{endpoints:?}")
        };
        assert_eq!(endpoint["url"], ENDPOINT);
        assert_eq!(endpoint["api_version"], API_VERSION);
        assert_eq!(endpoint["enabled_events"], json!(TYPES));
        let secret = done.secret.unwrap();
        assert!(secret.expose().starts_with("whsec_"));
        assert!(!format!("{:?}", done.lines).contains(secret.expose()));
        for (key, amount, name) in [
            ("edgekeep_starter_monthly", 2_900, "Starter"),
            ("edgekeep_professional_monthly", 19_900, "Professional"),
            ("edgekeep_enterprise_monthly", 99_900, "Enterprise"),
        ] {
            let price = price(&world, key);
            assert_eq!(price["unit_amount"], amount);
            assert_eq!(price["recurring"]["interval"], "month");
            let id = price["product"].as_str().unwrap().to_owned();
            let product = world.stripe(|stripe| stripe.object(&id).cloned());
            assert_eq!(product.unwrap()["name"], name);
        }
    });
}

/// Rows: H-34
#[test]
fn a_second_run_changes_nothing() {
    run(async || {
        let world = world().await;
        told(&world, false).await;
        let before = (all(&world, "price"), all(&world, "webhook_endpoint"));
        for dry in [true, false] {
            let again = told(&world, dry).await;
            assert_eq!((again.changes, posts(&world)), (0, 7), "{again:?}");
            assert!(again.secret.is_none());
        }
        let after = (all(&world, "price"), all(&world, "webhook_endpoint"));
        assert_eq!(after, before);
    });
}

/// Rows: H-34
#[test]
fn a_changed_plan_is_a_new_price_that_takes_the_lookup_key() {
    run(async || {
        let world = world().await;
        told(&world, false).await;
        let former = price(&world, "edgekeep_starter_monthly");
        world.sql(&DEARER, &[]).await;
        let report = told(&world, false).await;
        assert_eq!(report.changes, 2, "{report:?}");
        let new = price(&world, "edgekeep_starter_monthly");
        assert_eq!(new["unit_amount"], 3_900);
        assert_eq!(new["product"], former["product"]);
        assert_ne!(new["id"], former["id"]);
        // Who has the old one keeps it.
        let id = former["id"].as_str().unwrap().to_owned();
        let old = world.stripe(|stripe| stripe.object(&id).cloned()).unwrap();
        assert_eq!(
            (&old["active"], &old["lookup_key"]),
            (&json!(true), &json!(null))
        );
        let product = new["product"].as_str().unwrap().to_owned();
        let product = world.stripe(|stripe| stripe.object(&product).cloned());
        assert_eq!(product.unwrap()["name"], "Beginner");
        assert_eq!(told(&world, false).await.changes, 0);
    });
}

/// Rows: H-34
#[test]
fn an_endpoint_is_mended_and_one_of_another_version_is_succeeded() {
    run(async || {
        let world = world().await;
        told(&world, false).await;
        let id = all(&world, "webhook_endpoint")[0]["id"].clone();
        let id = id.as_str().unwrap();
        world.stripe(|stripe| {
            stripe.change(id, |endpoint| {
                endpoint["enabled_events"] = json!(["invoice.paid", "payout.failed"]);
                endpoint["status"] = json!("disabled");
            });
        });
        let report = told(&world, false).await;
        assert_eq!(report.changes, 1, "{report:?}");
        let mended = world.stripe(|stripe| stripe.object(id).cloned()).unwrap();
        assert_eq!(mended["enabled_events"], json!(TYPES));
        assert_eq!(mended["status"], "enabled");
        assert_eq!(told(&world, false).await.changes, 0);

        world.stripe(|stripe| {
            stripe.change(id, |endpoint| endpoint["api_version"] = json!("2019-01-01"));
        });
        let report = told(&world, false).await;
        assert!(report.changes == 1 && report.secret.is_some(), "{report:?}");
        assert!(report.lines.iter().any(|line| line.contains("2019-01-01")));
        // The one before goes on until somebody deletes it: its secret is still deployed.
        assert_eq!(all(&world, "webhook_endpoint").len(), 2);
        assert_eq!(told(&world, false).await.changes, 0);
    });
}

/// Rows: H-34
#[test]
fn what_broke_off_is_continued_and_what_others_made_keeps_its_name() {
    run(async || {
        let world = world().await;
        world.stripe(|stripe| {
            stripe.price("edgekeep_starter_monthly", 2_900);
            stripe.doom("enabled_events", Fate::Lost, 3);
        });
        assert!(set_up(&world, API, false).await.is_err());
        let report = told(&world, false).await;
        let lines = report.lines.join("\n");
        assert_eq!(report.changes, 0, "{lines}");
        assert_eq!(all(&world, "product").len(), 3);
        assert_eq!(all(&world, "price").len(), 3);
        assert_eq!(all(&world, "webhook_endpoint").len(), 1);
        let starter = price(&world, "edgekeep_starter_monthly");
        let product = starter["product"].as_str().unwrap().to_owned();
        let product = world.stripe(|stripe| stripe.object(&product).cloned());
        assert_eq!(product.unwrap()["name"], "edgekeep_starter_monthly");
    });
}
