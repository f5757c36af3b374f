//! Stripe events: whose subscription it is, and what its price is called.

use serde_json::{Value, json};

use super::billing::{PROFESSIONAL, plan};
use super::tests;
use crate::api::Api;
use crate::fixture::{Founder, STARTER, founder, stripe_event, subscription_event};

tests! { "billing":
    unknown_types_and_tenants_are_acknowledged ["H-14"];
    an_unknown_price_is_retried ["H-09"];
    an_end_without_a_plans_price_ends_the_plan ["H-09" "H-10"];
    another_products_subscription_is_ignored ["H-14"];
    one_customer_may_pay_for_two_tenants [];
    a_subscription_can_move_to_another_tenant [];
}

fn unknown_types_and_tenants_are_acknowledged(api: &Api) {
    let now = api.now();
    let event = json!({"id": format!("evt_t_{}", now.0), "type": "balance.available",
        "created": now.seconds(), "livemode": false, "data": {"object": {"id": "bal_1"}}});
    stripe_event(api, &event).data(200);
    assert_eq!(stripe_event(api, &event).data(200)["duplicate"], true);
    let id = format!("evt_x_{}", now.0);
    let foreign = subscription_event(&id, "created", now.seconds(), "ten_none", "active", STARTER);
    stripe_event(api, &foreign).data(200);
}

fn an_unknown_price_is_retried(api: &Api) {
    let founder = founder(api);
    let t = &founder.tenant;
    let event = subscription_event(
        &format!("evt_1_{t}"),
        "created",
        api.now().seconds(),
        t,
        "active",
        "unheard_of",
    );
    for _ in 0..3 {
        let answer = stripe_event(api, &event);
        answer.refused(503, "UNAVAILABLE");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(plan(api, &founder), "FREE");
}

/// The event with its price's lookup key replaced, perhaps by nothing.
fn priced(mut event: Value, lookup_key: Option<&str>) -> Value {
    event["data"]["object"]["items"]["data"][0]["price"]["lookup_key"] = json!(lookup_key);
    event
}

fn an_end_without_a_plans_price_ends_the_plan(api: &Api) {
    let now = api.now().seconds();
    for (kind, status, key) in [
        ("deleted", "canceled", None),
        ("updated", "unpaid", Some("unheard_of")),
        ("updated", "paused", None),
    ] {
        let founder = founder(api);
        let t = &founder.tenant;
        let event = |id: &str, kind: &str, at: i64, status: &str| {
            subscription_event(&format!("evt_{id}_{t}"), kind, at, t, status, STARTER)
        };
        stripe_event(api, &event("1", "created", now, "active")).data(200);
        // A new price that is no plan yet keeps the old plan while it gives access.
        let renamed = priced(event("2", "updated", now + 1, "past_due"), key);
        stripe_event(api, &renamed).data(200);
        assert_eq!(plan(api, &founder), "STARTER");
        stripe_event(api, &priced(event("3", kind, now + 2, status), key)).data(200);
        let call = api.get("/api/v1/billing/subscription");
        let shown = call.bearer(&founder.access).send().data(200);
        assert_eq!(shown["plan"], "FREE", "{shown}");
        let subscription = &shown["subscription"];
        assert_eq!(
            (&subscription["status"], &subscription["plan"]),
            (&json!(status), &json!("STARTER"))
        );
    }
    // The end comes before the beginning.
    let founder = founder(api);
    let t = &founder.tenant;
    let begin = subscription_event(&format!("evt_b_{t}"), "created", now, t, "active", STARTER);
    let end = subscription_event(
        &format!("evt_e_{t}"),
        "deleted",
        now,
        t,
        "canceled",
        STARTER,
    );
    stripe_event(api, &priced(end, None)).data(200);
    stripe_event(api, &begin).data(200);
    assert_eq!(plan(api, &founder), "FREE");
}

fn another_products_subscription_is_ignored(api: &Api) {
    let founder = founder(api);
    let (t, now) = (&founder.tenant, api.now().seconds());
    let event = |id: &str, kind: &str, key: &str| {
        subscription_event(&format!("evt_{id}_{t}"), kind, now, t, "active", key)
    };
    stripe_event(api, &event("1", "created", STARTER)).data(200);
    // The same customer buys something that is not ours.
    for (id, tenant) in [
        ("2", json!(null)),
        ("3", json!("ten_none")),
        ("4", json!("ten\u{0}")),
    ] {
        let mut other = event(id, "created", "another_product");
        other["data"]["object"]["id"] = json!(format!("sub_{id}_{t}"));
        other["data"]["object"]["metadata"]["tenant_id"] = tenant;
        stripe_event(api, &other).data(200);
        assert_eq!(stripe_event(api, &other).data(200)["duplicate"], true);
    }
    assert_eq!(plan(api, &founder), "STARTER");
}

fn one_customer_may_pay_for_two_tenants(api: &Api) {
    let (one, two) = (founder(api), founder(api));
    let now = api.now().seconds();
    for (owner, key) in [(&one, STARTER), (&two, PROFESSIONAL)] {
        let t = &owner.tenant;
        let mut event = subscription_event(&format!("evt_1_{t}"), "created", now, t, "active", key);
        event["data"]["object"]["customer"] = json!(format!("cus_of_{}", one.tenant));
        stripe_event(api, &event).data(200);
    }
    assert_eq!(
        (plan(api, &one), plan(api, &two)),
        ("STARTER".to_owned(), "PROFESSIONAL".to_owned())
    );
    // Without a tenant in its metadata, a known subscription is its holder's, not the customer's.
    let t = &two.tenant;
    let mut end = subscription_event(
        &format!("evt_2_{t}"),
        "deleted",
        now + 1,
        t,
        "canceled",
        PROFESSIONAL,
    );
    end["data"]["object"]["customer"] = json!(format!("cus_of_{}", one.tenant));
    end["data"]["object"]["metadata"] = json!({});
    stripe_event(api, &end).data(200);
    assert_eq!(
        (plan(api, &one), plan(api, &two)),
        ("STARTER".to_owned(), "FREE".to_owned())
    );
}

fn a_subscription_can_move_to_another_tenant(api: &Api) {
    let (one, two) = (founder(api), founder(api));
    let now = api.now().seconds();
    let event = |number: i64, owner: &Founder| {
        let id = format!("evt_{number}_{}", one.tenant);
        let mut event =
            subscription_event(&id, "updated", now + number, &one.tenant, "active", STARTER);
        event["data"]["object"]["metadata"]["tenant_id"] = json!(owner.tenant);
        event
    };
    stripe_event(api, &event(1, &one)).data(200);
    stripe_event(api, &event(3, &two)).data(200);
    let both = || (plan(api, &one), plan(api, &two));
    assert_eq!(both(), ("FREE".to_owned(), "STARTER".to_owned()));
    // What is older than the move does not take it back.
    stripe_event(api, &event(2, &one)).data(200);
    assert_eq!(both(), ("FREE".to_owned(), "STARTER".to_owned()));
}
