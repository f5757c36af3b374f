//! Buying, changing and ending a subscription: what we ask of Stripe, and that plans follow from its
//! webhook alone.

use edgekeep_fake_stripe::{Asked, Fate};
use serde_json::{Value, json};

use super::billing::{PROFESSIONAL, plan};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, STARTER, deliver, founder, limit, member, text, upgrade};
use crate::stripe::stripe;

tests! { "billing":
    a_plan_is_bought_at_checkout ["H-19" "H-20"];
    a_lost_answer_makes_one_checkout ["H-20" "F-03"];
    two_checkouts_never_make_two_subscriptions ["H-19"];
    checkouts_side_by_side_leave_one_open ["H-19"];
    a_plan_goes_up_and_down ["H-19" "H-20"];
    a_subscription_ends_with_its_period_and_comes_back ["H-19"];
    a_subscription_ends_at_once ["H-19"];
    the_portal_is_for_who_has_bought ["H-19"];
    only_who_may_buys ["B-03" "H-19"];
    browsers_come_back_to_our_frontend_alone ["H-19"];
    what_stripe_refuses_is_told_without_its_words ["H-20"];
    payments_have_a_limit_of_their_own ["E-01"];
}

fn post(api: &Api, who: &Founder, path: &str, body: &Value) -> Answer {
    api.post(path, body).bearer(&who.access).send()
}

fn checkout(api: &Api, who: &Founder, key: &str, plan: &str) -> Answer {
    api.post("/api/v1/billing/checkout", &json!({"plan": plan}))
        .bearer(&who.access)
        .header("idempotency-key", key)
        .send()
}

fn change(api: &Api, who: &Founder, key: &str, body: &Value) -> Answer {
    api.call("PUT", "/api/v1/billing/subscription")
        .json(body)
        .bearer(&who.access)
        .header("idempotency-key", key)
        .send()
}

fn cancel(api: &Api, who: &Founder, query: &str) -> Answer {
    api.call("DELETE", &format!("/api/v1/billing/subscription{query}"))
        .bearer(&who.access)
        .send()
}

fn shown(api: &Api, who: &Founder) -> Value {
    let call = api.get("/api/v1/billing/subscription");
    call.bearer(&who.access).send().data(200)
}

/// What Stripe was asked to make for a tenant.
fn posted(who: &Founder, path: &str) -> Vec<Asked> {
    let asked = stripe().asked(&who.tenant);
    let own = asked.into_iter();
    own.filter(|asked| asked.method == "POST" && asked.path == path)
        .collect()
}

/// Somebody pays, and Stripe tells of it; the subscription's id.
fn pay(api: &Api, session: &str) -> String {
    let id = stripe().pay_checkout(session);
    tell(api, "created", &id);
    id
}

fn tell(api: &Api, what: &str, id: &str) {
    let event = stripe().event(&format!("customer.subscription.{what}"), id);
    deliver(api, &event).data(200);
}

/// A founder who pays for STARTER, and the subscription.
fn buyer(api: &Api) -> (Founder, String) {
    let founder = founder(api);
    let session = checkout(api, &founder, "k", "STARTER").data(201);
    let id = pay(api, &text(&session["id"]));
    assert_eq!(plan(api, &founder), "STARTER");
    (founder, id)
}

fn a_plan_is_bought_at_checkout(api: &Api) {
    let founder = founder(api);
    let t = &founder.tenant;
    api.post("/api/v1/billing/checkout", &json!({"plan": "STARTER"}))
        .bearer(&founder.access)
        .send()
        .refused(400, "IDEMPOTENCY_KEY_MISSING");
    let session = checkout(api, &founder, "k", "STARTER").data(201);
    assert!(text(&session["url"]).starts_with("https://checkout.stripe.com/"));
    let [asked] = &posted(&founder, "/v1/checkout/sessions")[..] else {
        panic!("not one")
    };
    let params = asked.params();
    assert_eq!(params["client_reference_id"], json!(t));
    assert_eq!(params["metadata"]["tenant_id"], json!(t));
    assert_eq!(
        params["subscription_data"]["metadata"]["tenant_id"],
        json!(t)
    );
    assert!(!asked.header("idempotency-key").contains(t.as_str()));
    // The same key again asks nobody.
    let again = checkout(api, &founder, "k", "STARTER");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.data(201), session);
    assert_eq!(posted(&founder, "/v1/checkout/sessions").len(), 1);
    // Nothing is bought until Stripe tells.
    let id = stripe().pay_checkout(&text(&session["id"]));
    assert_eq!(plan(api, &founder), "FREE");
    tell(api, "created", &id);
    assert_eq!(plan(api, &founder), "STARTER");
    checkout(api, &founder, "k2", "PROFESSIONAL").refused(409, "STATE_CONFLICT");
    for (bad, code) in [("FREE", "VALIDATION"), ("GOLD", "VALIDATION")] {
        checkout(api, &founder, bad, bad).refused(400, code);
    }
}

/// Whatever answer is lost on the way, the client's repetition gets the one page.
fn a_lost_answer_makes_one_checkout(api: &Api) {
    for place in ["customers", "checkout/sessions"] {
        let founder = founder(api);
        // With the customer made, it is the page whose making is not heard of.
        if place == "checkout/sessions" {
            checkout(api, &founder, "other", "STARTER").data(201);
        }
        stripe().doom(&founder.tenant, Fate::Lost, 3);
        let first = checkout(api, &founder, "k", "STARTER");
        first.refused(503, "UPSTREAM_FAILED");
        stripe().forgive(&founder.tenant);
        let session = checkout(api, &founder, "k", "STARTER").data(201);
        let stripe = stripe();
        let mut open = stripe.all("checkout.session");
        open.retain(|one| {
            one["client_reference_id"] == json!(founder.tenant) && one["status"] == "open"
        });
        assert_eq!(open.len(), 1);
        assert_eq!(open[0]["id"], session["id"]);
        let mut customers = stripe.all("customer");
        customers.retain(|one| one["metadata"]["tenant_id"] == json!(founder.tenant));
        assert_eq!(customers.len(), 1);
    }
}

fn two_checkouts_never_make_two_subscriptions(api: &Api) {
    let founder = founder(api);
    let first = checkout(api, &founder, "1", "STARTER").data(201);
    let second = checkout(api, &founder, "2", "PROFESSIONAL").data(201);
    let state = |session: &Value| {
        let stripe = stripe();
        stripe.object(&text(&session["id"])).unwrap()["status"].clone()
    };
    assert_eq!(
        (state(&first), state(&second)),
        (json!("expired"), json!("open"))
    );
    // Paid, and the webhook is late: Stripe knows, so we do.
    let id = stripe().pay_checkout(&text(&second["id"]));
    checkout(api, &founder, "3", "STARTER").refused(409, "STATE_CONFLICT");
    tell(api, "created", &id);
    assert_eq!(plan(api, &founder), "PROFESSIONAL");
}

fn checkouts_side_by_side_leave_one_open(api: &Api) {
    let founder = founder(api);
    let answers = api.parallel(8, |n| checkout(api, &founder, &format!("k{n}"), "STARTER"));
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(made >= 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "IDEMPOTENCY_IN_PROGRESS");
        assert!(answer.header("retry-after").is_some());
    }
    let mut open = stripe().all("checkout.session");
    open.retain(|one| {
        one["client_reference_id"] == json!(founder.tenant) && one["status"] == "open"
    });
    assert_eq!(open.len(), 1, "{open:?}");
}

fn a_plan_goes_up_and_down(api: &Api) {
    let (founder, id) = buyer(api);
    let up = change(api, &founder, "up", &json!({"plan": "PROFESSIONAL"})).data(202);
    assert_eq!(up["subscription"]["status"], "active");
    assert_eq!(up["subscription"]["plan"], "PROFESSIONAL");
    assert_eq!(plan(api, &founder), "STARTER");
    tell(api, "updated", &id);
    assert_eq!(plan(api, &founder), "PROFESSIONAL");
    let body = json!({"plan": "STARTER", "proration": "none"});
    change(api, &founder, "down", &body).data(202);
    change(api, &founder, "down", &body).data(202);
    tell(api, "updated", &id);
    assert_eq!(plan(api, &founder), "STARTER");
    let mut asked = stripe().asked(&id);
    asked.retain(|asked| asked.method == "POST");
    let told: Vec<_> = asked
        .iter()
        .map(|asked| asked.params()["proration_behavior"].clone())
        .collect();
    assert_eq!(told, ["create_prorations", "none"]);
    change(api, &founder, "x", &json!({"plan": "FREE"})).refused(400, "VALIDATION");
    let odd = json!({"plan": "STARTER", "proration": "half"});
    change(api, &founder, "y", &odd).refused(400, "VALIDATION");
    // Ours follow from Stripe's hand alone, as from the portal or the dashboard.
    let price = stripe().price(PROFESSIONAL, 0);
    stripe().change(&id, |of| {
        of["items"]["data"][0]["price"] = json!({"id": price, "lookup_key": PROFESSIONAL})
    });
    tell(api, "updated", &id);
    assert_eq!(plan(api, &founder), "PROFESSIONAL");
}

fn a_subscription_ends_with_its_period_and_comes_back(api: &Api) {
    let (founder, id) = buyer(api);
    let ends = cancel(api, &founder, "").data(202);
    assert_eq!(
        ends["subscription"]["cancelAt"],
        ends["subscription"]["currentPeriodEnd"]
    );
    assert!(shown(api, &founder)["subscription"]["cancelAt"].is_null());
    tell(api, "updated", &id);
    assert!(shown(api, &founder)["subscription"]["cancelAt"].is_string());
    assert_eq!(plan(api, &founder), "STARTER");
    let resumed = post(
        api,
        &founder,
        "/api/v1/billing/subscription/resume",
        &json!({}),
    )
    .data(202);
    assert!(resumed["subscription"]["cancelAt"].is_null());
    tell(api, "updated", &id);
    assert!(shown(api, &founder)["subscription"]["cancelAt"].is_null());
    let log = api
        .get("/api/v1/organizations/audit")
        .bearer(&founder.access)
        .send()
        .text();
    for act in ["billing.checkout", "billing.cancel", "billing.resume"] {
        assert!(log.contains(act), "{act}: {log}");
    }
}

fn a_subscription_ends_at_once(api: &Api) {
    let (founder, id) = buyer(api);
    cancel(api, &founder, "?now=perhaps").refused(400, "VALIDATION");
    // The answer to the first attempt is lost, and its repetition finds nothing to end.
    stripe().doom(&id, Fate::Lost, 1);
    let ended = cancel(api, &founder, "?now=true").data(202);
    assert_eq!(ended["subscription"]["status"], "canceled");
    assert_eq!(plan(api, &founder), "STARTER");
    tell(api, "deleted", &id);
    assert_eq!(plan(api, &founder), "FREE");
    cancel(api, &founder, "?now=true").refused(409, "STATE_CONFLICT");
    change(api, &founder, "x", &json!({"plan": "STARTER"})).refused(409, "STATE_CONFLICT");
    // And can be bought anew.
    let session = checkout(api, &founder, "again", "STARTER").data(201);
    pay(api, &text(&session["id"]));
    assert_eq!(plan(api, &founder), "STARTER");
}

fn the_portal_is_for_who_has_bought(api: &Api) {
    let stranger = founder(api);
    post(api, &stranger, "/api/v1/billing/portal", &json!({})).refused(409, "STATE_CONFLICT");
    let (founder, _) = buyer(api);
    let page = post(api, &founder, "/api/v1/billing/portal", &json!({})).data(200);
    assert!(text(&page["url"]).starts_with("https://billing.stripe.com/"));
}

fn only_who_may_buys(api: &Api) {
    let (founder, _) = buyer(api);
    for (role, may) in [("admin", true), ("agent", false), ("client", false)] {
        let who = member(api, &founder, role);
        for answer in [
            checkout(api, &who, role, "STARTER"),
            change(api, &who, role, &json!({"plan": "STARTER"})),
            post(api, &who, "/api/v1/billing/portal", &json!({})),
            post(api, &who, "/api/v1/billing/subscription/resume", &json!({})),
            cancel(api, &who, ""),
        ] {
            if may {
                assert!(
                    [200, 202, 409].contains(&answer.status),
                    "{role}: {}",
                    answer.text()
                );
            } else {
                answer.refused(403, "FORBIDDEN");
                assert_eq!(answer.json()["error"]["permission"], "billing:write");
            }
        }
    }
}

fn browsers_come_back_to_our_frontend_alone(api: &Api) {
    let (founder, _) = buyer(api);
    for bad in [
        "https://evil.example.com/",
        "http://127.0.0.1:8787.evil.example.com/",
        "http://127.0.0.1:87870/",
        "http://user@127.0.0.1:8787/",
        "//127.0.0.1:8787/",
        "javascript:alert(1)",
        "/billing",
        "http://127.0.0.1:8787/\\evil",
    ] {
        let body = json!({"returnUrl": bad});
        post(api, &founder, "/api/v1/billing/portal", &body).refused(400, "VALIDATION");
    }
    let good = json!({"returnUrl": "http://127.0.0.1:8787/settings?tab=billing"});
    post(api, &founder, "/api/v1/billing/portal", &good).data(200);
}

fn what_stripe_refuses_is_told_without_its_words(api: &Api) {
    let (founder, id) = buyer(api);
    for (number, (fate, status, code)) in [
        (Fate::Declined, 402, "PAYMENT_REFUSED"),
        (Fate::Status(400), 503, "UPSTREAM_REFUSED"),
        (Fate::Status(401), 503, "BILLING_NOT_CONFIGURED"),
    ]
    .into_iter()
    .enumerate()
    {
        stripe().doom(&id, fate, 1);
        let answer = change(
            api,
            &founder,
            &format!("k{number}"),
            &json!({"plan": "PROFESSIONAL"}),
        );
        answer.refused(status, code);
        assert!(!answer.text().contains("told to fail") && !answer.text().contains("Your card"));
        if code == "PAYMENT_REFUSED" {
            assert_eq!(answer.json()["error"]["reason"], "card_declined");
        }
        // The same key may be tried again.
        change(
            api,
            &founder,
            &format!("k{number}"),
            &json!({"plan": "PROFESSIONAL"}),
        )
        .data(202);
    }
}

fn payments_have_a_limit_of_their_own(api: &Api) {
    let founder = founder(api);
    limit(api, &founder.tenant, "payments=2");
    upgrade(api, &founder.tenant, STARTER);
    let portal = || post(api, &founder, "/api/v1/billing/portal", &json!({})).status;
    let answers: Vec<u16> = (0..6).map(|_| portal()).collect();
    assert!(answers.contains(&429), "{answers:?}");
    assert_eq!(plan(api, &founder), "STARTER");
}
