//! What a plan entitles to, limits of a tenant's own, places that are held, and what is told of the quota.

use serde_json::{Value, json};

use super::metering::{read, ready, record};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{STARTER, api_key, mails, run_task, send_events, text, upgrade};

const MINUTE: i64 = 60_000;

tests! { "entitlements":
    entitlements_are_those_of_the_plan ["H-17" "H-18" "J-15" "T-01"];
    features_follow_the_plan_and_guard_their_routes ["H-17" "J-15" "T-01"];
    a_check_says_whether_there_is_room ["J-15"];
    an_own_limit_beats_the_plan_at_once ["J-16"];
    own_limits_hold_for_everything_that_is_counted ["H-18" "J-16"];
    own_features_beat_the_plan ["J-15" "J-16"];
    only_services_give_own_limits ["J-16"];
    reserved_places_are_held_and_given_back ["J-14"];
    a_reservation_may_be_finalised_again ["J-14"];
    reservations_expire ["J-14"];
    parallel_reservations_stop_at_the_quota ["J-14"];
    reservations_are_their_tenants_own ["L-04"];
    thresholds_are_told_once_a_month ["J-18"];
    history_tells_month_after_month ["J-03"];
}

fn entitlement(api: &Api, key: &str, feature: &str) -> Value {
    read(api, key, &format!("/api/v1/entitlements/{feature}"))
}

fn own(api: &Api, tenant: &str, feature: &str, value: &Value) -> Answer {
    let path = format!("/api/v1/entitlements/{feature}");
    let call = api.call("PUT", &path).json(&json!({"value": value}));
    call.bearer(&api.service_token("meters"))
        .header("x-tenant-id", tenant)
        .send()
}

fn reset(api: &Api, tenant: &str, feature: &str) -> Value {
    let path = format!("/api/v1/entitlements/{feature}");
    let call = api.delete(&path).bearer(&api.service_token("meters"));
    call.header("x-tenant-id", tenant).send().data(200)
}

fn reserve(api: &Api, key: &str, events: i64) -> Answer {
    // For so long that no clock of another test ends it.
    reserve_for(api, key, events, 86_400)
}

fn reserve_for(api: &Api, key: &str, events: i64, seconds: i64) -> Answer {
    let body = json!({"events": events, "expiresIn": seconds});
    let call = api.post("/api/v1/usage/reservations", &body);
    call.bearer(key).send()
}

fn finalise(api: &Api, key: &str, id: &str, events: &Value) -> Answer {
    let path = format!("/api/v1/usage/reservations/{id}/finalise");
    let call = if events.is_null() {
        api.call("POST", &path)
    } else {
        api.post(&path, events)
    };
    call.bearer(key).send()
}

fn used(api: &Api, key: &str) -> i64 {
    entitlement(api, key, "events")["used"].as_i64().unwrap()
}

fn many(prefix: &str, count: usize) -> Value {
    let one = |n| json!({"id": format!("{prefix}-{n}"), "meter": "calls"});
    (0..count).map(one).collect()
}

fn entitlements_are_those_of_the_plan(api: &Api) {
    let (founder, key) = ready(api);
    let of = |list: &Value, name: &str| {
        let list = list["entitlements"].as_array().unwrap().iter();
        let mut found = list.filter(|one| one["feature"] == name);
        found.next().unwrap_or_else(|| panic!("{name}")).clone()
    };
    let free = read(api, &key, "/api/v1/entitlements");
    assert_eq!(free["plan"], "FREE");
    for (name, most, used) in [
        ("events", 1000, 0),
        ("projects", 3, 0),
        ("agents", 2, 0),
        ("api_keys", 5, 1),
    ] {
        let one = of(&free, name);
        assert_eq!(
            (
                &one["type"],
                &one["value"],
                &one["used"],
                &one["remaining"],
                &one["source"]
            ),
            (
                &json!("metered"),
                &json!(most),
                &json!(used),
                &json!(most - used),
                &json!("plan")
            ),
            "{name}"
        );
        assert_eq!(one["resetAt"].is_string(), name == "events");
    }
    assert_eq!(of(&free, "teams")["value"], false);
    assert_eq!(of(&free, "rate_limits")["type"], "static");
    upgrade(api, &founder.tenant, STARTER);
    let paid = read(api, &key, "/api/v1/entitlements");
    assert_eq!(
        (
            &paid["plan"],
            &of(&paid, "events")["value"],
            &of(&paid, "teams")["hasAccess"]
        ),
        (&json!("STARTER"), &json!(100_000), &json!(true))
    );
    let path = "/api/v1/entitlements/unicorns";
    api.get(path).bearer(&key).send().refused(404, "NOT_FOUND");
}

fn features_follow_the_plan_and_guard_their_routes(api: &Api) {
    let (founder, key) = ready(api);
    let plans = api.get("/api/v1/billing/plans").send().data(200);
    for plan in plans.as_array().unwrap() {
        let name = plan["id"].as_str().unwrap();
        if name != "FREE" {
            upgrade(
                api,
                &founder.tenant,
                &format!("edgekeep_{}_monthly", name.to_lowercase()),
            );
        }
        let has = |feature: &str| {
            let features = plan["features"].as_array().unwrap();
            features.iter().any(|one| one == feature)
        };
        for feature in ["custom_roles", "teams"] {
            let told = entitlement(api, &key, feature);
            assert_eq!(told["hasAccess"], has(feature), "{name} {feature}");
        }
        for (feature, field) in [
            ("projects", "maxProjects"),
            ("agents", "maxAgents"),
            ("events", "monthlyEvents"),
        ] {
            assert_eq!(
                entitlement(api, &key, feature)["value"],
                plan[field],
                "{name} {feature}"
            );
        }
        let made = api
            .post(
                "/api/v1/organizations/teams",
                &json!({"name": format!("team {name}")}),
            )
            .bearer(&founder.access)
            .send();
        if has("teams") {
            assert_eq!(made.status, 201, "{name}");
        } else {
            made.refused(402, "PLAN_UPGRADE_REQUIRED");
        }
    }
}

fn a_check_says_whether_there_is_room(api: &Api) {
    let (_, key) = ready(api);
    send_events(api, &key, "a", 990).data(200);
    let check = |amount: i64| {
        entitlement(api, &key, &format!("events?amount={amount}"))["hasAccess"].clone()
    };
    assert_eq!((check(10), check(11)), (json!(true), json!(false)));
    for odd in ["0", "-1", "x", "1.5"] {
        let path = format!("/api/v1/entitlements/events?amount={odd}");
        api.get(&path).bearer(&key).send().blames("amount");
    }
    let answer = api.get("/api/v1/entitlements").bearer(&key).send();
    let header = answer.header("ratelimit").unwrap().to_owned();
    assert!(header.contains("\"quota\";r=10;t="), "{header}");
}

fn an_own_limit_beats_the_plan_at_once(api: &Api) {
    let (founder, key) = ready(api);
    let set = |value: Value| own(api, &founder.tenant, "events", &value).data(200);
    let told = set(json!(5));
    assert_eq!(
        (&told["value"], &told["source"]),
        (&json!(5), &json!("override"))
    );
    send_events(api, &key, "a", 6).refused(429, "QUOTA_EXCEEDED");
    send_events(api, &key, "a", 5).data(200);
    let over = send_events(api, &key, "b", 1);
    assert!(over.header("retry-after").is_some());
    assert_eq!(over.refused(429, "QUOTA_EXCEEDED")["error"]["limit"], 5);
    record(api, &founder.tenant, &many("b", 1)).refused(429, "QUOTA_EXCEEDED");
    // More than the plan has, and any number.
    set(json!(2_000));
    assert_eq!(
        send_events(api, &key, "c", 1_000).data(200)["inserted"],
        1_000
    );
    assert_eq!(send_events(api, &key, "d", 995).data(200)["inserted"], 995);
    send_events(api, &key, "e", 1).refused(429, "QUOTA_EXCEEDED");
    assert_eq!(set(Value::Null)["value"], Value::Null);
    let free = send_events(api, &key, "e", 1);
    assert_eq!(free.data(200)["inserted"], 1);
    let summary = read(api, &key, "/api/v1/usage/summary");
    assert_eq!(
        (&summary["limit"], &summary["remaining"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(reset(api, &founder.tenant, "events")["source"], "plan");
    send_events(api, &key, "f", 1).refused(429, "QUOTA_EXCEEDED");
    // Still one round trip.
    set(json!(100_000));
    assert_eq!(send_events(api, &key, "g", 10).sql(), 1);
}

fn own_limits_hold_for_everything_that_is_counted(api: &Api) {
    let (founder, key) = ready(api);
    let make = |name: &str| {
        let call = api.post("/api/v1/projects", &json!({"name": name}));
        call.bearer(&founder.access).send()
    };
    own(api, &founder.tenant, "projects", &json!(1)).data(200);
    assert_eq!(make("one").status, 201);
    let full = make("two");
    let error = &full.refused(429, "QUOTA_EXCEEDED")["error"];
    assert_eq!(error["limit"], 1);
    assert!(text(&error["upgrade_url"]).ends_with("/api/v1/billing/plans"));
    own(api, &founder.tenant, "projects", &json!(5)).data(200);
    for name in ["two", "three", "four", "five"] {
        assert_eq!(make(name).status, 201, "{name}");
    }
    assert_eq!(entitlement(api, &key, "projects")["remaining"], 0);
    own(api, &founder.tenant, "api_keys", &json!(1)).data(200);
    let body = json!({"name": "k", "scopes": ["jobs"]});
    let call = || {
        api.post("/api/v1/api-keys", &body)
            .bearer(&founder.access)
            .send()
    };
    call().refused(429, "QUOTA_EXCEEDED");
    reset(api, &founder.tenant, "api_keys");
    call().data(201);
}

fn own_features_beat_the_plan(api: &Api) {
    let (founder, key) = ready(api);
    let team = || {
        let call = api.post("/api/v1/organizations/teams", &json!({"name": "t"}));
        call.bearer(&founder.access).send()
    };
    team().refused(402, "PLAN_UPGRADE_REQUIRED");
    let told = own(api, &founder.tenant, "teams", &json!(true)).data(200);
    assert_eq!(
        (&told["value"], &told["source"]),
        (&json!(true), &json!("override"))
    );
    assert_eq!(team().status, 201);
    assert_eq!(entitlement(api, &key, "custom_roles")["hasAccess"], false);
    own(api, &founder.tenant, "custom_roles", &json!(true)).data(200);
    own(api, &founder.tenant, "teams", &json!(false)).data(200);
    upgrade(api, &founder.tenant, STARTER);
    let get = |path: &str| api.get(path).bearer(&founder.access).send();
    assert_eq!(entitlement(api, &key, "teams")["hasAccess"], false);
    assert_eq!(entitlement(api, &key, "custom_roles")["hasAccess"], true);
    team().refused(402, "PLAN_UPGRADE_REQUIRED");
    reset(api, &founder.tenant, "teams");
    assert_eq!(entitlement(api, &key, "teams")["hasAccess"], true);
    assert_eq!(get("/api/v1/organizations/teams").status, 200);
}

fn only_services_give_own_limits(api: &Api) {
    let (founder, key) = ready(api);
    let path = "/api/v1/entitlements/events";
    let body = json!({"value": 5});
    let put = |token: &str| {
        let call = api.call("PUT", path).json(&body).bearer(token);
        call.header("x-tenant-id", &founder.tenant).send()
    };
    put(&founder.access).refused(401, "TOKEN_INVALID");
    put(&api.service_token("billing")).refused(401, "TOKEN_INVALID");
    let by_key = put(&key);
    assert!([401, 403].contains(&by_key.status));
    assert_eq!(entitlement(api, &key, "events")["value"], 1000);
    for value in [json!(-1), json!("5"), json!(1.5), json!(true)] {
        own(api, &founder.tenant, "events", &value).blames("value");
    }
    own(api, &founder.tenant, "teams", &json!(1)).blames("value");
    own(api, &founder.tenant, "unicorns", &json!(1)).refused(404, "NOT_FOUND");
    own(api, &founder.tenant, "rate_limits", &json!("global=1")).refused(404, "NOT_FOUND");
    let nobody = "ten_01k9zzzzzzzzzzzzzzzzzzzzzz";
    own(api, nobody, "events", &json!(1)).refused(404, "NOT_FOUND");
}

fn reserved_places_are_held_and_given_back(api: &Api) {
    let (_, key) = ready(api);
    send_events(api, &key, "a", 900).data(200);
    let held = reserve(api, &key, 60).data(201);
    assert_eq!(
        (&held["events"], &held["state"]),
        (&json!(60), &json!("open"))
    );
    assert_eq!(used(api, &key), 960);
    send_events(api, &key, "b", 41).refused(429, "QUOTA_EXCEEDED");
    send_events(api, &key, "b", 40).data(200);
    let full = reserve(api, &key, 1);
    assert!(full.header("retry-after").is_some());
    full.refused(429, "QUOTA_EXCEEDED");
    // The quota is full, and what was reserved has its place.
    let id = text(&held["id"]);
    let told = finalise(api, &key, &id, &many("c", 50)).data(200);
    assert_eq!(told["inserted"], 50);
    assert_eq!(used(api, &key), 990);
    let other = text(&reserve(api, &key, 10).data(201)["id"]);
    assert_eq!(used(api, &key), 1_000);
    finalise(api, &key, &other, &many("d", 11)).blames("events");
    assert_eq!(used(api, &key), 1_000);
    assert_eq!(
        finalise(api, &key, &other, &Value::Null).data(200)["inserted"],
        0
    );
    assert_eq!(used(api, &key), 990);
    // What was there already takes no place.
    let third = text(&reserve(api, &key, 10).data(201)["id"]);
    let told = finalise(api, &key, &third, &many("c", 10)).data(200);
    assert_eq!(
        (&told["inserted"], &told["duplicates"]),
        (&json!(0), &json!(10))
    );
    assert_eq!(used(api, &key), 990);
    for body in [json!({}), json!({"events": 0}), json!({"events": 1_001})] {
        let call = api.post("/api/v1/usage/reservations", &body);
        call.bearer(&key).send().blames("events");
    }
}

fn a_reservation_may_be_finalised_again(api: &Api) {
    let (_, key) = ready(api);
    let id = text(&reserve(api, &key, 10).data(201)["id"]);
    let events = many("a", 10);
    let told = api.parallel(6, |_| finalise(api, &key, &id, &events).data(200));
    let inserted: i64 = told
        .iter()
        .map(|one| one["inserted"].as_i64().unwrap())
        .sum();
    assert_eq!((inserted, used(api, &key)), (10, 10));
    let again = finalise(api, &key, &id, &events).data(200);
    assert_eq!(again["duplicates"], 10);
    assert_eq!(used(api, &key), 10);
}

fn reservations_expire(api: &Api) {
    let (_, key) = ready(api);
    let id = text(&reserve_for(api, &key, 100, 60).data(201)["id"]);
    assert_eq!(used(api, &key), 100);
    run_task(api, "quotas", 2 * MINUTE);
    assert_eq!(used(api, &key), 0);
    run_task(api, "quotas", 2 * MINUTE);
    assert_eq!(used(api, &key), 0, "given back once");
    finalise(api, &key, &id, &many("a", 1)).refused(409, "STATE_CONFLICT");
    // Over, and the clock has not ticked yet.
    let id = text(&reserve_for(api, &key, 7, 60).data(201)["id"]);
    let path = format!("/api/v1/usage/reservations/{id}/finalise");
    let late = api
        .post(&path, &many("b", 1))
        .bearer(&key)
        .later(2 * MINUTE);
    late.send().refused(409, "STATE_CONFLICT");
    assert_eq!(used(api, &key), 7);
}

fn parallel_reservations_stop_at_the_quota(api: &Api) {
    let (_, key) = ready(api);
    let statuses = api.parallel(20, |n| {
        if n % 2 == 0 {
            reserve(api, &key, 100).status
        } else {
            send_events(api, &key, &format!("p{n}"), 100).status
        }
    });
    let passed = statuses
        .iter()
        .filter(|status| [200, 201].contains(*status))
        .count();
    assert_eq!(passed, 10, "{statuses:?}");
    assert_eq!(used(api, &key), 1_000);
}

fn reservations_are_their_tenants_own(api: &Api) {
    let ((founder, one), (_, other)) = (ready(api), ready(api));
    let id = text(&reserve(api, &one, 10).data(201)["id"]);
    finalise(api, &other, &id, &many("a", 1)).refused(404, "NOT_FOUND");
    finalise(api, &other, &id, &Value::Null).refused(404, "NOT_FOUND");
    assert_eq!((used(api, &one), used(api, &other)), (10, 0));
    let reader = api_key(api, &founder, &["usage:read"]);
    reserve(api, &reader, 1).refused(403, "SCOPE_MISSING");
    own(api, &founder.tenant, "events", &json!(7)).data(200);
    assert_eq!(entitlement(api, &other, "events")["value"], 1000);
}

fn thresholds_are_told_once_a_month(api: &Api) {
    let (founder, key) = ready(api);
    let told = || {
        let mails = mails(api, &founder.email);
        let own = mails
            .iter()
            .filter(|mail| text(&mail["subject"]).contains("nears the limit"));
        own.count()
    };
    let reached = || {
        let months = read(api, &key, "/api/v1/usage/history");
        let all = months[0]["thresholds"].as_array().unwrap().clone();
        all.iter()
            .map(|one| one["threshold"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    let tick = || {
        for task in ["quotas", "quotas", "outbox", "mail"] {
            run_task(api, task, 0);
        }
    };
    send_events(api, &key, "a", 799).data(200);
    tick();
    assert_eq!((reached(), told()), (vec![], 0));
    send_events(api, &key, "b", 1).data(200);
    tick();
    assert_eq!((reached(), told()), (vec![80], 1));
    send_events(api, &key, "c", 200).data(200);
    tick();
    tick();
    assert_eq!((reached(), told()), (vec![80, 100], 2));
}

fn history_tells_month_after_month(api: &Api) {
    let (_, key) = ready(api);
    let now = api.now();
    let before = now.minus(33 * 86_400_000);
    let body = json!([
        {"id": "1", "meter": "a", "quantity": 5},
        {"id": "2", "meter": "b", "quantity": 7},
        {"id": "3", "meter": "a", "quantity": 11, "timestamp": before.rfc3339()},
    ]);
    let sent = api.post("/api/v1/usage/events", &body).bearer(&key).send();
    assert_eq!(sent.data(200)["inserted"], 3);
    let months = read(api, &key, "/api/v1/usage/history");
    let months = months.as_array().unwrap().clone();
    assert_eq!(
        (months.len(), &months[0]["month"]),
        (12, &json!(now.month()))
    );
    assert_eq!(months[0]["events"], 3);
    assert_eq!(
        months[0]["meters"],
        json!([{"meter": "a", "quantity": 5, "events": 1}, {"meter": "b", "quantity": 7, "events": 1}])
    );
    let old = months
        .iter()
        .find(|month| month["month"] == before.month())
        .unwrap();
    assert_eq!(
        old["meters"],
        json!([{"meter": "a", "quantity": 11, "events": 1}])
    );
    let one = read(api, &key, "/api/v1/usage/history?meter=b");
    assert_eq!(one[0]["meters"].as_array().unwrap().len(), 1);
    // A year later the year before is on the next page.
    let path = "/api/v1/usage/history";
    let later = api.get(path).bearer(&key).later(400 * 86_400_000).send();
    let next = text(&later.json()["metadata"]["nextCursor"]);
    let path = format!("/api/v1/usage/history?cursor={next}");
    let earlier = api.get(&path).bearer(&key).later(400 * 86_400_000).send();
    let earlier = earlier.data(200);
    assert!(
        earlier
            .as_array()
            .unwrap()
            .iter()
            .any(|month| month["events"] == 3)
    );
    for odd in ["2026-13", "x"] {
        let path = format!("/api/v1/usage/history?cursor={odd}");
        let answer = api.get(&path).bearer(&key).send();
        answer.blames("cursor");
    }
}
