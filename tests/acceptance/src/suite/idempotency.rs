//! Idempotency keys: whose they are, how long they last, and what a replay is.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{api_key, founder, member, text};

tests! { "idempotency":
    a_key_is_free_again_after_a_day ["F-02" "F-09"];
    a_key_belongs_to_one_caller_and_one_route ["F-14"];
    a_replay_is_the_first_answer_in_a_new_envelope ["F-04" "F-15"];
    what_is_no_key_is_refused [];
}

const DAY: i64 = 86_400_000;

fn send(api: &Api, token: &str, path: &str, body: &Value) -> Answer {
    api.post(path, body).bearer(token).key("same").send()
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

/// Nothing is cleaned up in between, and KV may still have its copy.
fn a_key_is_free_again_after_a_day(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["jobs"]);
    let submit = |body: &Value, later: i64| {
        let call = api.post("/api/v1/jobs", body).bearer(&key).key("k");
        call.later(later).send()
    };
    let body = json!({"type": "usage.export"});
    let first = submit(&body, 0).data(202);
    let late = submit(&body, DAY - 60_000);
    assert!(replayed(&late));
    assert_eq!(late.data(202), first);
    // Another request too: the key stands for nothing any more.
    let other = json!({"type": "usage.export",
        "params": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}});
    submit(&other, DAY - 60_000).refused(409, "IDEMPOTENCY_KEY_REUSED");
    let second = submit(&other, DAY + 5_000);
    assert!(!replayed(&second));
    assert_ne!(second.data(202)["id"], first["id"]);
    let again = submit(&other, DAY + 6_000);
    assert!(replayed(&again));
    assert_eq!(again.data(202), second.data(202));
}

fn a_key_belongs_to_one_caller_and_one_route(api: &Api) {
    let (one, other) = (founder(api), founder(api));
    let colleague = member(api, &one, "agent");
    let key = api_key(api, &one, &["projects:write", "projects:read"]);
    let body = json!({"name": "x"});
    // Another tenant, another user of the tenant, another credential, another route.
    let mut ids = Vec::new();
    for (token, path) in [
        (&one.access, "/api/v1/projects"),
        (&other.access, "/api/v1/projects"),
        (&colleague.access, "/api/v1/projects"),
        (&key, "/api/v1/projects"),
        (&one.access, "/api/v1/agents"),
        (&one.access, "/api/v1/organizations"),
    ] {
        let first = send(api, token, path, &body);
        assert!(!replayed(&first), "{path}");
        let again = send(api, token, path, &body);
        assert!(replayed(&again), "{path}");
        assert_eq!(again.data(201), first.data(201));
        ids.push(text(&first.data(201)["id"]));
    }
    // Signing in anew makes nobody another caller.
    let tokens = crate::fixture::login(api, &other.email, crate::fixture::PASSWORD).data(200);
    let access = text(&tokens["access_token"]);
    assert!(replayed(&send(api, &access, "/api/v1/projects", &body)));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

/// Status, data and `Location` are the first one's; what belongs to one exchange is not kept.
fn a_replay_is_the_first_answer_in_a_new_envelope(api: &Api) {
    let founder = founder(api);
    let call = |id: &str, later: i64| {
        let call = api.post("/api/v1/projects", &json!({"name": "x"})).key("k");
        let call = call.bearer(&founder.access).header("x-request-id", id);
        call.later(later).send()
    };
    let first = call("the-first-request", 0);
    // Far enough that no request is counted any more, whatever part of a minute has passed.
    let again = call("the-second-request", 130_000);
    assert_eq!(again.data(201), first.data(201));
    assert_eq!(again.header("location"), first.header("location"));
    assert!(again.header("location").is_some());
    assert_eq!(again.json()["metadata"]["requestId"], "the-second-request");
    assert_eq!(again.header("x-request-id"), Some("the-second-request"));
    assert_ne!(
        again.json()["metadata"]["timestamp"],
        first.json()["metadata"]["timestamp"]
    );
    assert_ne!(again.header("traceparent"), first.header("traceparent"));
    for (name, value) in edgekeep_core::http::CANONICAL_SECURITY_HEADERS {
        assert_eq!(again.header(name), Some(value));
    }
    assert_eq!(again.header("set-cookie"), None);
    assert_eq!(again.header("cache-control"), Some("no-store"));
}

fn what_is_no_key_is_refused(api: &Api) {
    let founder = founder(api);
    for bad in ["two words", "é", &"x".repeat(256)] {
        let call = api.post("/api/v1/projects", &json!({"name": "x"}));
        let answer = call.bearer(&founder.access).key(bad).send();
        answer.refused(400, "IDEMPOTENCY_KEY_INVALID");
    }
    let call = api.post("/api/v1/projects", &json!({"name": "x"}));
    let longest = call.bearer(&founder.access).key(&"x".repeat(255)).send();
    longest.data(201);
}
