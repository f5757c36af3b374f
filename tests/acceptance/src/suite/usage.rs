//! Usage events.

use serde_json::{Value, json};

use super::tests;
use crate::api::Api;
use crate::fixture::{
    Founder, STARTER, api_key, founder, send_events, stripe_event, subscription_event, upgrade,
};

tests! { "usage":
    every_form_of_event_is_taken ["J-02"];
    duplicates_count_once ["J-02" "J-08"];
    parallel_duplicates_count_once ["J-08" "J-09"];
    duplicates_across_a_month_change_count_once ["J-08" "J-09"];
    what_was_accepted_stays_a_duplicate_after_a_downgrade ["J-08" "J-10"];
    odd_months_are_refused [];
    bad_items_do_not_hold_up_good_ones ["J-22"];
    the_free_quota_is_exact ["J-10"];
    parallel_batches_cannot_pass_the_quota ["J-14"];
    totals_are_by_month_and_meter ["J-09"];
    large_numbers_stay_exact [];
    tenants_do_not_share_ids_or_totals ["L-04"];
    ingest_is_one_round_trip ["AC-09" "AC-13"];
    odd_bodies_are_refused ["AD-16"];
}

fn writer(api: &Api) -> (Founder, String) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write", "usage:read"]);
    (founder, key)
}

fn send(api: &Api, key: &str, kind: &str, body: &Value) -> crate::answer::Answer {
    api.call("POST", "/api/v1/usage/events")
        .body(kind, body.to_string())
        .bearer(key)
        .send()
}

fn summary(api: &Api, key: &str) -> Value {
    api.get("/api/v1/usage/summary")
        .bearer(key)
        .send()
        .data(200)
}

fn every_form_of_event_is_taken(api: &Api) {
    let (_, key) = writer(api);
    let cloud = |id: &str| {
        json!({"specversion": "1.0", "id": id, "source": "/shop", "type": "calls",
            "time": api.now().rfc3339(), "data": {"quantity": 2, "path": "/x"}, "comexample": "ext"})
    };
    let sent = [
        (
            "application/json",
            json!({"id": "p1", "meter": "calls", "quantity": 2}),
        ),
        (
            "application/json",
            json!([{"id": "p2", "meter": "calls"}, {"id": "p3", "meter": "calls"}]),
        ),
        (
            "application/json",
            json!({"events": [{"id": "p4", "meter": "calls"}]}),
        ),
        ("application/cloudevents+json", cloud("c1")),
        (
            "application/cloudevents-batch+json",
            json!([cloud("c2"), cloud("c3")]),
        ),
    ];
    for (kind, body) in &sent {
        let result = send(api, &key, kind, body).data(200);
        assert_eq!(result["invalid"], 0, "{result}");
    }
    let total = summary(api, &key);
    assert_eq!(total["events"], 7);
    assert_eq!(
        total["meters"],
        json!([{"meter": "calls", "quantity": 11, "events": 7}])
    );
}

fn duplicates_count_once(api: &Api) {
    let (_, key) = writer(api);
    assert_eq!(send_events(api, &key, "a", 10).data(200)["inserted"], 10);
    let again = send_events(api, &key, "a", 12).data(200);
    assert_eq!(
        (&again["inserted"], &again["duplicates"]),
        (&json!(2), &json!(10))
    );
    let twice = json!([{"id": "t", "meter": "calls"}, {"id": "t", "meter": "calls"}]);
    let twice = send(api, &key, "application/json", &twice).data(200);
    assert_eq!(twice["results"][0]["status"], "inserted");
    assert_eq!(twice["results"][1]["status"], "duplicate");
    // Another source is another event.
    let other = json!({"id": "a-0", "meter": "calls", "source": "other"});
    assert_eq!(
        send(api, &key, "application/json", &other).data(200)["inserted"],
        1
    );
    let total = summary(api, &key);
    assert_eq!(
        (&total["events"], &total["meters"][0]["quantity"]),
        (&json!(14), &json!(14))
    );
}

fn parallel_duplicates_count_once(api: &Api) {
    let (_, key) = writer(api);
    let inserted: i64 = api
        .parallel(20, |_| {
            send_events(api, &key, "same", 25).data(200)["inserted"]
                .as_i64()
                .unwrap()
        })
        .iter()
        .sum();
    assert_eq!(inserted, 25);
    let total = summary(api, &key);
    assert_eq!(
        (&total["events"], &total["meters"][0]["quantity"]),
        (&json!(25), &json!(25))
    );
}

/// The same events in parallel, some requests with their clock in another month.
fn duplicates_across_a_month_change_count_once(api: &Api) {
    const MONTH: i64 = 32 * 86_400_000;
    let (_, key) = writer(api);
    let (rounds, each) = (40, 15);
    let mut inserted = 0;
    for round in 0..rounds {
        let events: Vec<Value> = (0..each)
            .map(|n| json!({"id": format!("{round}-{n}"), "meter": "calls"}))
            .collect();
        let counts = api.parallel(4, |n| {
            let call = api
                .post("/api/v1/usage/events", &json!(events))
                .bearer(&key);
            let call = if n % 2 == 0 { call } else { call.later(MONTH) };
            call.send().data(200)["inserted"].as_i64().unwrap()
        });
        inserted += counts.iter().sum::<i64>();
    }
    let next = api.now().plus(MONTH).month();
    let next = format!("/api/v1/usage/summary?month={next}");
    let next = api.get(&next).bearer(&key).send().data(200);
    let (mut quota, mut quantity) = (0, 0);
    for month in [summary(api, &key), next] {
        quota += month["events"].as_i64().unwrap();
        quantity += month["meters"][0]["quantity"].as_i64().unwrap_or(0);
    }
    let all = rounds * each;
    assert_eq!((inserted, quota, quantity), (all, all, all));
}

fn what_was_accepted_stays_a_duplicate_after_a_downgrade(api: &Api) {
    let (founder, key) = writer(api);
    upgrade(api, &founder.tenant, STARTER);
    for prefix in ["a", "b"] {
        assert_eq!(
            send_events(api, &key, prefix, 1000).data(200)["inserted"],
            1000
        );
    }
    let (t, now) = (&founder.tenant, api.now().seconds());
    let key_of_plan = STARTER;
    let id = format!("evt_down_{t}");
    let end = subscription_event(&id, "deleted", now + 1, t, "canceled", key_of_plan);
    stripe_event(api, &end).data(200);
    send_events(api, &key, "c", 1).refused(429, "QUOTA_EXCEEDED");
    let again = send_events(api, &key, "a", 1000).data(200);
    assert_eq!(again["duplicates"], 1000);
    let total = summary(api, &key);
    assert_eq!(
        (&total["events"], &total["remaining"]),
        (&json!(2000), &json!(0))
    );
}

fn odd_months_are_refused(api: &Api) {
    let (_, key) = writer(api);
    for month in ["2026-%2B1", "%2B026-11", "2026-13", "2026", "2026-1x"] {
        let path = format!("/api/v1/usage/summary?month={month}");
        api.get(&path).bearer(&key).send().blames("month");
    }
}

fn bad_items_do_not_hold_up_good_ones(api: &Api) {
    let (_, key) = writer(api);
    let body = json!([
        {"id": "1", "meter": "calls"}, 7, {"meter": "calls"},
        {"id": "2", "meter": "calls", "quantity": 1.5},
        {"id": "3", "meter": "calls", "timestamp": "2026-02-30T00:00:00Z"},
        {"id": "4", "meter": "calls", "quantity": 9_007_199_254_740_993_i64},
        {"id": "5", "meter": "calls"},
    ]);
    let result = send(api, &key, "application/json", &body).data(200);
    assert_eq!(
        (&result["inserted"], &result["invalid"]),
        (&json!(2), &json!(5))
    );
    let fields: Vec<&Value> = (1..6)
        .map(|n| &result["results"][n]["error"]["field"])
        .collect();
    assert_eq!(fields, ["event", "id", "quantity", "timestamp", "quantity"]);
    assert_eq!(summary(api, &key)["events"], 2);
}

fn the_free_quota_is_exact(api: &Api) {
    let (_, key) = writer(api);
    assert_eq!(send_events(api, &key, "a", 990).data(200)["inserted"], 990);
    let over = send_events(api, &key, "b", 11);
    let body = over.refused(429, "QUOTA_EXCEEDED");
    assert_eq!(body["error"]["retryable"], false);
    assert_eq!(send_events(api, &key, "c", 10).data(200)["inserted"], 10);
    send_events(api, &key, "d", 1).refused(429, "QUOTA_EXCEEDED");
    // What is known already is still a success.
    assert_eq!(send_events(api, &key, "c", 10).data(200)["duplicates"], 10);
    let total = summary(api, &key);
    assert_eq!(
        (&total["events"], &total["limit"], &total["remaining"]),
        (&json!(1000), &json!(1000), &json!(0))
    );
    assert_eq!(total["meters"][0]["quantity"], 1000);
}

fn parallel_batches_cannot_pass_the_quota(api: &Api) {
    let (_, key) = writer(api);
    let statuses = api.parallel(15, |n| send_events(api, &key, &format!("p{n}"), 100).status);
    let passed = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(passed, 10, "{statuses:?}");
    let total = summary(api, &key);
    assert_eq!(
        (&total["events"], &total["meters"][0]["events"]),
        (&json!(1000), &json!(1000))
    );
}

fn totals_are_by_month_and_meter(api: &Api) {
    let (_, key) = writer(api);
    let now = api.now();
    let last_month = now.minus(32 * 86_400_000);
    let body = json!([
        {"id": "1", "meter": "b", "quantity": 5},
        {"id": "2", "meter": "a", "quantity": 0},
        {"id": "3", "meter": "b", "quantity": 7, "timestamp": last_month.rfc3339()},
    ]);
    send(api, &key, "application/json", &body).data(200);
    let this = summary(api, &key);
    assert_eq!(
        this["meters"],
        json!([
            {"meter": "a", "quantity": 0, "events": 1}, {"meter": "b", "quantity": 5, "events": 1},
        ])
    );
    let path = format!("/api/v1/usage/summary?month={}", last_month.month());
    let last = api.get(&path).bearer(&key).send().data(200);
    assert_eq!(
        last["meters"],
        json!([{"meter": "b", "quantity": 7, "events": 1}])
    );
    // The quota counts by the month of receipt.
    assert_eq!((&this["events"], &last["events"]), (&json!(3), &json!(0)));
}

fn large_numbers_stay_exact(api: &Api) {
    let (founder, key) = writer(api);
    upgrade(api, &founder.tenant, STARTER);
    for batch in 0..3 {
        let events: Vec<Value> = (0..1000)
            .map(|n| json!({"id": format!("{batch}-{n}"), "meter": "bytes", "quantity": 999_999_999}))
            .collect();
        send(api, &key, "application/json", &json!(events)).data(200);
    }
    assert_eq!(
        summary(api, &key)["meters"][0]["quantity"],
        2_999_999_997_000_i64
    );
}

fn tenants_do_not_share_ids_or_totals(api: &Api) {
    let ((_, one), (_, other)) = (writer(api), writer(api));
    assert_eq!(send_events(api, &one, "same", 3).data(200)["inserted"], 3);
    assert_eq!(send_events(api, &other, "same", 5).data(200)["inserted"], 5);
    assert_eq!(
        (
            &summary(api, &one)["events"],
            &summary(api, &other)["events"]
        ),
        (&json!(3), &json!(5))
    );
}

fn ingest_is_one_round_trip(api: &Api) {
    let (_, key) = writer(api);
    assert_eq!(send_events(api, &key, "a", 100).sql(), 1);
    assert_eq!(send_events(api, &key, "a", 100).sql(), 1);
    let answer = api.get("/api/v1/usage/summary").bearer(&key).send();
    // The first time an instance sees a key it must learn the key's tenant.
    assert!(answer.sql() <= 2);
}

fn odd_bodies_are_refused(api: &Api) {
    let (_, key) = writer(api);
    for (body, code) in [
        ("", "INVALID_JSON"),
        ("[", "INVALID_JSON"),
        ("[]", "VALIDATION"),
        ("7", "VALIDATION"),
        ("{\"events\":[]}", "VALIDATION"),
    ] {
        let answer = api
            .call("POST", "/api/v1/usage/events")
            .body("application/json", body)
            .bearer(&key)
            .send();
        answer.refused(400, code);
    }
    let many: Vec<Value> = (0..1001)
        .map(|n| json!({"id": n.to_string(), "meter": "m"}))
        .collect();
    send(api, &key, "application/json", &json!(many)).blames("events");
    assert_eq!(summary(api, &key)["events"], 0);
}
