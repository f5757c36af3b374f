//! Payments of single sums: begun here, paid at Stripe, and known by its webhook alone.

use edgekeep_fake_stripe::Asked;
use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, deliver, founder, give, mails, member, run_task, text, walk_pages};
use crate::stripe::stripe;

tests! { "payments":
    a_payment_goes_from_its_beginning_to_its_end ["I-04" "I-07" "I-13" "I-16" "I-18"];
    only_who_may_sees_it ["I-05"];
    what_was_not_paid_is_cancelled ["I-06"];
    what_was_paid_goes_back ["I-06"];
    a_failure_is_kept_until_the_next_attempt ["I-08"];
    a_webhook_replay_changes_nothing ["I-09" "I-12" "I-17"];
    a_webhook_comes_before_the_first_poll ["I-10"];
    a_closed_browser_changes_nothing ["I-11"];
    a_double_post_makes_one_payment ["I-14" "I-16"];
    the_amount_is_ours ["I-15"];
    products_are_the_operators ["I-15"];
    of_two_transitions_one_wins ["I-03"];
    a_cancellation_wins_once ["I-03" "I-06"];
    a_late_success_goes_back ["I-20"];
    another_tenant_in_the_header_changes_nothing ["I-17"];
    pages_have_limits ["I-16" "I-17"];
    metadata_changes_by_version ["I-16"];
    the_next_action_is_shown ["I-22"];
    a_missed_webhook_is_made_up_for ["I-19"];
}

/// A product that every test may pay for.
fn product(api: &Api) {
    let body =
        json!({"name": "Report", "unitAmountMinor": 4_900, "currency": "eur", "maxQuantity": 10});
    set(api, "acceptance", &body).data(200);
}

fn set(api: &Api, key: &str, body: &Value) -> Answer {
    let mut body = body.clone();
    body["key"] = json!(key);
    api.call("PUT", "/api/v1/payments/products")
        .json(&body)
        .bearer(&api.service_token("payments"))
        .send()
}

/// A payment for two of them.
pub(super) fn begin(api: &Api, who: &Founder, key: &str) -> Answer {
    product(api);
    let body = json!({"product": "acceptance", "quantity": 2, "metadata": {"order": "1007"}});
    post(api, who, key, &body)
}

fn post(api: &Api, who: &Founder, key: &str, body: &Value) -> Answer {
    api.post("/api/v1/payments", body)
        .bearer(&who.access)
        .header("idempotency-key", key)
        .send()
}

fn act(api: &Api, who: &Founder, method: &str, place: &str, key: &str) -> Answer {
    api.call(method, &format!("/api/v1/payments/{place}"))
        .bearer(&who.access)
        .header("idempotency-key", key)
        .send()
}

fn see(api: &Api, who: &Founder, id: &str) -> Answer {
    let call = api.get(&format!("/api/v1/payments/{id}"));
    call.bearer(&who.access).send()
}

fn status(api: &Api, who: &Founder, id: &str) -> String {
    text(&see(api, who, id).data(200)["status"])
}

fn begun(api: &Api, who: &Founder) -> (String, String) {
    let data = begin(api, who, "begun").data(201);
    (text(&data["id"]), text(&data["paymentIntent"]))
}

fn tell(api: &Api, kind: &str, id: &str) {
    let event = stripe().event(kind, id);
    deliver(api, &event).data(200);
}

/// The card pays, and Stripe tells of it.
fn pay(api: &Api, intent: &str) {
    stripe().pay_intent(intent);
    tell(api, "payment_intent.succeeded", intent);
}

fn posted(id: &str, path: &str) -> Vec<Asked> {
    let asked = stripe().asked(id).into_iter();
    asked
        .filter(|asked| asked.method == "POST" && asked.path.ends_with(path))
        .collect()
}

fn refunds(intent: &str) -> usize {
    let all = stripe().all("refund").into_iter();
    all.filter(|refund| refund["payment_intent"] == intent)
        .count()
}

fn steps(payment: &Value) -> Vec<String> {
    let history = payment["history"].as_array().unwrap().iter();
    history.map(|entry| text(&entry["to"])).collect()
}

fn a_payment_goes_from_its_beginning_to_its_end(api: &Api) {
    let founder = founder(api);
    let answer = begin(api, &founder, "k");
    let data = answer.data(201);
    let (id, intent) = (text(&data["id"]), text(&data["paymentIntent"]));
    assert_eq!(
        answer.header("location"),
        Some(format!("/api/v1/payments/{id}").as_str())
    );
    assert_eq!(data["status"], "payment_pending");
    assert_eq!(
        (&data["amountMinor"], &data["currency"]),
        (&json!(9_800), &json!("eur"))
    );
    assert!(text(&data["clientSecret"]).starts_with(&format!("{intent}_secret_")));
    assert!(data["nextAction"].is_null() && data["paidAt"].is_null());
    let [asked] = &posted(&id, "/v1/payment_intents")[..] else {
        panic!("not one")
    };
    let params = asked.params();
    assert_eq!(params["amount"], "9800");
    assert_eq!(
        params["metadata"],
        json!({"payment_id": id, "tenant_id": founder.tenant})
    );
    // Nobody's order is told to Stripe, and the secret to nobody who asks later.
    let seen = see(api, &founder, &id);
    assert!(!seen.text().contains("_secret_"));
    assert_eq!(seen.data(200)["status"], "payment_pending");
    act(api, &founder, "POST", &format!("{id}/confirm"), "early").refused(409, "STATE_CONFLICT");
    stripe().process_intent(&intent);
    tell(api, "payment_intent.processing", &intent);
    assert_eq!(status(api, &founder, &id), "processing");
    pay(api, &intent);
    let paid = see(api, &founder, &id).data(200);
    assert_eq!(
        (&paid["status"], &paid["paymentMethod"]),
        (&json!("paid"), &json!("pm_card_visa"))
    );
    act(api, &founder, "POST", &format!("{id}/complete"), "early").refused(409, "STATE_CONFLICT");
    let confirmed = act(api, &founder, "POST", &format!("{id}/confirm"), "c").data(200);
    assert_eq!(confirmed["status"], "confirmed");
    let completed = act(api, &founder, "POST", &format!("{id}/complete"), "d").data(200);
    assert_eq!(completed["status"], "completed");
    // As it was answered, so it is.
    let mut seen = see(api, &founder, &id).data(200);
    assert_eq!(
        steps(&seen),
        [
            "payment_pending",
            "processing",
            "paid",
            "confirmed",
            "completed"
        ]
    );
    seen.as_object_mut().unwrap().remove("history");
    assert_eq!(seen, completed);
    let times = ["createdAt", "paidAt", "confirmedAt", "completedAt"].map(|name| text(&seen[name]));
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(paid["paidAt"], seen["paidAt"]);
    let log = api
        .get("/api/v1/organizations/audit")
        .bearer(&founder.access)
        .send()
        .text();
    for act in ["payment.create", "payment.confirm", "payment.complete"] {
        assert!(log.contains(act), "{act}: {log}");
    }
}

fn only_who_may_sees_it(api: &Api) {
    let host = founder(api);
    let (admin, payer, colleague) = (
        member(api, &host, "admin"),
        member(api, &host, "client"),
        member(api, &host, "agent"),
    );
    let (id, _) = begun(api, &payer);
    for who in [&payer, &admin, &host] {
        assert_eq!(see(api, who, &id).data(200)["createdBy"], json!(payer.user));
    }
    let refused = see(api, &colleague, &id).refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "payments:all");
    act(api, &colleague, "DELETE", &id, "x").refused(403, "FORBIDDEN");
    let stranger = founder(api);
    see(api, &stranger, &id).refused(404, "NOT_FOUND");
    act(api, &stranger, "DELETE", &id, "x").refused(404, "NOT_FOUND");
    act(api, &stranger, "POST", &format!("{id}/confirm"), "x").refused(404, "NOT_FOUND");
    for who in [&payer, &colleague] {
        let confirm = act(api, who, "POST", &format!("{id}/confirm"), "y");
        confirm.refused(403, "FORBIDDEN");
    }
    let list = |who: &Founder| {
        let all = api
            .get("/api/v1/payments")
            .bearer(&who.access)
            .send()
            .data(200);
        all.as_array().unwrap().len()
    };
    let seen = [&payer, &admin, &colleague, &stranger].map(list);
    assert_eq!(seen, [1, 1, 0, 0]);
    // Who is an admin no more sees their own alone.
    give(api, &host, &admin, "agent").data(200);
    see(api, &admin, &id).refused(403, "FORBIDDEN");
    act(api, &payer, "DELETE", &id, "x").data(200);
    // What was granted is not given back by whoever got it.
    let data = begin(api, &payer, "granted").data(201);
    let (id, intent) = (text(&data["id"]), text(&data["paymentIntent"]));
    pay(api, &intent);
    act(api, &host, "POST", &format!("{id}/confirm"), "granted").data(200);
    act(api, &payer, "DELETE", &id, "granted").refused(403, "FORBIDDEN");
    assert_eq!(status(api, &payer, &id), "confirmed");
    act(api, &host, "DELETE", &id, "given-back").data(200);
}

fn what_was_not_paid_is_cancelled(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    let call = api.delete(&format!("/api/v1/payments/{id}"));
    call.bearer(&founder.access)
        .send()
        .refused(400, "IDEMPOTENCY_KEY_MISSING");
    let cancelled = act(api, &founder, "DELETE", &id, "x").data(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert!(cancelled["cancelledAt"].is_string() && cancelled["refundedAt"].is_null());
    assert_eq!(stripe().object(&intent).unwrap()["status"], "canceled");
    tell(api, "payment_intent.canceled", &intent);
    // The same key gives the same answer, another one has nothing to cancel.
    let again = act(api, &founder, "DELETE", &id, "x");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.data(200), cancelled);
    act(api, &founder, "DELETE", &id, "y").refused(409, "STATE_CONFLICT");
    assert_eq!(posted(&intent, "/cancel").len(), 1);
    // Who gave up at Stripe gave up here.
    let second = begin(api, &founder, "second").data(201);
    let intent = text(&second["paymentIntent"]);
    stripe().change(&intent, |of| of["status"] = json!("canceled"));
    tell(api, "payment_intent.canceled", &intent);
    assert_eq!(status(api, &founder, &text(&second["id"])), "cancelled");
}

fn what_was_paid_goes_back(api: &Api) {
    let founder = founder(api);
    for until in ["paid", "confirmed", "completed"] {
        let data = begin(api, &founder, until).data(201);
        let (id, intent) = (text(&data["id"]), text(&data["paymentIntent"]));
        pay(api, &intent);
        if until != "paid" {
            act(api, &founder, "POST", &format!("{id}/confirm"), until).data(200);
        }
        if until == "completed" {
            act(api, &founder, "POST", &format!("{id}/complete"), until).data(200);
        }
        let cancelled = act(api, &founder, "DELETE", &id, until).data(200);
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(cancelled["refundedMinor"], cancelled["amountMinor"]);
        let charge = text(&stripe().object(&intent).unwrap()["latest_charge"]);
        tell(api, "charge.refunded", &charge);
        tell(api, "payment_intent.succeeded", &intent);
        let seen = see(api, &founder, &id).data(200);
        assert_eq!(
            (refunds(&intent), &seen["refundedAt"]),
            (1, &cancelled["refundedAt"])
        );
        assert_eq!(steps(&seen).last().map(String::as_str), Some("cancelled"));
    }
}

fn a_failure_is_kept_until_the_next_attempt(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    stripe().decline_intent(&intent);
    tell(api, "payment_intent.payment_failed", &intent);
    let failed = see(api, &founder, &id).data(200);
    assert_eq!(
        (&failed["status"], &failed["error"]),
        (&json!("payment_failed"), &json!("card_declined"))
    );
    // Another card, with the same secret.
    pay(api, &intent);
    let paid = see(api, &founder, &id).data(200);
    assert_eq!(
        (&paid["status"], &paid["error"]),
        (&json!("paid"), &Value::Null)
    );
    assert_eq!(
        steps(&paid),
        ["payment_pending", "payment_failed", "processing", "paid"]
    );
}

fn a_webhook_replay_changes_nothing(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    stripe().pay_intent(&intent);
    let event = stripe().event("payment_intent.succeeded", &intent);
    deliver(api, &event).data(200);
    let paid = see(api, &founder, &id).data(200);
    for _ in 0..5 {
        assert_eq!(deliver(api, &event).data(200)["duplicate"], true);
        // And as another event.
        tell(api, "payment_intent.succeeded", &intent);
    }
    assert_eq!(see(api, &founder, &id).data(200), paid);
    for _ in 0..2 {
        run_task(api, "outbox", 0);
        run_task(api, "mail", 0);
    }
    let mut told = mails(api, &founder.email);
    told.retain(|mail| mail["text"].as_str().unwrap_or_default().contains(&id));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(text(&told[0]["text"]).contains("98.00 EUR"), "{told:?}");
}

fn a_webhook_comes_before_the_first_poll(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    pay(api, &intent);
    let seen = see(api, &founder, &id).data(200);
    assert_eq!(seen["status"], "paid");
    let causes = seen["history"].as_array().unwrap();
    assert!(text(&causes[2]["cause"]).starts_with("evt_"), "{causes:?}");
}

/// The host looks, as nobody does for the payer whose browser is gone.
fn a_closed_browser_changes_nothing(api: &Api) {
    let host = founder(api);
    let payer = member(api, &host, "client");
    let (id, intent) = begun(api, &payer);
    api.post("/api/v1/auth/logout", &json!({}))
        .bearer(&payer.access)
        .send()
        .data(200);
    pay(api, &intent);
    assert_eq!(status(api, &host, &id), "paid");
    run_task(api, "outbox", 0);
    run_task(api, "mail", 0);
    // Who has paid is told, and nobody else.
    let told = |who: &Founder| {
        let all = mails(api, &who.email).into_iter();
        all.filter(|mail| mail["text"].as_str().unwrap_or_default().contains(&id))
            .count()
    };
    assert_eq!((told(&payer), told(&host)), (1, 0));
}

fn a_double_post_makes_one_payment(api: &Api) {
    let founder = founder(api);
    product(api);
    let body = json!({"product": "acceptance"});
    let answers = api.parallel(6, |_| post(api, &founder, "k", &body));
    let mut ids: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.data(201))
        .map(|data| (text(&data["id"]), text(&data["clientSecret"])))
        .collect();
    assert!(!ids.is_empty(), "{}", answers[0].text());
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let again = post(api, &founder, "k", &body);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.data(201)["clientSecret"], json!(ids[0].1));
    let mut intents = stripe().all("payment_intent");
    intents.retain(|intent| intent["metadata"]["tenant_id"] == json!(founder.tenant));
    assert_eq!(intents.len(), 1, "{intents:?}");
    let all = api
        .get("/api/v1/payments")
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(all.as_array().unwrap().len(), 1);
    let other = json!({"product": "acceptance", "quantity": 2});
    post(api, &founder, "k", &other).refused(409, "IDEMPOTENCY_KEY_REUSED");
}

fn the_amount_is_ours(api: &Api) {
    let founder = founder(api);
    product(api);
    for (body, field) in [
        (json!({}), "product"),
        (json!({"product": "nothing"}), "product"),
        (json!({"product": 7}), "product"),
        (json!({"product": "acceptance", "quantity": 0}), "quantity"),
        (json!({"product": "acceptance", "quantity": -1}), "quantity"),
        (
            json!({"product": "acceptance", "quantity": 1.5}),
            "quantity",
        ),
        (json!({"product": "acceptance", "quantity": 11}), "quantity"),
        (json!({"product": "acceptance", "amount": 1}), "amount"),
        (
            json!({"product": "acceptance", "amountMinor": 1}),
            "amountMinor",
        ),
        (
            json!({"product": "acceptance", "currency": "usd"}),
            "currency",
        ),
        (json!({"product": "acceptance", "metadata": []}), "metadata"),
    ] {
        post(api, &founder, "k", &body).blames(field);
    }
    // What it costs is fixed when it is begun.
    let price = |amount: i64| {
        let body = json!({"name": "Report", "unitAmountMinor": amount, "currency": "usd"});
        set(api, "acceptance-price", &body).data(200);
    };
    price(100);
    let first = post(api, &founder, "a", &json!({"product": "acceptance-price"})).data(201);
    price(200);
    let second = post(api, &founder, "b", &json!({"product": "acceptance-price"})).data(201);
    let amounts = [&first, &second].map(|data| data["amountMinor"].clone());
    assert_eq!(amounts, [json!(100), json!(200)]);
    assert_eq!(first["currency"], "usd");
}

fn products_are_the_operators(api: &Api) {
    let founder = founder(api);
    let body = |active: bool| json!({"name": "Gone", "unitAmountMinor": 5, "currency": "eur", "active": active});
    let keys = || {
        let call = api.get("/api/v1/payments/products").bearer(&founder.access);
        let all = call.send().data(200);
        let keys = all.as_array().unwrap().iter().map(|one| text(&one["key"]));
        keys.collect::<Vec<_>>()
    };
    set(api, "acceptance-gone", &body(true)).data(200);
    assert!(keys().contains(&"acceptance-gone".to_owned()));
    set(api, "acceptance-gone", &body(false)).data(200);
    assert!(!keys().contains(&"acceptance-gone".to_owned()));
    post(api, &founder, "k", &json!({"product": "acceptance-gone"})).blames("product");
    for (change, field) in [
        (json!({"currency": "EUR"}), "currency"),
        (json!({"currency": "euro"}), "currency"),
        (json!({"unitAmountMinor": 0}), "unitAmountMinor"),
        (json!({"unitAmountMinor": 100_000_000}), "unitAmountMinor"),
        (json!({"maxQuantity": 0}), "maxQuantity"),
        (json!({"name": ""}), "name"),
    ] {
        let mut bad = body(true);
        for (name, value) in change.as_object().unwrap() {
            bad[name] = value.clone();
        }
        set(api, "acceptance-bad", &bad).blames(field);
    }
}

fn of_two_transitions_one_wins(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    pay(api, &intent);
    let answers = api.parallel(8, |n| {
        act(
            api,
            &founder,
            "POST",
            &format!("{id}/confirm"),
            &format!("k{n}"),
        )
    });
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "STATE_CONFLICT");
    }
    let seen = see(api, &founder, &id).data(200);
    assert_eq!(steps(&seen).len(), 4, "{seen}");
}

fn a_cancellation_wins_once(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    pay(api, &intent);
    let answers = api.parallel(8, |n| match n % 2 {
        0 => act(api, &founder, "DELETE", &id, &format!("d{n}")),
        _ => act(
            api,
            &founder,
            "POST",
            &format!("{id}/confirm"),
            &format!("c{n}"),
        ),
    });
    for answer in &answers {
        // Beside others at Stripe it may be told to come again.
        assert!(
            matches!(answer.status, 200 | 409 | 503),
            "{}",
            answer.text()
        );
    }
    if status(api, &founder, &id) != "cancelled" {
        act(api, &founder, "DELETE", &id, "last").data(200);
    }
    assert_eq!(refunds(&intent), 1);
    let seen = see(api, &founder, &id).data(200);
    let ends = steps(&seen)
        .into_iter()
        .filter(|to| to == "cancelled")
        .count();
    assert_eq!((&seen["status"], ends), (&json!("cancelled"), 1), "{seen}");
}

fn a_late_success_goes_back(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    stripe().process_intent(&intent);
    tell(api, "payment_intent.processing", &intent);
    // Nobody can stop the bank.
    act(api, &founder, "DELETE", &id, "x").data(200);
    for _ in 0..3 {
        stripe().pay_intent(&intent);
        tell(api, "payment_intent.succeeded", &intent);
    }
    let seen = see(api, &founder, &id).data(200);
    assert_eq!(
        (&seen["status"], refunds(&intent)),
        (&json!("cancelled"), 1)
    );
    assert_eq!(seen["refundedMinor"], seen["amountMinor"]);
    assert!(seen["paidAt"].is_null() && seen["refundedAt"].is_string());
    let last = seen["history"].as_array().unwrap().last().unwrap().clone();
    assert!(text(&last["cause"]).starts_with("evt_"), "{last}");
}

fn another_tenant_in_the_header_changes_nothing(api: &Api) {
    let (founder, other) = (founder(api), founder(api));
    let (id, _) = begun(api, &founder);
    let call = api.get(&format!("/api/v1/payments/{id}"));
    let call = call
        .bearer(&other.access)
        .header("x-tenant-id", &founder.tenant);
    let answer = call.send();
    assert!(
        matches!(answer.status, 400 | 403 | 404),
        "{}",
        answer.text()
    );
    product(api);
    let call = api.post("/api/v1/payments", &json!({"product": "acceptance"}));
    let call = call.bearer(&other.access).header("idempotency-key", "k");
    call.header("x-tenant-id", &founder.tenant).send();
    let all = api
        .get("/api/v1/payments")
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(all.as_array().unwrap().len(), 1);
}

fn pages_have_limits(api: &Api) {
    let founder = founder(api);
    product(api);
    let mut ids = Vec::new();
    for n in 0..3 {
        let made = post(
            api,
            &founder,
            &format!("k{n}"),
            &json!({"product": "acceptance"}),
        );
        ids.push(text(&made.data(201)["id"]));
    }
    walk_pages(api, &founder, "/api/v1/payments", 3);
    act(api, &founder, "DELETE", &ids[1], "x").data(200);
    let list = |status: &str| {
        let path = format!("/api/v1/payments?status={status}");
        api.get(&path).bearer(&founder.access).send()
    };
    let found = |status| list(status).data(200).as_array().unwrap().len();
    assert_eq!(
        (found("cancelled"), found("payment_pending"), found("paid")),
        (1, 2, 0)
    );
    list("canceled").blames("status");
    see(api, &founder, "pay_x").refused(404, "NOT_FOUND");
}

fn metadata_changes_by_version(api: &Api) {
    let founder = founder(api);
    let (id, _) = begun(api, &founder);
    let path = format!("/api/v1/payments/{id}");
    let change = |body: Value| api.patch(&path, &body).bearer(&founder.access);
    let other = json!({"metadata": {"order": "1008"}});
    change(other.clone())
        .send()
        .refused(428, "PRECONDITION_REQUIRED");
    let changed = change(other.clone())
        .header("if-match", "\"v1\"")
        .send()
        .data(200);
    assert_eq!(
        (&changed["metadata"], &changed["version"]),
        (&json!({"order": "1008"}), &json!(2))
    );
    change(other)
        .header("if-match", "\"v1\"")
        .send()
        .refused(412, "PRECONDITION_FAILED");
    let old = json!({"metadata": {}, "version": 1});
    change(old).send().refused(409, "VERSION_CONFLICT");
    change(json!({"status": "paid", "metadata": {}, "version": 2}))
        .send()
        .blames("status");
    let known = api
        .get(&path)
        .bearer(&founder.access)
        .header("if-none-match", "\"v2\"");
    assert_eq!(known.send().status, 304);
}

fn the_next_action_is_shown(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    stripe().challenge_intent(&intent);
    tell(api, "payment_intent.requires_action", &intent);
    let seen = see(api, &founder, &id).data(200);
    assert_eq!(seen["status"], "payment_pending");
    assert_eq!(seen["nextAction"], json!({"type": "redirect_to_url"}));
    // Whoever comes back with the same key is told, too.
    assert_eq!(
        begin(api, &founder, "begun").data(201)["nextAction"],
        seen["nextAction"]
    );
    pay(api, &intent);
    assert!(see(api, &founder, &id).data(200)["nextAction"].is_null());
}

fn a_missed_webhook_is_made_up_for(api: &Api) {
    let founder = founder(api);
    let (id, intent) = begun(api, &founder);
    stripe().pay_intent(&intent);
    // Others' payments are due, too, and a tick reads some.
    for _ in 0..20 {
        run_task(api, "billing", 20 * 60_000);
        if status(api, &founder, &id) == "paid" {
            return;
        }
    }
    panic!("{}", see(api, &founder, &id).text());
}
