//! API keys.

use serde_json::{Value, json};

use super::tests;
use crate::api::Api;
use crate::fixture::{api_key, founder, send_events, text, walk_pages};

tests! { "api_keys":
    a_key_is_shown_once_and_works ["C-02" "C-05"];
    a_revoked_key_stops_at_once [];
    a_key_expires [];
    scopes_bound_a_key [];
    keys_of_other_tenants_do_not_exist ["L-04" "L-05"];
    typos_cost_no_query [];
    the_plan_limits_keys [];
    the_plan_limits_keys_that_are_made_at_once [];
    a_refused_creation_claims_nothing [];
    texts_that_are_no_keys_do_not_exist [];
    a_creation_is_replayed_after_its_key_has_expired [];
    keys_are_listed_in_pages ["AD-15"];
    creation_is_replayed_without_the_secret ["F-05" "F-19"];
}

fn a_key_is_shown_once_and_works(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    assert!(key.starts_with("ek_live_"), "{key}");
    assert_eq!(send_events(api, &key, "a", 1).data(200)["inserted"], 1);
    let listed = api.get("/api/v1/api-keys").bearer(&founder.access).send();
    assert_eq!(listed.data(200)[0]["scopes"], json!(["usage:write"]));
    assert!(
        !listed.text().contains(&key[key.len() - 20..]),
        "the secret is listed"
    );
}

fn keys_are_listed_in_pages(api: &Api) {
    let founder = founder(api);
    for _ in 0..3 {
        api_key(api, &founder, &["usage:read"]);
    }
    walk_pages(api, &founder, "/api/v1/api-keys", 3);
}

fn a_revoked_key_stops_at_once(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    send_events(api, &key, "a", 1).data(200);
    let id = text(
        &api.get("/api/v1/api-keys")
            .bearer(&founder.access)
            .send()
            .data(200)[0]["id"],
    );
    let revoke = || {
        api.delete(&format!("/api/v1/api-keys/{id}"))
            .bearer(&founder.access)
            .send()
            .data(200)
    };
    let first = revoke();
    assert!(first["revokedAt"].is_string());
    assert_eq!(revoke()["revokedAt"], first["revokedAt"]);
    send_events(api, &key, "b", 1).refused(401, "API_KEY_INVALID");
    let summary = api
        .get("/api/v1/usage/summary")
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(summary["events"], 1, "a refused batch was counted");
}

fn a_key_expires(api: &Api) {
    let founder = founder(api);
    let end = api.now().plus(3_600_000).rfc3339();
    let body = json!({"name": "short", "expires_at": end});
    let key = api
        .post("/api/v1/api-keys", &body)
        .bearer(&founder.access)
        .send()
        .data(201);
    let send = |later: i64| {
        api.post(
            "/api/v1/usage/events",
            &json!({"id": later.to_string(), "meter": "m"}),
        )
        .bearer(key["key"].as_str().unwrap())
        .later(later)
        .send()
    };
    send(0).data(200);
    send(3_601_000).refused(401, "API_KEY_INVALID");
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

fn the_plan_limits_keys(api: &Api) {
    let founder = founder(api);
    for _ in 0..5 {
        api_key(api, &founder, &["usage:write"]);
    }
    let sixth = api
        .post("/api/v1/api-keys", &json!({"name": "x"}))
        .bearer(&founder.access)
        .send();
    sixth.refused(429, "QUOTA_EXCEEDED");
}

fn the_plan_limits_keys_that_are_made_at_once(api: &Api) {
    let founder = founder(api);
    let create = |index: usize| {
        let call = api.post("/api/v1/api-keys", &json!({"name": index.to_string()}));
        // With and without the key: two ways through the code.
        let call = if index.is_multiple_of(2) {
            call.key(&format!("create-{index}"))
        } else {
            call
        };
        call.bearer(&founder.access).send()
    };
    let answers = api.parallel(30, create);
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(429, "QUOTA_EXCEEDED");
    }
    let listed = api
        .get("/api/v1/api-keys?limit=100")
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!((made, listed.as_array().unwrap().len()), (5, 5));
}

fn a_refused_creation_claims_nothing(api: &Api) {
    let founder = founder(api);
    let create = |body: &Value, later: i64| {
        api.post("/api/v1/api-keys", body)
            .bearer(&founder.access)
            .key(&format!("{}-1", text(&body["name"])))
            .later(later)
            .send()
    };
    let end = api.now().plus(60_000).rfc3339();
    for index in 0..5 {
        let body = json!({"name": index.to_string(), "expires_at": end});
        create(&body, 0).data(201);
    }
    let wanted = json!({"name": "wanted"});
    create(&wanted, 0).refused(429, "QUOTA_EXCEEDED");
    // The same key again, now that the others have expired and make room.
    let made = create(&wanted, 61_000);
    assert_eq!(made.header("idempotent-replayed"), None);
    assert!(made.data(201)["key"].is_string());
    let again = create(&wanted, 61_000);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
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

fn a_creation_is_replayed_after_its_key_has_expired(api: &Api) {
    let founder = founder(api);
    let end = api.now().plus(30_000).rfc3339();
    let body = json!({"name": "short", "expires_at": end});
    let create = |later: i64| {
        api.post("/api/v1/api-keys", &body)
            .bearer(&founder.access)
            .key("short-1")
            .later(later)
            .send()
    };
    let first = create(0).data(201);
    let again = create(31_000);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.data(201)["id"], first["id"]);
    let late = api
        .post("/api/v1/api-keys", &body)
        .bearer(&founder.access)
        .later(31_000)
        .send();
    late.blames("expires_at");
}

fn creation_is_replayed_without_the_secret(api: &Api) {
    let founder = founder(api);
    let create = |name: &str| {
        api.post("/api/v1/api-keys", &json!({"name": name}))
            .bearer(&founder.access)
            .key("create-1")
            .send()
    };
    let first = create("one").data(201);
    let again = create("one");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let again = again.data(201);
    assert_eq!(again["id"], first["id"]);
    assert!(first["key"].is_string() && again["key"].is_null());
    create("two").refused(409, "IDEMPOTENCY_KEY_REUSED");
    let listed = api
        .get("/api/v1/api-keys")
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
}
