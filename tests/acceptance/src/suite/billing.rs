//! Stripe events and plans.

use edgekeep_core::stripe::sign;
use edgekeep_fake_stripe::Fate;
use serde_json::json;

use super::tests;
use crate::api::Api;
use crate::fixture::{
    Founder, STARTER, api_key, founder, send_events, stripe_event, subscription_event,
};
use crate::stripe::stripe;

pub(super) const PROFESSIONAL: &str = "edgekeep_professional_monthly";

tests! { "billing":
    plans_are_public ["H-16" "M-09"];
    an_event_puts_the_tenant_on_its_plan [];
    repetitions_change_nothing ["H-08"];
    parallel_deliveries_apply_once ["H-08"];
    order_does_not_matter ["H-10"];
    wrong_signatures_change_nothing ["H-03" "H-04" "H-05"];
    an_upgrade_holds_on_the_next_request ["H-28" "AB-05" "AB-07"];
    malformed_events_are_4xx ["AD-16"];
    an_event_is_two_round_trips ["AC-09"];
    stripes_own_word_counts ["H-10" "H-20"];
    what_stripe_does_not_know_is_ignored ["H-14"];
    stripe_is_asked_again_until_it_answers ["H-09" "H-20"];
}

pub(super) fn plan(api: &Api, founder: &Founder) -> String {
    let answer = api
        .get("/api/v1/billing/subscription")
        .bearer(&founder.access)
        .send();
    answer.data(200)["plan"].as_str().unwrap().to_owned()
}

fn plans_are_public(api: &Api) {
    let plans = api.get("/api/v1/billing/plans").send().data(200);
    let ids: Vec<&str> = plans
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| plan["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["FREE", "STARTER", "PROFESSIONAL", "ENTERPRISE"]);
    assert_eq!(plans[0]["monthlyEvents"], 1000);
    assert!(plans[3]["monthlyEvents"].is_null());
    assert_eq!(plans[0]["features"], json!([]));
    assert_eq!(plans[1]["features"], json!(["custom_roles", "teams"]));
}

fn an_event_puts_the_tenant_on_its_plan(api: &Api) {
    let founder = founder(api);
    let now = api.now().seconds();
    let t = &founder.tenant;
    let event = subscription_event(&format!("evt_1_{t}"), "created", now, t, "active", STARTER);
    stripe_event(api, &event).data(200);
    let answer = api
        .get("/api/v1/billing/subscription")
        .bearer(&founder.access)
        .send();
    let data = answer.data(200);
    assert_eq!(data["plan"], "STARTER");
    assert_eq!(data["subscription"]["status"], "active");
    assert!(data["subscription"]["currentPeriodEnd"].is_string());
    let me = api
        .get("/api/v1/auth/me")
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(me["tenant"]["plan"], "STARTER");
    let end = subscription_event(
        &format!("evt_2_{t}"),
        "deleted",
        now + 1,
        t,
        "canceled",
        STARTER,
    );
    stripe_event(api, &end).data(200);
    assert_eq!(plan(api, &founder), "FREE");
}

fn repetitions_change_nothing(api: &Api) {
    let founder = founder(api);
    let now = api.now().seconds();
    let t = &founder.tenant;
    let first = subscription_event(&format!("evt_1_{t}"), "created", now, t, "active", STARTER);
    let second = subscription_event(
        &format!("evt_2_{t}"),
        "updated",
        now + 5,
        t,
        "active",
        PROFESSIONAL,
    );
    assert_eq!(stripe_event(api, &first).data(200)["duplicate"], false);
    stripe_event(api, &second).data(200);
    for _ in 0..5 {
        assert_eq!(stripe_event(api, &first).data(200)["duplicate"], true);
    }
    assert_eq!(plan(api, &founder), "PROFESSIONAL");
}

fn parallel_deliveries_apply_once(api: &Api) {
    let founder = founder(api);
    let now = api.now().seconds();
    let t = &founder.tenant;
    let event = subscription_event(&format!("evt_1_{t}"), "created", now, t, "active", STARTER);
    let answers = api.parallel(10, |_| stripe_event(api, &event));
    let applied = answers
        .iter()
        .filter(|answer| answer.status == 200 && answer.json()["data"]["duplicate"] == false)
        .count();
    assert_eq!(applied, 1);
    // The others were told that it is done, or to come again.
    assert!(
        answers
            .iter()
            .all(|answer| [200, 503].contains(&answer.status))
    );
    assert_eq!(plan(api, &founder), "STARTER");
}

fn order_does_not_matter(api: &Api) {
    let now = api.now().seconds();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let founder = founder(api);
        let t = &founder.tenant;
        // All in the same second, as Stripe does it.
        let events = [
            subscription_event(
                &format!("evt_1_{t}"),
                "created",
                now,
                t,
                "incomplete",
                STARTER,
            ),
            subscription_event(
                &format!("evt_2_{t}"),
                "updated",
                now,
                t,
                "active",
                PROFESSIONAL,
            ),
            subscription_event(
                &format!("evt_3_{t}"),
                "deleted",
                now,
                t,
                "canceled",
                PROFESSIONAL,
            ),
        ];
        for index in order {
            stripe_event(api, &events[index]).data(200);
        }
        assert_eq!(plan(api, &founder), "FREE", "{order:?}");
    }
}

fn wrong_signatures_change_nothing(api: &Api) {
    let founder = founder(api);
    let now = api.now();
    let t = &founder.tenant;
    let event = subscription_event(
        &format!("evt_1_{t}"),
        "created",
        now.seconds(),
        t,
        "active",
        STARTER,
    );
    crate::stripe::know(&event);
    let body = event.to_string();
    let secret = std::env::var("STRIPE_WEBHOOK_SECRET").unwrap();
    let good = sign(&secret, body.as_bytes(), now);
    let changed = body.replace("starter", "professional");
    let attempts = [
        (body.clone(), String::new()),
        (body.clone(), sign("whsec_other", body.as_bytes(), now)),
        (
            body.clone(),
            sign(&secret, body.as_bytes(), now.minus(301_000)),
        ),
        (
            body.clone(),
            sign(&secret, body.as_bytes(), now.plus(310_000)),
        ),
        (changed, good.clone()),
        (format!("{body} "), good.clone()),
        (body.clone(), "t=,v1=,,=".to_owned()),
    ];
    for (body, signature) in attempts {
        let answer = api
            .call("POST", "/webhooks/stripe")
            .body("application/json", body)
            .header("stripe-signature", &signature)
            .send();
        answer.refused(400, "SIGNATURE_INVALID");
    }
    assert_eq!(plan(api, &founder), "FREE");
    // Two signatures are normal while a secret is rolled.
    let rolled = good.replace(",v1=", &format!(",v1={},v1=", "0".repeat(64)));
    let answer = api
        .call("POST", "/webhooks/stripe")
        .body("application/json", body)
        .header("stripe-signature", &rolled)
        .send();
    answer.data(200);
    assert_eq!(plan(api, &founder), "STARTER");
}

/// The webhook and the ingest of usage are two functions, and no cache lies between them: it holds on
/// the stacks whose key-value store is a minute behind or does not work, too.
fn an_upgrade_holds_on_the_next_request(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    assert_eq!(
        send_events(api, &key, "a", 1000).data(200)["inserted"],
        1000
    );
    send_events(api, &key, "b", 1).refused(429, "QUOTA_EXCEEDED");
    let now = api.now().seconds();
    let t = &founder.tenant;
    let event = subscription_event(
        &format!("evt_1_{t}"),
        "created",
        now,
        t,
        "trialing",
        STARTER,
    );
    stripe_event(api, &event).data(200);
    assert_eq!(send_events(api, &key, "b", 1).data(200)["inserted"], 1);
    let end = subscription_event(
        &format!("evt_2_{t}"),
        "updated",
        now + 1,
        t,
        "unpaid",
        STARTER,
    );
    stripe_event(api, &end).data(200);
    send_events(api, &key, "c", 1).refused(429, "QUOTA_EXCEEDED");
}

fn malformed_events_are_4xx(api: &Api) {
    let t = "ten_odd";
    let now = api.now().seconds();
    for event in [
        json!({}),
        json!([]),
        json!({"id": "evt"}),
        json!({"id": 7, "type": "x", "created": 1, "data": {}}),
        json!({"id": "evt_m1", "type": "x", "created": 1e300, "data": {"object": {}}}),
        json!({"id": "evt_m2", "type": "customer.subscription.updated", "created": 1, "data": {"object": {}}}),
        subscription_event("evt_m3", "updated", now, t, "dancing", STARTER),
        subscription_event("evt_m4", "updated", now, "ten\u{0}", "active", STARTER),
    ] {
        let answer = stripe_event(api, &event);
        assert_eq!(answer.status, 400, "{event}: {}", answer.text());
    }
}

fn an_event_is_two_round_trips(api: &Api) {
    let founder = founder(api);
    let t = &founder.tenant;
    let event = subscription_event(
        &format!("evt_1_{t}"),
        "created",
        api.now().seconds(),
        t,
        "active",
        STARTER,
    );
    assert_eq!(stripe_event(api, &event).sql(), 2);
    assert_eq!(stripe_event(api, &event).sql(), 1);
}

/// An event is only a trigger: what it says may be old.
fn stripes_own_word_counts(api: &Api) {
    let founder = founder(api);
    let (t, now) = (&founder.tenant, api.now().seconds());
    let event = |id: &str, status: &str, key: &str| {
        subscription_event(&format!("evt_{id}_{t}"), "updated", now, t, status, key)
    };
    crate::stripe::know(&event("0", "active", PROFESSIONAL));
    let mut late = event("1", "canceled", STARTER);
    late["created"] = json!(now - 60);
    stripe_event(api, &late).data(200);
    assert_eq!(plan(api, &founder), "PROFESSIONAL");
    let asked = stripe().asked(&format!("sub_{t}"));
    let [asked] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!(asked.path, format!("/v1/subscriptions/sub_{t}"));
    assert_eq!(asked.header("stripe-version"), "2026-09-30.endive");
    let key = std::env::var("STRIPE_SECRET_KEY").unwrap();
    assert_eq!(asked.header("authorization"), format!("Bearer {key}"));
}

/// Stripe would repeat what is refused, and in the end turn the endpoint off.
fn what_stripe_does_not_know_is_ignored(api: &Api) {
    let founder = founder(api);
    let (t, now) = (&founder.tenant, api.now().seconds());
    let event = subscription_event(&format!("evt_1_{t}"), "updated", now, t, "active", STARTER);
    stripe().doom(&format!("sub_{t}"), Fate::Status(404), 1);
    stripe_event(api, &event).data(200);
    assert_eq!(plan(api, &founder), "FREE");
}

fn stripe_is_asked_again_until_it_answers(api: &Api) {
    for fate in [
        Fate::Status(500),
        Fate::Status(429),
        Fate::Status(409),
        Fate::HangsUp,
    ] {
        let founder = founder(api);
        let (t, now) = (&founder.tenant, api.now().seconds());
        let event = subscription_event(&format!("evt_1_{t}"), "created", now, t, "active", STARTER);
        stripe().doom(&format!("sub_{t}"), fate, 2);
        stripe_event(api, &event).data(200);
        assert_eq!(plan(api, &founder), "STARTER");
        assert_eq!(stripe().asked(&format!("sub_{t}")).len(), 3);
    }
}
