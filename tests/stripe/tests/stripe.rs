//! The fake is as strict as the tests that rely on it believe.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use edgekeep_fake_stripe::{Asked, Fate, Stripe, Told, VERSION};
use serde_json::Value;

fn request(method: &str, path: &str, key: &str, body: &str) -> Asked {
    let headers = [
        ("authorization", "Bearer sk_test_x"),
        ("stripe-version", VERSION),
        ("idempotency-key", key),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
        body: body.to_owned(),
    }
}

fn told(stripe: &mut Stripe, asked: &Asked) -> (u16, Value) {
    match stripe.answer(asked) {
        Told::Answer(status, body, _) => (status, body),
        Told::Nothing => panic!("no answer"),
    }
}

#[test]
fn a_key_makes_one_object() {
    let mut stripe = Stripe::new("t");
    let asked = request(
        "POST",
        "/v1/customers",
        "k1",
        "metadata%5Btenant_id%5D=ten_1",
    );
    let (status, first) = told(&mut stripe, &asked);
    assert_eq!(
        (status, &first["metadata"]["tenant_id"]),
        (200, &Value::from("ten_1"))
    );
    assert_eq!(told(&mut stripe, &asked), (200, first));
    assert_eq!(stripe.all("customer").len(), 1);
    let other = request("POST", "/v1/customers", "k1", "name=x");
    let (status, body) = told(&mut stripe, &other);
    assert_eq!(
        (status, &body["error"]["type"]),
        (400, &Value::from("idempotency_error"))
    );
    told(
        &mut stripe,
        &request("POST", "/v1/customers", "k2", "name=x"),
    );
    assert_eq!(stripe.all("customer").len(), 2);
}

#[test]
fn what_a_request_lacks_is_refused() {
    let mut stripe = Stripe::new("t");
    let good = request("POST", "/v1/customers", "k", "");
    for (lacking, status) in [
        ("authorization", 401),
        ("stripe-version", 400),
        ("idempotency-key", 400),
        ("content-type", 400),
    ] {
        let mut bad = good.clone();
        bad.headers.retain(|(name, _)| name != lacking);
        assert_eq!(told(&mut stripe, &bad).0, status, "{lacking}");
    }
    let odd = request("POST", "/v1/customers", "k", "favourite_colour=red");
    assert_eq!(
        told(&mut stripe, &odd).1["error"]["code"],
        "parameter_unknown"
    );
    assert!(stripe.all("customer").is_empty());
    assert_eq!(told(&mut stripe, &good).0, 200);
}

#[test]
fn fates_hold_as_often_as_they_were_asked_for() {
    let mut stripe = Stripe::new("t");
    stripe.doom("ten_1", Fate::Status(500), 1);
    stripe.doom("ten_1", Fate::Lost, 1);
    let asked = request("POST", "/v1/customers", "k", "metadata[tenant_id]=ten_1");
    assert_eq!(told(&mut stripe, &asked).0, 500);
    assert_eq!(stripe.answer(&asked), Told::Nothing);
    assert_eq!(told(&mut stripe, &asked).0, 200);
    assert_eq!(stripe.all("customer").len(), 1);
    assert_eq!(stripe.asked("ten_1").len(), 3);
}

#[test]
fn a_checkout_becomes_a_subscription_that_can_change_and_end() {
    let mut stripe = Stripe::new("t");
    let (one, two) = (stripe.price("one", 100), stripe.price("two", 200));
    let body = format!(
        "mode=subscription&success_url=https://x.test/&line_items[0][price]={one}&line_items[0][quantity]=1\
         &subscription_data[metadata][tenant_id]=ten_1"
    );
    let (_, session) = told(
        &mut stripe,
        &request("POST", "/v1/checkout/sessions", "a", &body),
    );
    let id = stripe.pay_checkout(session["id"].as_str().unwrap());
    let path = format!("/v1/subscriptions/{id}");
    let (_, made) = told(&mut stripe, &request("GET", &path, "", ""));
    assert_eq!(made["metadata"]["tenant_id"], "ten_1");
    let item = made["items"]["data"][0]["id"].as_str().unwrap();
    let body =
        format!("items[0][id]={item}&items[0][price]={two}&proration_behavior=create_prorations");
    let (_, changed) = told(&mut stripe, &request("POST", &path, "b", &body));
    assert_eq!(changed["items"]["data"][0]["price"]["lookup_key"], "two");
    let (_, ends) = told(
        &mut stripe,
        &request("POST", &path, "c", "cancel_at_period_end=true"),
    );
    assert_eq!(
        ends["cancel_at"],
        ends["items"]["data"][0]["current_period_end"]
    );
    assert_eq!(
        told(&mut stripe, &request("DELETE", &path, "", "")).1["status"],
        "canceled"
    );
    assert_eq!(told(&mut stripe, &request("DELETE", &path, "", "")).0, 404);
    let event = stripe.event("customer.subscription.deleted", &id);
    assert_eq!(event["data"]["object"]["status"], "canceled");
}

#[test]
fn a_payment_is_made_refunded_and_disputed_once() {
    let mut stripe = Stripe::new("t");
    let (_, intent) = told(
        &mut stripe,
        &request(
            "POST",
            "/v1/payment_intents",
            "a",
            "amount=500&currency=usd",
        ),
    );
    let id = intent["id"].as_str().unwrap();
    stripe.decline_intent(id);
    let charge = stripe.pay_intent(id);
    let path = format!("/v1/payment_intents/{id}/cancel");
    assert_eq!(
        told(&mut stripe, &request("POST", &path, "b", "")).1["error"]["code"],
        "payment_intent_unexpected_state"
    );
    let refund = format!("payment_intent={id}&amount=200");
    assert_eq!(
        told(&mut stripe, &request("POST", "/v1/refunds", "c", &refund)).1["amount"],
        200
    );
    assert_eq!(
        told(
            &mut stripe,
            &request("POST", "/v1/refunds", "d", &format!("charge={charge}"))
        )
        .1["amount"],
        300
    );
    let again = told(
        &mut stripe,
        &request("POST", "/v1/refunds", "e", &format!("charge={charge}")),
    );
    assert_eq!(again.1["error"]["code"], "charge_already_refunded");
    let dispute = stripe.dispute(&charge);
    assert_eq!(stripe.object(&dispute).unwrap()["amount"], 500);
}

#[test]
fn methods_that_may_lead_away_need_a_way_back() {
    let mut stripe = Stripe::new("t");
    let body = "amount=500&currency=usd&automatic_payment_methods[enabled]=true";
    let asked = request("POST", "/v1/payment_intents", "a", body);
    let (_, intent) = told(&mut stripe, &asked);
    let path = format!(
        "/v1/payment_intents/{}/confirm",
        intent["id"].as_str().unwrap()
    );
    let mut confirm = |key: &str, body: &str| told(&mut stripe, &request("POST", &path, key, body));
    let refused = confirm("b", "payment_method=pm_card_visa").1;
    assert_eq!(refused["error"]["code"], "parameter_missing");
    let body = "payment_method=pm_card_visa&return_url=https%3A%2F%2Fexample.com";
    assert_eq!(confirm("c", body).1["status"], "succeeded");
}
