//! What Stripe's events leave behind, with a Stripe in this process that is asked for the truth.

use edgekeep_core::sql::SystemQuery;
use edgekeep_core::stripe::sign;
use edgekeep_robustness::{Answer, Call, Founder, World, run};
use serde_json::{Value, json};

pub(crate) const KEY: [(&str, &str); 2] = [
    ("STRIPE_SECRET_KEY", "sk_test_51NqXcVbR7yTfGh2KjLpMd8s"),
    ("STRIPE_API_BASE", "https://stripe.test"),
];
pub(crate) const STARTER: &str = "edgekeep_starter_monthly";
pub(crate) const DAY: i64 = 86_400_000;

static INVOICES: SystemQuery = SystemQuery::new(
    "test.invoices",
    "SELECT tenant_id, status, total_minor, paid_minor, failed_at, number FROM stripe_invoices",
);
static INCIDENTS: SystemQuery = SystemQuery::new(
    "test.incidents",
    "SELECT kind, status, tenant_id, amount_minor FROM stripe_incidents ORDER BY kind",
);
static ALERTS: SystemQuery = SystemQuery::new("test.alerts", "SELECT resolved_at FROM alerts");
static OUTBOX: SystemQuery = SystemQuery::new(
    "test.outbox",
    "SELECT topic, tenant_id FROM outbox WHERE topic = ?1",
);
static CUSTOMER: SystemQuery = SystemQuery::new(
    "test.customer",
    "SELECT stripe_customer_id FROM tenants WHERE id = ?1",
);

pub(crate) async fn deliver(world: &World, event: &Value) -> Answer {
    deliver_at(world, event, 0).await
}

pub(crate) async fn deliver_at(world: &World, event: &Value, later: i64) -> Answer {
    let now = edgekeep_core::port::Platform::now(world).plus(later);
    let secret = edgekeep_robustness::variables(&[])["STRIPE_WEBHOOK_SECRET"].clone();
    let signature = sign(&secret, event.to_string().as_bytes(), now);
    let call = Call::post("/webhooks/stripe", event)
        .header("stripe-signature", &signature)
        .header("x-test-clock-offset-ms", &later.to_string());
    world.send(call).await
}

pub(crate) async fn plan(world: &World, founder: &Founder) -> String {
    let call = Call::new("GET", "/api/v1/billing/subscription").bearer(&founder.access);
    edgekeep_robustness::text(&world.send(call).await.data(200)["plan"])
}

/// Runs the scheduler's task, so many milliseconds from now.
pub(crate) async fn task(world: &World, later: i64) -> Value {
    let now = edgekeep_core::port::Platform::now(world).plus(later);
    let ready = edgekeep_core::port::Platform::app(world).ready().unwrap();
    let token =
        edgekeep_core::auth::token::issue_service(&ready.keys, "test", "scheduler", now).unwrap();
    let call = Call::new("POST", "/api/v1/scheduler/tick?task=billing")
        .bearer(&token)
        .header("x-test-clock-offset-ms", &later.to_string());
    world.send(call).await.data(200)["ran"][0]["outcome"].clone()
}

/// A founder whom Stripe knows as a customer with a subscription, of which no event has come yet.
pub(crate) async fn buyer(world: &World) -> (Founder, String, String) {
    let founder = world.founder("f@example.com").await;
    let call = Call::post("/api/v1/billing/checkout", &json!({"plan": "STARTER"}))
        .bearer(&founder.access)
        .header("idempotency-key", "k");
    world.stripe(|stripe| stripe.price(STARTER, 2_900));
    let session = edgekeep_robustness::text(&world.send(call).await.data(201)["id"]);
    let id = world.stripe(|stripe| stripe.pay_checkout(&session));
    (founder, session, id)
}

/// Rows: H-12
#[test]
fn a_completed_checkout_is_enough() {
    run(async || {
        let world = World::new(&KEY).await;
        let (founder, session, _) = buyer(&world).await;
        let event = world.stripe(|stripe| stripe.event("checkout.session.completed", &session));
        deliver(&world, &event).await.data(200);
        assert_eq!(plan(&world, &founder).await, "STARTER");
        let rows = world.sql(&CUSTOMER, &[&founder.tenant]).await;
        assert!(rows[0].text(0).unwrap().starts_with("cus_"));
    });
}

/// Rows: H-12
#[test]
fn invoices_are_kept_as_stripe_has_them() {
    run(async || {
        let world = World::new(&KEY).await;
        let (founder, _, id) = buyer(&world).await;
        let created = world.stripe(|stripe| stripe.event("customer.subscription.created", &id));
        deliver(&world, &created).await.data(200);
        let invoice = world.stripe(|stripe| stripe.invoice(&id, "open"));
        let failed = world.stripe(|stripe| stripe.event("invoice.payment_failed", &invoice));
        let finalized = world.stripe(|stripe| stripe.event("invoice.finalized", &invoice));
        deliver(&world, &failed).await.data(200);
        let row = &world.sql(&INVOICES, &[]).await[0];
        assert_eq!(row.text(0).unwrap(), founder.tenant);
        assert_eq!((row.text(1).unwrap(), row.int(2).unwrap()), ("open", 2_900));
        assert!(row.opt_int(4).unwrap().is_some() && row.opt_text(5).unwrap().is_some());
        world.stripe(|stripe| {
            stripe.change(&invoice, |of| {
                of["status"] = json!("paid");
                of["amount_paid"] = json!(2_900);
            });
        });
        let paid = world.stripe(|stripe| stripe.event("invoice.paid", &invoice));
        // The first comes last, and twice.
        for event in [&paid, &finalized, &failed, &finalized, &paid] {
            deliver(&world, event).await.data(200);
        }
        let rows = world.sql(&INVOICES, &[]).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].text(1).unwrap(), rows[0].int(3).unwrap()),
            ("paid", 2_900)
        );
        assert_eq!(rows[0].opt_int(4).unwrap(), None);
        for topic in ["invoice.paid", "invoice.payment_failed"] {
            assert_eq!(world.sql(&OUTBOX, &[topic]).await.len(), 1, "{topic}");
        }
    });
}

/// Rows: H-12
#[test]
fn founders_hear_of_the_end_of_a_trial() {
    run(async || {
        let world = World::new(&KEY).await;
        let (founder, _, id) = buyer(&world).await;
        let event = world.stripe(|stripe| {
            stripe.set_status(&id, "trialing");
            stripe.event("customer.subscription.trial_will_end", &id)
        });
        for _ in 0..3 {
            deliver(&world, &event).await.data(200);
        }
        let rows = world.sql(&OUTBOX, &["trial.ending"]).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text(1).unwrap(), founder.tenant);
        assert_eq!(plan(&world, &founder).await, "STARTER");
    });
}

/// Rows: H-13
#[test]
fn what_goes_back_is_recorded_and_a_dispute_raises_an_alert() {
    run(async || {
        let world = World::new(&KEY).await;
        let (founder, _, id) = buyer(&world).await;
        let customer = world.stripe(|stripe| stripe.object(&id).unwrap()["customer"].clone());
        let charge = world.stripe(|s| s.charge(2_900, &json!("usd"), &customer, &Value::Null));
        let refunded = world.stripe(|stripe| {
            stripe.change(&charge, |charge| charge["amount_refunded"] = json!(900));
            stripe.event("charge.refunded", &charge)
        });
        deliver(&world, &refunded).await.data(200);
        let dispute = world.stripe(|stripe| stripe.dispute(&charge));
        let disputed = world.stripe(|stripe| stripe.event("charge.dispute.created", &dispute));
        deliver(&world, &disputed).await.data(200);
        let rows = world.sql(&INCIDENTS, &[]).await;
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.text(0).unwrap(),
                    row.text(1).unwrap(),
                    row.int(3).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("dispute", "needs_response", 2_900),
                ("refund", "partly_refunded", 900)
            ]
        );
        assert!(
            rows.iter()
                .all(|row| row.text(2).unwrap() == founder.tenant)
        );
        assert_eq!(world.logged("stripe.dispute"), 1);
        assert_eq!(world.sql(&ALERTS, &[]).await[0].opt_int(0).unwrap(), None);
        let closed = world.stripe(|stripe| {
            stripe.change(&dispute, |dispute| dispute["status"] = json!("won"));
            stripe.event("charge.dispute.closed", &dispute)
        });
        deliver(&world, &closed).await.data(200);
        let alerts = world.sql(&ALERTS, &[]).await;
        assert!(alerts.len() == 1 && alerts[0].opt_int(0).unwrap().is_some());
    });
}

/// Rows: H-15
#[test]
fn the_other_mode_has_no_effect_and_another_version_is_asked_for_anew() {
    run(async || {
        let world = World::new(&KEY).await;
        let (founder, _, id) = buyer(&world).await;
        let mut event = world.stripe(|stripe| stripe.event("customer.subscription.created", &id));
        event["livemode"] = json!(true);
        deliver(&world, &event).await.data(200);
        assert_eq!(plan(&world, &founder).await, "FREE");
        // Of a version whose subscriptions looked otherwise.
        event["id"] = json!("evt_old");
        event["livemode"] = json!(false);
        event["api_version"] = json!("2020-08-27");
        event["data"]["object"]["items"] = json!("something else");
        deliver(&world, &event).await.data(200);
        assert_eq!(plan(&world, &founder).await, "STARTER");
        assert_eq!(
            world.logged("stripe.other_version"),
            0,
            "warnings are not logged here"
        );
        // Of this version it is simply wrong.
        event["id"] = json!("evt_new");
        event["api_version"] = json!("2026-09-30.endive");
        assert_eq!(deliver(&world, &event).await.status(), 400);
    });
}

/// Rows: H-15
#[test]
fn tests_give_nothing_in_production_and_live_events_nothing_elsewhere() {
    run(async || {
        for (changes, livemode, expected) in [(&[][..], false, "STARTER"), (&[][..], true, "FREE")]
        {
            let world = World::new(changes).await;
            let founder = world.founder("f@example.com").await;
            let now = edgekeep_core::port::Platform::now(&world);
            let event = json!({"id": "evt_1", "type": "customer.subscription.created",
                "created": now.seconds(), "livemode": livemode, "data": {"object": {
                    "id": "sub_1", "status": "active", "customer": "cus_1",
                    "metadata": {"tenant_id": founder.tenant},
                    "items": {"data": [{"price": {"lookup_key": STARTER}}]}}}});
            deliver(&world, &event).await.data(200);
            assert_eq!(plan(&world, &founder).await, expected);
        }
    });
}

/// Rows: H-39
#[test]
fn a_grace_ends_and_a_payment_brings_the_plan_back() {
    run(async || {
        let world = World::new(&KEY).await;
        let (founder, _, id) = buyer(&world).await;
        let tell = async |status: &str| {
            let event = world.stripe(|stripe| {
                stripe.set_status(&id, status);
                stripe.event("customer.subscription.updated", &id)
            });
            deliver(&world, &event).await.data(200);
        };
        tell("past_due").await;
        for (later, expected) in [
            (13 * DAY, "STARTER"),
            (14 * DAY + 60_000, "FREE"),
            (14 * DAY + 120_000, "FREE"),
        ] {
            task(&world, later).await;
            assert_eq!(plan(&world, &founder).await, expected, "{later}");
        }
        assert_eq!(
            world.logged("billing.lapsed"),
            0,
            "warnings are not logged here"
        );
        // Still past due: it does not come back by being told again.
        tell("past_due").await;
        assert_eq!(plan(&world, &founder).await, "FREE");
        tell("active").await;
        assert_eq!(plan(&world, &founder).await, "STARTER");
        // The next time there is a grace of its own.
        tell("past_due").await;
        task(&world, DAY).await;
        assert_eq!(plan(&world, &founder).await, "STARTER");
    });
}

/// Rows: H-10
#[test]
fn what_no_event_told_is_read_again() {
    run(async || {
        let world = World::new(&KEY).await;
        let (founder, _, id) = buyer(&world).await;
        task(&world, 30 * 60_000).await;
        assert_eq!(plan(&world, &founder).await, "FREE");
        // An hour after the checkout began.
        task(&world, 61 * 60_000).await;
        assert_eq!(plan(&world, &founder).await, "STARTER");
        // Its end is not told either.
        world.stripe(|stripe| stripe.end(&id));
        assert_eq!(
            task(&world, 62 * 60_000).await,
            "0 lapsed, 0 read, 0 payments"
        );
        task(&world, DAY + 63 * 60_000).await;
        assert_eq!(plan(&world, &founder).await, "FREE");
    });
}
