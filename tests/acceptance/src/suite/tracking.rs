//! Requests as usage: who called what, and how it ended. Rows are written after the answers, so every test waits until
//! its own have come.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, api_key, founder, limit, member, send_events, text};

const HOUR: i64 = 3_600_000;
const PATH: &str = "/api/v1/usage/requests";
const ME: &str = "/api/v1/auth/me";

tests! { "tracking":
    requests_are_counted_exactly_whoever_answers_them ["J-04" "J-05" "J-06"];
    a_rate_limited_call_is_no_usage ["J-17"];
    a_call_that_the_quota_refuses_is_tracked ["J-05" "J-17"];
    errors_have_their_code ["J-05"];
    strangers_leave_no_rows_with_a_tenant ["J-04" "L-04"];
    requests_are_shown_to_their_tenants_administrators_alone ["J-04" "L-04"];
    rows_come_page_by_page_and_by_what_is_asked_for ["J-04"];
    tracking_costs_no_round_trip ["J-06" "AC-09"];
}

fn list(api: &Api, token: &str, query: &str) -> Answer {
    api.get(&format!("{PATH}?{query}")).bearer(token).send()
}

fn rows(api: &Api, who: &Founder, query: &str) -> Vec<Value> {
    let query = format!("limit=100&{query}");
    let data = list(api, &who.access, &query).data(200);
    data.as_array().unwrap().clone()
}

fn sum(rows: &[Value], of: &str) -> i64 {
    rows.iter().map(|row| row[of].as_i64().unwrap()).sum()
}

/// Waits until the rows that are asked for stand for so many requests, and looks that no more come.
#[track_caller]
fn counted(api: &Api, who: &Founder, query: &str, requests: i64) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(40);
    while sum(&rows(api, who, query), "requests") < requests && Instant::now() < deadline {
        sleep(Duration::from_millis(400));
    }
    sleep(Duration::from_secs(1));
    let rows = rows(api, who, query);
    assert_eq!(sum(&rows, "requests"), requests, "{query}: {rows:#?}");
    rows
}

fn requests_are_counted_exactly_whoever_answers_them(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write", "usage:read"]);
    let me = || api.get(ME).bearer(&founder.access).send().data(200);
    // One by signing in.
    let before = 1;
    let bodies = api.parallel(12, |_| {
        me();
        me();
        send_events(api, &key, "e", 1).data(200)
    });
    assert_eq!(bodies.len(), 12);

    let route = format!("route=auth.me&actor={}", founder.user);
    let by_founder = counted(api, &founder, &route, before + 24);
    let by_key = counted(api, &founder, "route=usage.ingest", 12);
    for row in by_founder.iter().chain(&by_key) {
        let whole = |name: &str| row[name].as_i64().unwrap();
        assert!(whole("latencyMs") >= 1, "{row}");
        assert!(whole("latencyMaxMs") >= whole("latencyMs"), "{row}");
        assert!(whole("responseBytes") > 100 * whole("requests"), "{row}");
        assert_eq!((&row["status"], &row["code"]), (&json!(200), &Value::Null));
        assert_eq!(row["requestId"], Value::Null, "rows of an hour: {row}");
        let hour = text(&row["startedAt"]);
        assert!(hour.ends_with(":00:00.000Z"), "{hour}");
    }
    assert_eq!(sum(&by_founder, "requestBytes"), 0);
    assert!(sum(&by_key, "requestBytes") > 12 * 20);
    let actor = text(&by_key[0]["actor"]);
    assert!(actor.starts_with("key_"), "{actor}");
    assert!(by_key.iter().all(|row| row["method"] == "POST"));
}

fn a_rate_limited_call_is_no_usage(api: &Api) {
    let founder = founder(api);
    let reader = member(api, &founder, "admin");
    limit(api, &founder.tenant, "global=20:fixed");
    let (mut passed, mut refused) = (0, 0);
    while refused < 5 {
        match api.get(ME).bearer(&founder.access).send().status {
            200 => passed += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
        assert!(passed < 200, "nothing is limited");
    }
    limit(api, &founder.tenant, "");
    // With the one by signing in.
    let of_founder = format!("route=auth.me&actor={}", founder.user);
    counted(api, &reader, &of_founder, passed + 1);
    assert!(rows(api, &reader, "status=429").is_empty());
}

fn a_call_that_the_quota_refuses_is_tracked(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    api.call("PUT", "/api/v1/entitlements/events")
        .json(&json!({"value": 2}))
        .bearer(&api.service_token("meters"))
        .header("x-tenant-id", &founder.tenant)
        .send()
        .data(200);
    send_events(api, &key, "a", 2).data(200);
    for _ in 0..3 {
        send_events(api, &key, "b", 1).refused(429, "QUOTA_EXCEEDED");
    }
    let refused = counted(api, &founder, "route=usage.ingest&status=429", 3);
    for row in &refused {
        assert_eq!(
            (&row["status"], &row["code"]),
            (&json!(429), &json!("QUOTA_EXCEEDED"))
        );
    }
    counted(api, &founder, "route=usage.ingest", 4);
    // What a service does for the tenant is the tenant's, too.
    let service = counted(api, &founder, "route=entitlements.set", 1);
    let actor = text(&service[0]["actor"]);
    assert!(actor.starts_with("service:"), "{actor}");
}

fn errors_have_their_code(api: &Api) {
    let founder = founder(api);
    let client = member(api, &founder, "client");
    for _ in 0..3 {
        api.get("/api/v1/jobs/job_00000000000000000000000000")
            .bearer(&founder.access)
            .send()
            .refused(404, "NOT_FOUND");
    }
    list(api, &client.access, "").refused(403, "FORBIDDEN");
    api.get(&format!("{PATH}?status=7"))
        .bearer(&founder.access)
        .send()
        .blames("status");
    let errors = [
        ("jobs.get", 404, "NOT_FOUND", &founder, 3),
        ("usage.requests", 403, "FORBIDDEN", &client, 1),
        ("usage.requests", 400, "VALIDATION", &founder, 1),
    ];
    for (route, status, code, who, requests) in errors {
        let query = format!("route={route}&status={status}&actor={}", who.user);
        let rows = counted(api, &founder, &query, requests);
        assert!(rows.iter().all(|row| row["code"] == code), "{rows:#?}");
    }
}

fn strangers_leave_no_rows_with_a_tenant(api: &Api) {
    let founder = founder(api);
    let made_up = "ek_live_00000000000000000000000000000000000000000000";
    for token in ["x", made_up, &founder.refresh] {
        let answer = api.get(ME).bearer(token).send();
        assert!([401, 403].contains(&answer.status), "{}", answer.text());
    }
    api.get(ME).send().refused(401, "AUTH_REQUIRED");
    let path = format!("/api/v1/no/such/{}", founder.tenant);
    api.get(&path).send().refused(404, "ROUTE_NOT_FOUND");
    // What the tenant itself did is there.
    let own = counted(api, &founder, "route=auth.me", 1);
    assert_eq!(own[0]["actor"], json!(founder.user));
    let all = rows(api, &founder, "");
    assert!(all.iter().all(|row| row["status"] != 401), "{all:#?}");
    let shown = json!(all).to_string();
    for trace in ["@", "no/such", "example.com", "127.0.0.1", "ek_live"] {
        assert!(!shown.contains(trace), "{trace}: {shown}");
    }
}

fn requests_are_shown_to_their_tenants_administrators_alone(api: &Api) {
    let (one, other) = (founder(api), founder(api));
    counted(api, &one, "route=auth.me", 1);
    let of_other = format!("actor={}", other.user);
    assert!(rows(api, &one, &of_other).is_empty());
    let shown = json!(rows(api, &one, "")).to_string();
    assert!(!shown.contains(&other.user) && !shown.contains(&other.tenant));

    list(api, &member(api, &one, "admin").access, "").data(200);
    for role in ["agent", "client"] {
        let member = member(api, &one, role);
        list(api, &member.access, "").refused(403, "FORBIDDEN");
    }
    list(api, &api_key(api, &one, &["usage:read"]), "").data(200);
    list(api, &api_key(api, &one, &["usage:write"]), "").refused(403, "SCOPE_MISSING");
    api.get(PATH).send().refused(401, "AUTH_REQUIRED");
    list(api, &api.service_token("meters"), "").refused(401, "TOKEN_INVALID");
}

fn rows_come_page_by_page_and_by_what_is_asked_for(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:read"]);
    // Each hour of the clock has rows of its own.
    for hours in [0, 1, 2] {
        let call = api.get("/api/v1/usage/summary").bearer(&key);
        call.later(hours * HOUR).send().data(200);
    }
    let ahead = api.now().plus(4 * HOUR).rfc3339();
    let query = format!("route=usage.summary&to={ahead}");
    counted(api, &founder, &query, 3);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = list(api, &founder.access, &format!("{query}&limit=1{cursor}"));
        seen.extend(answer.data(200).as_array().unwrap().clone());
        let next = answer.json()["metadata"]["nextCursor"].clone();
        let Some(next) = next.as_str() else { break };
        cursor = format!("&cursor={next}");
        assert!(seen.len() < 10, "no end");
    }
    assert_eq!(seen, rows(api, &founder, &query));
    let times: Vec<_> = seen.iter().map(|row| text(&row["startedAt"])).collect();
    assert!(times.is_sorted_by(|one, next| one >= next), "{times:?}");
    let (newest, oldest) = (&times[0], &times[times.len() - 1]);
    assert_ne!(newest, oldest);
    let before = rows(api, &founder, &format!("route=usage.summary&to={newest}"));
    assert!(before.iter().all(|row| text(&row["startedAt"]) < *newest));
    assert!(!before.is_empty());
    let since = rows(api, &founder, &format!("{query}&from={newest}"));
    assert_eq!(since.len() + before.len(), seen.len());

    let bad = [
        ("from=yesterday", "from"),
        ("to=1", "to"),
        ("status=99", "status"),
        ("status=x", "status"),
        ("route=", "route"),
        ("actor=a%20b", "actor"),
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
    ];
    for (query, field) in bad {
        list(api, &founder.access, query).blames(field);
    }
}

fn tracking_costs_no_round_trip(api: &Api) {
    let founder = founder(api);
    for _ in 0..5 {
        let me = api.get(ME).bearer(&founder.access).send();
        assert_eq!((me.status, me.sql()), (200, 1));
        let shown = list(api, &founder.access, "");
        assert_eq!((shown.status, shown.sql()), (200, 1));
    }
}
