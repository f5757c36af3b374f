//! API keys: new secrets and expiry.

use serde_json::{Value, json};

use super::api_keys::{listed, made, shown};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, founder, text};

tests! { "api_keys":
    a_rerolled_key_lives_until_its_deadline ["C-11"];
    a_reroll_never_outlives_the_key ["C-11"];
    a_key_is_rerolled_once ["C-11"];
    a_key_expires [];
}

fn reroll(api: &Api, founder: &Founder, id: &Value, overlap: i64) -> Answer {
    let path = format!("/api/v1/api-keys/{}/reroll", text(id));
    let body = json!({ "overlap_seconds": overlap });
    api.post(&path, &body).bearer(&founder.access).send()
}

fn send_at(api: &Api, key: &str, later: i64) -> Answer {
    let event = json!({"id": format!("{later}-{}", &key[8..24]), "meter": "m"});
    let call = api.post("/api/v1/usage/events", &event);
    call.bearer(key).later(later).send()
}

fn a_rerolled_key_lives_until_its_deadline(api: &Api) {
    let founder = founder(api);
    let body = json!({"name": "x", "scopes": ["usage:write", "jobs"], "allowed_ips": ["0.0.0.0/0", "::/0"]});
    let old = made(api, &founder, &body);
    for _ in 0..4 {
        made(api, &founder, &json!({"name": "fills the plan"}));
    }
    let new = reroll(api, &founder, &old["id"], 60).data(201);
    assert_eq!(new["replaces"], old["id"]);
    for same in ["name", "scopes", "allowedIps", "environment", "expiresAt"] {
        assert_eq!(new[same], old[same], "{same}");
    }
    let before = shown(api, &founder, &old["id"]);
    assert_eq!(
        (&before["replacedBy"], &before["status"]),
        (&new["id"], &json!("live"))
    );
    assert_eq!(before["expiresAt"], new["overlapEndsAt"]);
    let (first, second) = (text(&old["key"]), text(&new["key"]));
    for later in [0, 55_000] {
        send_at(api, &first, later).data(200);
        send_at(api, &second, later).data(200);
    }
    send_at(api, &first, 61_000).refused(401, "API_KEY_INVALID");
    send_at(api, &second, 61_000).data(200);
    // Again: never more than two secrets of one key.
    let third = reroll(api, &founder, &new["id"], 60).data(201);
    send_at(api, &first, 1_000).refused(401, "API_KEY_INVALID");
    send_at(api, &second, 1_000).data(200);
    send_at(api, &text(&third["key"]), 1_000).data(200);
    // Without an overlap the old one ends at once.
    reroll(api, &founder, &third["id"], 0).data(201);
    send_at(api, &text(&third["key"]), 2_000).refused(401, "API_KEY_INVALID");
}

fn a_reroll_never_outlives_the_key(api: &Api) {
    let founder = founder(api);
    let end = api.now().plus(30_000).rfc3339();
    let old = made(api, &founder, &json!({"name": "x", "expires_at": end}));
    let new = reroll(api, &founder, &old["id"], 86_400).data(201);
    assert_eq!(new["expiresAt"], old["expiresAt"]);
    assert_eq!(new["overlapEndsAt"], old["expiresAt"]);
    for key in [&old, &new] {
        let key = text(&key["key"]);
        send_at(api, &key, 0).data(200);
        send_at(api, &key, 31_000).refused(401, "API_KEY_INVALID");
    }
    for bad in [-1, 86_401] {
        reroll(api, &founder, &new["id"], bad).blames("overlap_seconds");
    }
}

fn a_key_is_rerolled_once(api: &Api) {
    let founder = founder(api);
    let old = made(api, &founder, &json!({"name": "x"}));
    let answers = api.parallel(10, |_| reroll(api, &founder, &old["id"], 60));
    let done = answers.iter().filter(|answer| answer.status == 201).count();
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "STATE_CONFLICT");
    }
    assert_eq!((done, listed(api, &founder).len()), (1, 2));
    // With an idempotency key it is repeated, without the secret.
    let next = listed(api, &founder)
        .into_iter()
        .find(|key| key["replacedBy"].is_null())
        .unwrap();
    let path = format!("/api/v1/api-keys/{}/reroll", text(&next["id"]));
    let repeat = || {
        let call = api.post(&path, &json!({})).bearer(&founder.access);
        call.key("reroll-1").send().data(201)
    };
    let (first, again) = (repeat(), repeat());
    assert_eq!(first["id"], again["id"]);
    assert!(first["key"].is_string() && again["key"].is_null());
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
