//! Payments: every pair of states, wherever it stops, and what Stripe tells late or never.

use edgekeep_core::functions;
use edgekeep_core::payments::{LEGAL, STATES};
use edgekeep_core::port::{Database as _, Platform as _};
use edgekeep_core::sql::{Statement, SystemQuery, Value as Sql};
use edgekeep_fake_stripe::Fate;
use edgekeep_robustness::{Answer, Call, Founder, World, run, text};
use serde_json::{Value, json};

use super::stripe_events::{DAY, KEY, deliver, task};

static PRODUCT: SystemQuery = SystemQuery::new(
    "test.product",
    "INSERT INTO products (id, name, unit_amount_minor, currency, max_quantity, created_at, updated_at)
    VALUES ('report', 'Report', 4900, 'eur', 10, 1, 1)",
);
static PUT: SystemQuery = SystemQuery::new(
    "test.put",
    "UPDATE payments SET status = ?1, previous = 'x', version = 7, next_check_at = NULL",
);
static ROW: SystemQuery = SystemQuery::new("test.row", "SELECT * FROM payments");
static FORGET: SystemQuery = SystemQuery::new(
    "test.forget",
    "UPDATE payments SET payment_intent_id = NULL",
);
static STATUS: SystemQuery = SystemQuery::new("test.status", "SELECT status FROM payments");
static ODD_INTENT: SystemQuery = SystemQuery::new(
    "test.odd_intent",
    "UPDATE payments SET payment_intent_id = 'pi odd'",
);
static HISTORY: SystemQuery = SystemQuery::new(
    "test.history",
    "SELECT COALESCE(from_status, '-') || ' ' || to_status || ' ' || cause FROM payment_transitions ORDER BY version",
);
static TOLD: SystemQuery = SystemQuery::new(
    "test.told",
    "SELECT topic FROM outbox WHERE topic GLOB 'payment.*' ORDER BY id",
);

/// A world where something can be paid for.
pub(crate) async fn shop() -> (World, Founder) {
    let world = World::new(&KEY).await;
    let founder = world.founder("f@example.com").await;
    world.stripe(|_| ());
    world.sql(&PRODUCT, &[]).await;
    (world, founder)
}

pub(crate) async fn begin(world: &World, who: &Founder, key: &str) -> Answer {
    let body = json!({"product": "report", "quantity": 2, "metadata": {"order": "7"}});
    let call = Call::post("/api/v1/payments", &body).header("idempotency-key", key);
    world.send(call.bearer(&who.access)).await
}

/// A payment that is begun: its id, and that of its PaymentIntent.
pub(crate) async fn begun(world: &World, who: &Founder) -> (String, String) {
    let data = begin(world, who, "begun").await.data(201);
    (text(&data["id"]), text(&data["paymentIntent"]))
}

pub(crate) async fn tell(world: &World, kind: &str, id: &str) {
    let event = world.stripe(|stripe| stripe.event(kind, id));
    deliver(world, &event).await.data(200);
}

/// Somebody pays, and Stripe tells of it.
pub(crate) async fn pay(world: &World, intent: &str) -> String {
    let charge = world.stripe(|stripe| stripe.pay_intent(intent));
    tell(world, "payment_intent.succeeded", intent).await;
    charge
}

pub(crate) async fn act(world: &World, who: &Founder, method: &str, place: &str) -> Answer {
    let path = format!("/api/v1/payments/{place}");
    let call = Call::new(method, &path).header("idempotency-key", "act");
    world.send(call.bearer(&who.access)).await
}

async fn status(world: &World) -> String {
    let rows = world.sql(&STATUS, &[]).await;
    assert_eq!(rows.len(), 1);
    rows[0].text(0).unwrap().to_owned()
}

async fn texts(world: &World, query: &'static SystemQuery) -> Vec<String> {
    let rows = world.sql(query, &[]).await;
    rows.iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect()
}

/// The condition in SQL is the table in Rust, for all 49 pairs.
///
/// Rows: I-02 I-03
#[test]
fn sql_allows_the_changes_of_the_table_and_no_other() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, _) = begun(&world, &founder).await;
        let all = functions::queries();
        let query = all.into_iter().find(|query| query.name == "payments.move");
        let query = query.expect("the statement");
        let mut legal = 0;
        for from in STATES {
            for to in STATES {
                world.sql(&PUT, &[from]).await;
                let before = world.sql(&ROW, &[]).await;
                let mut params: Vec<Sql> = [founder.tenant.as_str(), id.as_str(), to, "trn_1"]
                    .map(Sql::from)
                    .into();
                params.push(9_i64.into());
                params.extend(vec![Sql::Null; 7]);
                let database = world.database().unwrap();
                let moved = database.query(&Statement { query, params }).await.unwrap();
                let expected = LEGAL.contains(&(from, to));
                assert_eq!(!moved.is_empty(), expected, "{from} to {to}");
                if expected {
                    legal += 1;
                    assert_eq!(status(&world).await, to);
                } else {
                    assert_eq!(world.sql(&ROW, &[]).await, before, "{from} to {to}");
                }
            }
        }
        assert_eq!(legal, 13);
    });
}

/// What a client asks for: a change that there is, or 409 and the row as it was.
///
/// Rows: I-02
#[test]
fn clients_make_the_changes_of_the_table_or_get_409() {
    run(async || {
        for from in STATES {
            for (to, method, rest) in [
                ("confirmed", "POST", "/confirm"),
                ("completed", "POST", "/complete"),
                ("cancelled", "DELETE", ""),
            ] {
                let (world, founder) = shop().await;
                let (id, intent) = begun(&world, &founder).await;
                if ["paid", "confirmed", "completed"].contains(&from) {
                    world.stripe(|stripe| stripe.pay_intent(&intent));
                }
                world.sql(&PUT, &[from]).await;
                let before = world.sql(&ROW, &[]).await;
                let told = texts(&world, &HISTORY).await;
                let answer = act(&world, &founder, method, &format!("{id}{rest}")).await;
                if LEGAL.contains(&(from, to)) {
                    assert_eq!(answer.data(200)["status"], to, "{from} to {to}");
                    assert_eq!(status(&world).await, to);
                    assert_eq!(texts(&world, &HISTORY).await.len(), told.len() + 1);
                } else {
                    assert_eq!(answer.status(), 409, "{from} to {to}: {}", answer.json());
                    assert_eq!(answer.json()["error"]["code"], "STATE_CONFLICT");
                    assert_eq!(world.sql(&ROW, &[]).await, before, "{from} to {to}");
                    assert_eq!(texts(&world, &HISTORY).await, told);
                }
            }
        }
    });
}

/// What Stripe tells: it changes what the table allows, and leaves the rest.
///
/// Rows: I-02 I-08
#[test]
fn events_make_the_changes_of_the_table_alone() {
    run(async || {
        for from in STATES {
            for (kind, changed) in [
                ("processing", "processing"),
                ("succeeded", "paid"),
                ("payment_failed", "payment_failed"),
                ("canceled", "cancelled"),
            ] {
                let (world, founder) = shop().await;
                let (_, intent) = begun(&world, &founder).await;
                world.sql(&PUT, &[from]).await;
                world.stripe(|stripe| match kind {
                    "processing" => stripe.process_intent(&intent),
                    "succeeded" => drop(stripe.pay_intent(&intent)),
                    "canceled" => stripe.change(&intent, |of| of["status"] = json!("canceled")),
                    _ => stripe.decline_intent(&intent),
                });
                tell(&world, &format!("payment_intent.{kind}"), &intent).await;
                // A success is told of what nobody heard was being processed.
                let through = changed == "paid" && LEGAL.contains(&(from, "processing"));
                let legal = LEGAL.contains(&(from, changed)) || through;
                let expected = if legal { changed } else { from };
                assert_eq!(status(&world).await, expected, "{from}, {kind}");
                let refunds = world.stripe(|stripe| stripe.all("refund").len());
                let late = from == "cancelled" && changed == "paid";
                assert_eq!(refunds, usize::from(late), "{from}, {kind}");
            }
        }
    });
}

/// Rows: I-07 I-09 I-21
#[test]
fn each_change_has_one_entry_with_its_cause() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        world.stripe(|stripe| stripe.decline_intent(&intent));
        tell(&world, "payment_intent.payment_failed", &intent).await;
        for _ in 0..5 {
            pay(&world, &intent).await;
        }
        act(&world, &founder, "POST", &format!("{id}/confirm"))
            .await
            .data(200);
        act(&world, &founder, "DELETE", &id).await.data(200);
        let told = texts(&world, &HISTORY).await;
        let steps: Vec<&str> = told
            .iter()
            .map(|entry| entry.rsplit_once(' ').unwrap().0)
            .collect();
        assert_eq!(
            steps,
            [
                "- payment_pending",
                "payment_pending payment_failed",
                "payment_failed processing",
                "processing paid",
                "paid confirmed",
                "confirmed cancelled"
            ]
        );
        assert!(
            told[1].contains(" evt_") && told[3].contains(" evt_"),
            "{told:?}"
        );
        assert!(
            told[4].contains(" req_") && told[5].contains(" req_"),
            "{told:?}"
        );
        let topics = texts(&world, &TOLD).await;
        assert_eq!(
            topics,
            ["payment.failed", "payment.paid", "payment.cancelled"]
        );
    });
}

/// A lost answer, or a client that asks twice: one payment, one PaymentIntent, the same secret.
///
/// Rows: I-14
#[test]
fn a_payment_is_begun_once_whatever_is_lost() {
    run(async || {
        for fate in [Fate::Lost, Fate::HangsUp, Fate::Status(500)] {
            let (world, founder) = shop().await;
            world.stripe(|stripe| stripe.doom("payment_intents", fate, 3));
            assert_eq!(begin(&world, &founder, "k").await.status(), 503);
            // Its row is there, and nobody can pay it.
            assert_eq!(status(&world).await, "payment_pending");
            world.stripe(|stripe| stripe.forgive("payment_intents"));
            let first = begin(&world, &founder, "k").await.data(201);
            let again = begin(&world, &founder, "k").await;
            assert_eq!(again.0.header("idempotent-replayed"), Some("true"));
            assert_eq!(again.data(201), first);
            assert!(text(&first["clientSecret"]).contains("_secret_"));
            assert_eq!(world.sql(&ROW, &[]).await.len(), 1);
            let intents = world.stripe(|stripe| stripe.all("payment_intent"));
            assert_eq!(intents.len(), 1, "{fate:?}");
            assert_eq!(intents[0]["amount"], 9_800);
            // The key belongs to this request.
            let body = json!({"product": "report"});
            let other = Call::post("/api/v1/payments", &body).header("idempotency-key", "k");
            let other = world.send(other.bearer(&founder.access)).await;
            assert_eq!(other.json()["error"]["code"], "IDEMPOTENCY_KEY_REUSED");
        }
    });
}

/// Rows: I-14
#[test]
fn a_key_that_was_not_answered_stays_with_its_request() {
    run(async || {
        let (world, founder) = shop().await;
        world.stripe(|stripe| stripe.doom("payment_intents", Fate::HangsUp, 3));
        assert_eq!(begin(&world, &founder, "k").await.status(), 503);
        let body = json!({"product": "report"});
        let other = Call::post("/api/v1/payments", &body).header("idempotency-key", "k");
        let other = world.send(other.bearer(&founder.access)).await;
        assert_eq!(other.json()["error"]["code"], "IDEMPOTENCY_KEY_REUSED");
    });
}

/// Rows: I-10
#[test]
fn an_event_finds_its_payment_before_the_answer_did() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        world.sql(&FORGET, &[]).await;
        pay(&world, &intent).await;
        let seen = act(&world, &founder, "GET", &id).await.data(200);
        assert_eq!(
            (&seen["status"], &seen["paymentIntent"]),
            (&json!("paid"), &json!(intent))
        );
    });
}

/// Rows: I-15
#[test]
fn another_sum_pays_for_nothing() {
    run(async || {
        for (name, value) in [("amount", json!(1)), ("currency", json!("usd"))] {
            let (world, founder) = shop().await;
            let (_, intent) = begun(&world, &founder).await;
            world.stripe(|stripe| stripe.change(&intent, |of| of[name] = value));
            pay(&world, &intent).await;
            assert_eq!(status(&world).await, "payment_pending");
            assert_eq!(world.logged("payment.other_sum"), 1);
        }
    });
}

/// Rows: I-20
#[test]
fn what_is_paid_after_its_cancellation_goes_back_once() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        world.stripe(|stripe| stripe.process_intent(&intent));
        tell(&world, "payment_intent.processing", &intent).await;
        act(&world, &founder, "DELETE", &id).await.data(200);
        // The refund's answer is lost once.
        world.stripe(|stripe| stripe.doom("/v1/refunds", Fate::Lost, 1));
        for _ in 0..5 {
            pay(&world, &intent).await;
        }
        assert_eq!(status(&world).await, "cancelled");
        let refunds = world.stripe(|stripe| stripe.all("refund"));
        assert_eq!((refunds.len(), &refunds[0]["amount"]), (1, &json!(9_800)));
        let told = texts(&world, &HISTORY).await;
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[3].starts_with("cancelled cancelled evt_"), "{told:?}");
        assert!(
            !texts(&world, &TOLD)
                .await
                .contains(&"payment.paid".to_owned())
        );
    });
}

/// Given back in the dashboard, and the event that tells so was lost.
///
/// Rows: I-06
#[test]
fn what_was_given_back_by_hand_can_be_cancelled() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        pay(&world, &intent).await;
        let by_hand = world.stripe(|stripe| stripe.refund_intent(&intent));
        let told = act(&world, &founder, "DELETE", &id).await;
        assert_eq!(told.data(200)["status"], "cancelled");
        let refunds = world.stripe(|stripe| stripe.all("refund"));
        assert_eq!((refunds.len(), &refunds[0]["id"]), (1, &json!(by_hand)));
    });
}

/// Stripe refuses, and a part went back before: that is not all of it.
///
/// Rows: I-06
#[test]
fn a_part_that_was_given_back_is_not_all_of_it() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        let charge = pay(&world, &intent).await;
        world.stripe(|stripe| {
            stripe.change(&charge, |of| of["amount_refunded"] = json!(100));
            stripe.doom("/v1/refunds", Fate::Status(400), 9);
        });
        let refused = act(&world, &founder, "DELETE", &id).await;
        assert_eq!(refused.json()["error"]["code"], "UPSTREAM_REFUSED");
        assert_eq!(status(&world).await, "paid");
        world.stripe(|stripe| stripe.forgive("/v1/refunds"));
        act(&world, &founder, "DELETE", &id).await.data(200);
        let refunds = world.stripe(|stripe| stripe.all("refund"));
        assert_eq!((refunds.len(), &refunds[0]["amount"]), (1, &json!(9_700)));
    });
}

/// A bank sends a refund back, days later perhaps.
///
/// Rows: I-06 I-19
#[test]
fn a_refund_that_fails_is_made_again() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        let charge = pay(&world, &intent).await;
        act(&world, &founder, "DELETE", &id).await.data(200);
        let refund = text(&world.stripe(|stripe| stripe.all("refund"))[0]["id"]);
        world.stripe(|stripe| {
            stripe.change(&refund, |of| of["status"] = json!("failed"));
            stripe.change(&charge, |of| {
                of["amount_refunded"] = json!(0);
                of["refunded"] = json!(false);
            });
        });
        for _ in 0..2 {
            tell(&world, "refund.failed", &refund).await;
        }
        let seen = act(&world, &founder, "GET", &id).await.data(200);
        assert_eq!(
            (&seen["refundedMinor"], &seen["refundedAt"]),
            (&json!(0), &json!(null))
        );
        assert_eq!(task(&world, DAY).await, "0 lapsed, 0 read, 0 payments");
        world.stripe(edgekeep_fake_stripe::Stripe::forget);
        let later = DAY + DAY / 12;
        assert_eq!(task(&world, later).await, "0 lapsed, 0 read, 1 payments");
        let seen = act(&world, &founder, "GET", &id).await.data(200);
        assert_eq!(seen["refundedMinor"], 9_800);
        let refunds = world.stripe(|stripe| stripe.all("refund").len());
        assert_eq!(refunds, 2);
    });
}

/// Cancelled while a bank worked on it, which then refuses: nobody is to try another card.
///
/// Rows: I-06
#[test]
fn what_was_cancelled_stays_closed_to_other_cards() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        world.stripe(|stripe| stripe.process_intent(&intent));
        act(&world, &founder, "DELETE", &id).await.data(200);
        world.stripe(|stripe| stripe.decline_intent(&intent));
        tell(&world, "payment_intent.payment_failed", &intent).await;
        let now = world.stripe(|stripe| stripe.object(&intent).cloned());
        assert_eq!(now.unwrap()["status"], "canceled");
        assert_eq!(status(&world).await, "cancelled");
    });
}

/// Trouble with one, of whatever kind, is told and holds up no other.
///
/// Rows: I-19
#[test]
fn trouble_with_one_payment_holds_up_no_other() {
    run(async || {
        let (world, founder) = shop().await;
        let (_, odd) = begun(&world, &founder).await;
        let data = begin(&world, &founder, "another").await.data(201);
        let (id, intent) = (text(&data["id"]), text(&data["paymentIntent"]));
        world.stripe(|stripe| {
            stripe.pay_intent(&intent);
            stripe.doom(&odd, Fate::Status(403), 9);
        });
        let told = task(&world, DAY / 24).await;
        assert!(text(&told).starts_with("failed"), "{told}");
        let seen = act(&world, &founder, "GET", &id).await;
        assert_eq!(seen.data(200)["status"], "paid");
    });
}

/// One that Stripe does not tell of holds up nobody behind it.
///
/// Rows: I-19
#[test]
fn a_payment_that_stripe_refuses_holds_up_no_other() {
    run(async || {
        let (world, founder) = shop().await;
        begun(&world, &founder).await;
        world.sql(&ODD_INTENT, &[]).await;
        let data = begin(&world, &founder, "another").await.data(201);
        let (id, intent) = (text(&data["id"]), text(&data["paymentIntent"]));
        world.stripe(|stripe| stripe.pay_intent(&intent));
        let hour = 60 * 60_000;
        assert_eq!(task(&world, hour).await, "0 lapsed, 0 read, 2 payments");
        let seen = act(&world, &founder, "GET", &id).await;
        assert_eq!(seen.data(200)["status"], "paid");
        // It is asked for again later, and not with every tick.
        assert_eq!(task(&world, hour).await, "0 lapsed, 0 read, 0 payments");
    });
}

/// Paid while somebody cancels: it is cancelled and goes back, whichever comes first.
///
/// Rows: I-06 I-20
#[test]
fn a_payment_that_is_made_while_it_is_cancelled_goes_back() {
    run(async || {
        for call in 1..=2 {
            let (world, founder) = shop().await;
            let (id, intent) = begun(&world, &founder).await;
            world.stripe(|stripe| stripe.process_intent(&intent));
            let cancel = act(&world, &founder, "DELETE", &id);
            let paid = async {
                pay(&world, &intent).await;
            };
            let answer = world.in_between(call, cancel, paid).await;
            assert_eq!(answer.data(200)["status"], "cancelled", "{call}");
            let refunds = world.stripe(|stripe| stripe.all("refund").len());
            assert_eq!(
                (status(&world).await, refunds),
                ("cancelled".to_owned(), 1),
                "{call}"
            );
        }
    });
}

/// Rows: I-06
#[test]
fn a_refund_in_stripes_dashboard_cancels() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        let charge = pay(&world, &intent).await;
        let back = |amount: i64| {
            world.stripe(|stripe| {
                stripe.change(&charge, |of| {
                    of["amount_refunded"] = json!(amount);
                    of["refunded"] = json!(amount == 9_800);
                });
            });
        };
        back(800);
        tell(&world, "charge.refunded", &charge).await;
        let seen = act(&world, &founder, "GET", &id).await.data(200);
        assert_eq!(
            (&seen["status"], &seen["refundedMinor"]),
            (&json!("paid"), &json!(800))
        );
        back(9_800);
        for _ in 0..2 {
            tell(&world, "charge.refunded", &charge).await;
        }
        let seen = act(&world, &founder, "GET", &id).await.data(200);
        assert_eq!(
            (&seen["status"], &seen["refundedMinor"]),
            (&json!("cancelled"), &json!(9_800))
        );
        // The success that is told again is no late one.
        tell(&world, "payment_intent.succeeded", &intent).await;
        assert_eq!(world.stripe(|stripe| stripe.all("refund").len()), 0);
    });
}

/// Rows: I-19
#[test]
fn what_no_event_told_is_read_from_stripe() {
    run(async || {
        let (world, founder) = shop().await;
        let (_, intent) = begun(&world, &founder).await;
        world.stripe(|stripe| stripe.pay_intent(&intent));
        let minutes = 60_000;
        assert_eq!(
            task(&world, 5 * minutes).await,
            "0 lapsed, 0 read, 0 payments"
        );
        assert_eq!(
            task(&world, 20 * minutes).await,
            "0 lapsed, 0 read, 1 payments"
        );
        assert_eq!(status(&world).await, "paid");
        assert!(texts(&world, &HISTORY).await[2].ends_with(" reconcile"));
        assert_eq!(task(&world, 2 * DAY).await, "0 lapsed, 0 read, 0 payments");
    });
}

/// Rows: I-19
#[test]
fn a_payment_whose_client_never_came_back_ends() {
    run(async || {
        let (world, founder) = shop().await;
        world.stripe(|stripe| stripe.doom("payment_intents", Fate::HangsUp, 3));
        assert_eq!(begin(&world, &founder, "k").await.status(), 503);
        task(&world, DAY / 2).await;
        assert_eq!(status(&world).await, "payment_pending");
        task(&world, 2 * DAY).await;
        assert_eq!(status(&world).await, "cancelled");
        assert_eq!(world.stripe(|stripe| stripe.all("payment_intent").len()), 0);
    });
}

/// Rows: I-22
#[test]
fn what_the_payer_has_to_do_is_shown_while_it_is_to_be_done() {
    run(async || {
        let (world, founder) = shop().await;
        let (id, intent) = begun(&world, &founder).await;
        let next = async || -> Value {
            let seen = act(&world, &founder, "GET", &id).await.data(200);
            seen["nextAction"].clone()
        };
        assert!(next().await.is_null());
        world.stripe(|stripe| stripe.challenge_intent(&intent));
        tell(&world, "payment_intent.requires_action", &intent).await;
        assert_eq!(next().await, json!({"type": "redirect_to_url"}));
        pay(&world, &intent).await;
        assert!(next().await.is_null());
    });
}
