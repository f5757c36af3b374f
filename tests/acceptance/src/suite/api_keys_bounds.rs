//! API keys: what they may not do.

use serde_json::{Value, json};

use super::api_keys::{listed, made, shown};
use super::tests;
use crate::api::Api;
use crate::fixture::{api_key, founder, send_events, text};

tests! { "api_keys":
    keys_cannot_do_what_is_for_people ["C-13"];
    test_keys_count_in_nothing ["C-10"];
    a_key_works_from_its_networks_only ["C-10"];
    scopes_bound_a_key [];
    keys_of_other_tenants_do_not_exist ["L-04" "L-05"];
    typos_cost_no_query [];
    texts_that_are_no_keys_do_not_exist [];
}

fn keys_cannot_do_what_is_for_people(api: &Api) {
    let founder = founder(api);
    let all = json!({"name": "x", "scopes": ["usage:write", "usage:read", "jobs"]});
    let new = made(api, &founder, &all);
    let (secret, path) = (
        text(&new["key"]),
        format!("/api/v1/api-keys/{}", text(&new["id"])),
    );
    for (method, path) in [
        ("POST", "/api/v1/api-keys"),
        ("GET", "/api/v1/api-keys"),
        ("GET", &path),
        ("DELETE", &path),
        ("POST", &format!("{path}/revoke")),
        ("POST", &format!("{path}/reroll")),
        ("GET", "/api/v1/auth/me"),
        ("GET", "/api/v1/billing/subscription"),
        ("POST", "/api/v1/scheduler/tick"),
    ] {
        let call = api.call(method, path).json(&json!({"name": "x"}));
        call.bearer(&secret).send().refused(403, "FORBIDDEN");
        let call = api.call(method, path).json(&json!({"name": "x"}));
        call.header("x-api-key", &secret)
            .send()
            .refused(403, "FORBIDDEN");
    }
    assert_eq!(listed(api, &founder)[0]["status"], "live");
}

fn test_keys_count_in_nothing(api: &Api) {
    let founder = founder(api);
    let all = json!(["usage:write", "usage:read"]);
    let body = json!({"name": "ci", "environment": "test", "scopes": all});
    let new = made(api, &founder, &body);
    let secret = text(&new["key"]);
    assert!(secret.starts_with("ek_test_"), "{secret}");
    assert_eq!(shown(api, &founder, &new["id"])["environment"], "test");
    let events = json!([{"id": "1", "meter": "m"}, {"id": "1", "meter": "m"},
        {"id": "2", "meter": "m", "quantity": -1}]);
    for _ in 0..2 {
        let answer = api.post("/api/v1/usage/events", &events).bearer(&secret);
        let answer = answer.send().data(200);
        let counts = (
            &answer["inserted"],
            &answer["duplicates"],
            &answer["invalid"],
        );
        assert_eq!(counts, (&json!(1), &json!(1), &json!(1)));
    }
    // More than the quota of the plan, which is not touched.
    send_events(api, &secret, "t", 1000).data(200);
    send_events(api, &secret, "u", 1000).data(200);
    let summary = api.get("/api/v1/usage/summary").bearer(&secret);
    let summary = summary.send().data(200);
    assert_eq!(
        (&summary["events"], &summary["meters"]),
        (&json!(0), &json!([]))
    );
    // The same events are new when they are meant.
    let live = api_key(api, &founder, &["usage:write"]);
    let answer = api.post("/api/v1/usage/events", &events).bearer(&live);
    assert_eq!(answer.send().data(200)["inserted"], 1);
    let bound = made(
        api,
        &founder,
        &json!({"name": "x", "environment": "test", "scopes": ["jobs"]}),
    );
    send_events(api, &text(&bound["key"]), "a", 1).refused(403, "SCOPE_MISSING");
    api.post(
        "/api/v1/api-keys",
        &json!({"name": "x", "environment": "staging"}),
    )
    .bearer(&founder.access)
    .send()
    .blames("environment");
}

fn a_key_works_from_its_networks_only(api: &Api) {
    let founder = founder(api);
    let scopes = json!(["usage:write", "usage:read"]);
    let with = |list: Value| {
        let body = json!({"name": "x", "scopes": scopes, "allowed_ips": list});
        made(api, &founder, &body)
    };
    let read = |key: &str| api.get("/api/v1/usage/summary").bearer(key).send();
    let inside = with(json!(["203.0.113.0/24", "0.0.0.0/0", "::/0"]));
    let allowed = shown(api, &founder, &inside["id"])["allowedIps"].clone();
    assert_eq!(allowed, json!(["203.0.113.0/24", "0.0.0.0/0", "::/0"]));
    let key = text(&inside["key"]);
    assert_eq!(send_events(api, &key, "a", 2).data(200)["inserted"], 2);
    assert_eq!(send_events(api, &key, "a", 2).data(200)["duplicates"], 2);
    let key = text(&with(json!(["203.0.113.0/24", "2001:db8::/32"]))["key"]);
    send_events(api, &key, "b", 1).refused(403, "IP_NOT_ALLOWED");
    read(&key).refused(403, "IP_NOT_ALLOWED");
    assert_eq!(read(&text(&inside["key"])).data(200)["events"], 2);
    for bad in [
        json!([]),
        json!(["203.0.113.1/24"]),
        json!(["x"]),
        json!("::1"),
    ] {
        let body = json!({"name": "x", "allowed_ips": bad});
        let call = api.post("/api/v1/api-keys", &body);
        call.bearer(&founder.access).send().blames("allowed_ips");
    }
}

fn scopes_bound_a_key(api: &Api) {
    let founder = founder(api);
    let reader = api_key(api, &founder, &["usage:read"]);
    let writer = api_key(api, &founder, &["usage:write"]);
    send_events(api, &reader, "a", 1).refused(403, "SCOPE_MISSING");
    send_events(api, &writer, "a", 1).data(200);
    api.get("/api/v1/usage/summary")
        .bearer(&writer)
        .send()
        .refused(403, "SCOPE_MISSING");
    assert_eq!(
        api.get("/api/v1/usage/summary")
            .bearer(&reader)
            .send()
            .data(200)["events"],
        1
    );
    api.get("/api/v1/jobs")
        .bearer(&reader)
        .send()
        .refused(403, "SCOPE_MISSING");
    let jobs = api_key(api, &founder, &["jobs"]);
    api.get("/api/v1/jobs")
        .header("x-api-key", &jobs)
        .send()
        .data(200);
}

fn keys_of_other_tenants_do_not_exist(api: &Api) {
    let (one, other) = (founder(api), founder(api));
    api_key(api, &one, &["usage:write"]);
    let id = text(
        &api.get("/api/v1/api-keys")
            .bearer(&one.access)
            .send()
            .data(200)[0]["id"],
    );
    api.delete(&format!("/api/v1/api-keys/{id}"))
        .bearer(&other.access)
        .send()
        .refused(404, "NOT_FOUND");
    let listed = api
        .get("/api/v1/api-keys")
        .bearer(&other.access)
        .send()
        .data(200);
    assert_eq!(listed, json!([]));
}

fn typos_cost_no_query(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    let typo = format!("{}0", &key[..key.len() - 1]);
    let typo = if typo == key {
        format!("{}1", &key[..key.len() - 1])
    } else {
        typo
    };
    let answer = send_events(api, &typo, "a", 1);
    answer.refused(401, "API_KEY_INVALID");
    assert_eq!(answer.sql(), 0);
}

fn texts_that_are_no_keys_do_not_exist(api: &Api) {
    let founder = founder(api);
    let long = "x".repeat(6_000);
    for id in [
        long.as_str(),
        "key_",
        "key_ABCDEFGHJKMNPQRS",
        "usr_0",
        "key_0123456789abcdef0",
    ] {
        let answer = api
            .delete(&format!("/api/v1/api-keys/{id}"))
            .bearer(&founder.access)
            .send();
        answer.refused(404, "NOT_FOUND");
        assert_eq!(answer.sql(), 1, "it was looked for");
    }
}
