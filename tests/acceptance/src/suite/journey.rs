//! The whole product in one walk, as a founder takes it.

use std::time::Duration;

use serde_json::json;

use super::tests;
use crate::api::Api;
use crate::fixture::{
    STARTER, api_key, founder, run_task, send_events, stripe_event, subscription_event, text,
};

tests! { "journey":
    from_registration_to_download ["A-03" "AE-03" "AE-04" "AE-10" "Z-02"];
}

fn from_registration_to_download(api: &Api) {
    let founder = founder(api);
    let next = api
        .post(
            "/api/v1/auth/refresh",
            &json!({"refresh_token": founder.refresh}),
        )
        .send()
        .data(200);
    let access = text(&next["access_token"]);
    let key = api_key(api, &founder, &["usage:write", "usage:read", "jobs"]);
    send_events(api, &key, "first", 1000).data(200);
    send_events(api, &key, "over", 1).refused(429, "QUOTA_EXCEEDED");
    let now = api.now().seconds();
    let t = &founder.tenant;
    let event = subscription_event(&format!("evt_{t}"), "created", now, t, "active", STARTER);
    for _ in 0..3 {
        stripe_event(api, &event).data(200);
    }
    send_events(api, &key, "over", 1).data(200);
    let job = api
        .post("/api/v1/jobs", &json!({"type": "usage.export"}))
        .bearer(&key)
        .send()
        .data(202);
    let place = text(&job["pollUrl"]);
    let mut done = json!(null);
    for round in 0..60 {
        done = api.get(&place).bearer(&key).send().data(200);
        if done["state"] == "completed" {
            break;
        }
        if round > 10 || api.stack != "workers" {
            run_task(api, "jobs", 0);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let result = api.get(&text(&done["resultUrl"])).bearer(&key).send();
    assert_eq!(result.text().lines().count(), 1001);
    api.call("POST", "/api/v1/auth/logout")
        .bearer(&access)
        .send()
        .data(200);
    api.get("/api/v1/auth/me")
        .bearer(&access)
        .send()
        .refused(401, "SESSION_ENDED");
}
