//! Usage from other services, corrections, and the events as they are shown.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, api_key, founder, send_events, text};

const HOUR: i64 = 3_600_000;

tests! { "metering":
    another_service_records_for_a_tenant ["J-01" "J-20" "J-24"];
    only_services_record_and_only_for_tenants_that_there_are ["J-01"];
    services_and_keys_share_events_and_quota ["J-01" "J-14"];
    parallel_services_and_keys_stop_at_the_quota ["J-14"];
    a_full_quota_says_what_to_do ["J-10" "J-12"];
    answers_tell_the_quota ["J-13"];
    the_quota_begins_anew_with_the_month ["J-10"];
    corrections_change_sums_and_not_counts ["J-03" "J-09"];
    events_are_shown_with_their_state ["J-02"];
    events_come_page_by_page_and_to_their_tenant_alone ["J-02" "L-04"];
    services_record_in_one_round_trip ["AC-09"];
}

pub(super) fn record(api: &Api, tenant: &str, body: &Value) -> Answer {
    api.post("/api/v1/usage/record", body)
        .bearer(&api.service_token("usage"))
        .header("x-tenant-id", tenant)
        .send()
}

pub(super) fn ready(api: &Api) -> (Founder, String) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write", "usage:read"]);
    (founder, key)
}

pub(super) fn read(api: &Api, key: &str, path: &str) -> Value {
    api.get(path).bearer(key).send().data(200)
}

fn summary(api: &Api, key: &str) -> Value {
    read(api, key, "/api/v1/usage/summary")
}

fn many(prefix: &str, count: usize) -> Value {
    let one = |n| json!({"id": format!("{prefix}-{n}"), "meter": "calls"});
    (0..count).map(one).collect()
}

fn another_service_records_for_a_tenant(api: &Api) {
    let (founder, key) = ready(api);
    let sent = json!([
        {"id": "chat-1", "source": "intelligence", "meter": "tokens", "quantity": 1250},
        {"id": "chat-1", "source": "intelligence", "meter": "tokens", "quantity": 1250},
        {"id": "chat-2", "source": "intelligence", "meter": "tokens", "timestamp": "2020-01-01T00:00:00Z"},
        {"specversion": "1.0", "id": "chat-3", "source": "intelligence", "type": "tokens",
            "data": {"quantity": 50, "model": "large"}},
    ]);
    let told = record(api, &founder.tenant, &sent).data(200);
    assert_eq!(
        (&told["inserted"], &told["duplicates"], &told["invalid"]),
        (&json!(2), &json!(1), &json!(1)),
        "{told}"
    );
    let again = record(api, &founder.tenant, &sent).data(200);
    assert_eq!(
        (&again["inserted"], &again["duplicates"]),
        (&json!(0), &json!(3))
    );
    let total = summary(api, &key);
    assert_eq!(
        (&total["events"], &total["meters"]),
        (
            &json!(2),
            &json!([{"meter": "tokens", "quantity": 1300, "events": 2}])
        )
    );
}

fn only_services_record_and_only_for_tenants_that_there_are(api: &Api) {
    let (founder, key) = ready(api);
    let body = json!({"id": "1", "meter": "calls"});
    let call = |token: Option<&str>, tenant: Option<&str>| {
        let mut call = api.post("/api/v1/usage/record", &body);
        if let Some(token) = token {
            call = call.bearer(token);
        }
        if let Some(tenant) = tenant {
            call = call.header("x-tenant-id", tenant);
        }
        call.send()
    };
    let tenant = Some(founder.tenant.as_str());
    call(None, tenant).refused(401, "AUTH_REQUIRED");
    call(Some(&founder.access), tenant).refused(401, "TOKEN_INVALID");
    call(Some(&api.service_token("billing")), tenant).refused(401, "TOKEN_INVALID");
    let refused = call(Some(&key), tenant);
    assert!([401, 403].contains(&refused.status), "{}", refused.status);
    let token = api.service_token("usage");
    call(Some(&token), None).refused(400, "TENANT_REQUIRED");
    call(Some(&token), Some("ten_1' OR 1=1")).blames("x-tenant-id");
    call(Some(&token), Some("ten_01k9zzzzzzzzzzzzzzzzzzzzzz")).refused(404, "NOT_FOUND");
    assert_eq!(summary(api, &key)["events"], 0);
}

fn services_and_keys_share_events_and_quota(api: &Api) {
    let (founder, key) = ready(api);
    send_events(api, &key, "a", 600).data(200);
    let told = record(api, &founder.tenant, &many("a", 700)).data(200);
    assert_eq!(
        (&told["inserted"], &told["duplicates"]),
        (&json!(100), &json!(600))
    );
    record(api, &founder.tenant, &many("b", 301)).refused(429, "QUOTA_EXCEEDED");
    record(api, &founder.tenant, &many("b", 300)).data(200);
    send_events(api, &key, "c", 1).refused(429, "QUOTA_EXCEEDED");
    let total = summary(api, &key);
    assert_eq!(
        (&total["events"], &total["meters"][0]["events"]),
        (&json!(1000), &json!(1000))
    );
}

fn parallel_services_and_keys_stop_at_the_quota(api: &Api) {
    let (founder, key) = ready(api);
    let statuses = api.parallel(20, |n| {
        let prefix = format!("p{n}");
        if n % 2 == 0 {
            send_events(api, &key, &prefix, 100).status
        } else {
            record(api, &founder.tenant, &many(&prefix, 100)).status
        }
    });
    let passed = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(passed, 10, "{statuses:?}");
    let total = summary(api, &key);
    assert_eq!(
        (&total["events"], &total["meters"][0]["quantity"]),
        (&json!(1000), &json!(1000))
    );
}

fn a_full_quota_says_what_to_do(api: &Api) {
    let (founder, key) = ready(api);
    send_events(api, &key, "a", 1000).data(200);
    for refused in [
        send_events(api, &key, "b", 1),
        record(api, &founder.tenant, &many("b", 1)),
    ] {
        let error = &refused.refused(429, "QUOTA_EXCEEDED")["error"];
        assert_eq!(
            (&error["plan"], &error["limit"], &error["used"]),
            (&json!("FREE"), &json!(1000), &json!(1000))
        );
        let url = text(&error["upgrade_url"]);
        assert!(url.ends_with("/api/v1/billing/plans"), "{url}");
        let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
        let then = api.now().plus(wait * 1_000);
        assert_ne!(then.plus(60_000).month(), api.now().month());
        assert_eq!(then.minus(120_000).month(), api.now().month());
    }
}

fn quota_of(answer: &Answer) -> String {
    let header = answer.header("ratelimit").unwrap_or_default().to_owned();
    let own = header.split(", ").find(|one| one.starts_with("\"quota\""));
    own.unwrap_or_default().to_owned()
}

fn answers_tell_the_quota(api: &Api) {
    let (founder, key) = ready(api);
    let first = send_events(api, &key, "a", 10);
    assert!(
        quota_of(&first).starts_with("\"quota\";r=990;t="),
        "{first:?}"
    );
    let policies = first.header("ratelimit-policy").unwrap().to_owned();
    assert!(policies.contains("\"quota\";q=1000"), "{policies}");
    let second = record(api, &founder.tenant, &many("b", 990));
    assert!(
        quota_of(&second).starts_with("\"quota\";r=0;t="),
        "{second:?}"
    );
    let refused = send_events(api, &key, "c", 1);
    refused.refused(429, "QUOTA_EXCEEDED");
    assert!(
        quota_of(&refused).starts_with("\"quota\";r=0;t="),
        "{refused:?}"
    );
}

fn the_quota_begins_anew_with_the_month(api: &Api) {
    let (_, key) = ready(api);
    send_events(api, &key, "a", 1000).data(200);
    let over = send_events(api, &key, "b", 1);
    over.refused(429, "QUOTA_EXCEEDED");
    let wait: i64 = over.header("retry-after").unwrap().parse().unwrap();
    let send = |later: i64, id: &str| {
        let body = json!({"id": id, "meter": "calls"});
        let call = api.post("/api/v1/usage/events", &body).bearer(&key);
        call.later(later).send()
    };
    // A test clock that moves while the request is on its way is a few seconds at most.
    send((wait - 30) * 1_000, "early").refused(429, "QUOTA_EXCEEDED");
    send((wait + 1) * 1_000, "then").data(200);
}

fn corrections_change_sums_and_not_counts(api: &Api) {
    let (_, key) = ready(api);
    let now = api.now();
    let send = |body: &Value| {
        let call = api.post("/api/v1/usage/events", body).bearer(&key);
        call.send().data(200)
    };
    send(
        &json!([{"id": "1", "meter": "gb", "quantity": 70}, {"id": "2", "meter": "gb", "quantity": 5}]),
    );
    let taken = json!({"id": "1-mended", "meter": "gb", "quantity": -60, "corrects": "1",
        "timestamp": now.rfc3339()});
    assert_eq!(send(&taken)["inserted"], 1);
    assert_eq!(send(&taken)["duplicates"], 1);
    // One of a batch in which another is known already.
    let mixed = json!([taken, {"id": "2-mended", "meter": "gb", "quantity": 1, "corrects": "2"},
        {"id": "3", "meter": "gb", "quantity": 100}]);
    assert_eq!(send(&mixed)["inserted"], 2);
    let total = summary(api, &key);
    assert_eq!(
        total["meters"],
        json!([{"meter": "gb", "quantity": 116, "events": 3}])
    );
    assert_eq!(total["events"], 5, "what is received is counted");
    let refused = send(&json!([{"id": "x", "meter": "gb", "quantity": -1},
        {"id": "y", "meter": "gb", "corrects": "1"}]));
    assert_eq!(refused["invalid"], 2);
}

fn events_are_shown_with_their_state(api: &Api) {
    let (_, key) = ready(api);
    let now = api.now();
    let body = json!([
        {"id": "now", "meter": "calls", "subject": "cus_1", "properties": {"region": "eu", "size": 7}},
        {"id": "old", "meter": "calls", "timestamp": now.minus(3 * HOUR).rfc3339()},
        {"id": "wrong", "meter": "calls", "timestamp": now.minus(4 * HOUR).rfc3339()},
        {"id": "mend", "meter": "calls", "quantity": -1, "corrects": "wrong",
            "timestamp": now.minus(4 * HOUR).rfc3339()},
        {"id": "other", "source": "elsewhere", "meter": "calls", "quantity": -1, "corrects": "now"},
    ]);
    let sent = api.post("/api/v1/usage/events", &body).bearer(&key).send();
    assert_eq!(sent.data(200)["inserted"], 5);
    let shown = read(api, &key, "/api/v1/usage/events");
    let mut states: Vec<(String, String)> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (text(&event["id"]), text(&event["state"])))
        .collect();
    states.sort();
    let wanted = [
        ("mend", "correction"),
        // A correction is of an event of its own source.
        ("now", "counted"),
        ("old", "late"),
        ("other", "correction"),
        ("wrong", "corrected"),
    ];
    assert_eq!(
        states,
        wanted.map(|(id, state)| (id.to_owned(), state.to_owned()))
    );
    let shown = shown.as_array().unwrap();
    let own = shown.iter().find(|event| event["id"] == "now").unwrap();
    assert_eq!(own["properties"], json!({"region": "eu", "size": 7}));
    assert_eq!(own["subject"], "cus_1");
    let from = now.minus(5 * HOUR).rfc3339();
    let to = now.minus(2 * HOUR).rfc3339();
    let path = format!("/api/v1/usage/events?from={from}&to={to}");
    assert_eq!(read(api, &key, &path).as_array().unwrap().len(), 3);
}

fn events_come_page_by_page_and_to_their_tenant_alone(api: &Api) {
    let ((_, key), (_, other)) = (ready(api), ready(api));
    send_events(api, &key, "a", 230).data(200);
    send_events(api, &other, "b", 1).data(200);
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!("/api/v1/usage/events{cursor}");
        let answer = api.get(&path).bearer(&key).send();
        seen.extend(answer.data(200).as_array().unwrap().clone());
        pages += 1;
        match answer.json()["metadata"]["nextCursor"].as_str() {
            Some(next) => cursor = format!("?cursor={next}"),
            None => break,
        }
    }
    let mut ids: Vec<String> = seen.iter().map(|event| text(&event["id"])).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((seen.len(), ids.len(), pages), (230, 230, 3));
    assert!(ids.iter().all(|id| id.starts_with("a-")));
    for odd in ["x", "bnVsbA", "WzEsMiwzXQ"] {
        let path = format!("/api/v1/usage/events?cursor={odd}");
        api.get(&path).bearer(&key).send().blames("cursor");
    }
    let odd = api.get("/api/v1/usage/events?from=yesterday");
    odd.bearer(&key).send().blames("from");
}

fn services_record_in_one_round_trip(api: &Api) {
    let (founder, _) = ready(api);
    assert_eq!(
        record(api, &founder.tenant, &many("a", 100)).sql(),
        1,
        "new"
    );
    assert_eq!(
        record(api, &founder.tenant, &many("a", 100)).sql(),
        1,
        "known"
    );
}
