//! API keys: their life and what is counted.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, api_key, founder, send_events, text, walk_pages};

tests! { "api_keys":
    a_key_is_shown_once_and_works ["C-02" "C-05"];
    keys_are_listed_in_pages ["AD-15"];
    a_revoked_key_stops_at_once [];
    the_whole_life_of_a_key ["C-03" "C-04" "C-14"];
    a_live_key_that_is_deleted_stops ["C-04"];
    uses_are_counted ["C-08"];
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
        api.call("POST", &format!("/api/v1/api-keys/{id}/revoke"))
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

/// A new key with these fields, as it is shown once.
pub(super) fn made(api: &Api, founder: &Founder, body: &Value) -> Value {
    api.post("/api/v1/api-keys", body)
        .bearer(&founder.access)
        .send()
        .data(201)
}

pub(super) fn shown(api: &Api, founder: &Founder, id: &Value) -> Value {
    api.get(&format!("/api/v1/api-keys/{}", text(id)))
        .bearer(&founder.access)
        .send()
        .data(200)
}

pub(super) fn listed(api: &Api, founder: &Founder) -> Vec<Value> {
    let answer = api.get("/api/v1/api-keys").bearer(&founder.access).send();
    answer.data(200).as_array().unwrap().clone()
}

pub(super) fn act(api: &Api, founder: &Founder, method: &str, id: &Value, act: &str) -> Answer {
    let path = format!("/api/v1/api-keys/{}{act}", text(id));
    api.call(method, &path).bearer(&founder.access).send()
}

fn the_whole_life_of_a_key(api: &Api) {
    let founder = founder(api);
    let end = api.now().plus(3_600_000).rfc3339();
    let new = made(
        api,
        &founder,
        &json!({"name": "laptop", "scopes": ["usage:write"], "expires_at": end}),
    );
    let (id, secret) = (&new["id"], text(&new["key"]));
    let prefix = text(&new["prefix"]);
    assert!(secret.starts_with(&format!("{prefix}_")), "{prefix}");
    assert_eq!(secret.len(), 65);

    let keys = listed(api, &founder);
    assert_eq!(keys.len(), 1);
    let key = &keys[0];
    assert_eq!(&shown(api, &founder, id), key);
    assert_eq!(key["prefix"], new["prefix"]);
    assert_eq!(
        (
            &key["name"],
            &key["status"],
            &key["environment"],
            &key["uses"]
        ),
        (&json!("laptop"), &json!("live"), &json!("live"), &json!(0))
    );
    assert_eq!(
        (&key["createdBy"], &key["lastUsedAt"]),
        (&json!(founder.user), &Value::Null)
    );
    assert!(
        key["expiresAt"].is_string() && key.get("key").is_none(),
        "{key}"
    );
    let list = api.get("/api/v1/api-keys").bearer(&founder.access).send();
    assert!(!list.text().contains(&secret[25..]), "the secret is listed");

    send_events(api, &secret, "a", 1).data(200);
    let revoked = act(api, &founder, "POST", id, "/revoke").data(200);
    assert_eq!(revoked["status"], "revoked");
    send_events(api, &secret, "b", 1).refused(401, "API_KEY_INVALID");
    assert_eq!(listed(api, &founder)[0]["revokedAt"], revoked["revokedAt"]);

    let deleted = act(api, &founder, "DELETE", id, "").data(200);
    assert_eq!(deleted["status"], "deleted");
    assert_eq!(listed(api, &founder), Vec::<Value>::new());
    for (method, path) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/revoke"),
        ("POST", "/reroll"),
    ] {
        act(api, &founder, method, id, path).refused(404, "NOT_FOUND");
    }
}

fn a_live_key_that_is_deleted_stops(api: &Api) {
    let founder = founder(api);
    let new = made(api, &founder, &json!({"name": "x"}));
    let secret = text(&new["key"]);
    send_events(api, &secret, "a", 1).data(200);
    act(api, &founder, "DELETE", &new["id"], "").data(200);
    send_events(api, &secret, "b", 1).refused(401, "API_KEY_INVALID");
    // Its place is free again.
    for _ in 0..5 {
        made(api, &founder, &json!({"name": "x"}));
    }
}

fn uses_are_counted(api: &Api) {
    let founder = founder(api);
    let new = made(api, &founder, &json!({"name": "x"}));
    let secret = text(&new["key"]);
    for number in 0..7 {
        send_events(api, &secret, &number.to_string(), 1).data(200);
    }
    // A minute later all of it is written, wherever it was counted meanwhile.
    let late = api.post("/api/v1/usage/events", &json!({"id": "z", "meter": "m"}));
    let late = late.bearer(&secret).later(61_000).send();
    late.data(200);
    assert_eq!(late.sql(), 1, "the request waited for the count");
    let mut key = Value::Null;
    for _ in 0..100 {
        key = shown(api, &founder, &new["id"]);
        if key["uses"] == 8 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(key["uses"], 8);
    assert!(
        key["lastUsedAt"].as_str() > key["createdAt"].as_str(),
        "{key}"
    );
    // Who is turned away has not used it.
    api.get("/api/v1/jobs")
        .bearer(&secret)
        .send()
        .refused(403, "SCOPE_MISSING");
}
