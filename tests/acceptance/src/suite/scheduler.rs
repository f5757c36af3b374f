//! Periodic tasks. These run alone: a moved clock expires everybody's rows.

use serde_json::{Value, json};

use super::tests;
use crate::api::Api;
use crate::fixture::{api_key, founder, login, new_email, register, run_task, send_events};

const DAY: i64 = 86_400_000;

tests! { "scheduler":
    only_services_may_tick ["P-14"];
    runs_are_visible ["G-23"];
    parallel_ticks_run_a_task_once ["G-24"] alone;
    cleanup_deletes_what_has_expired ["F-16" "G-18" "M-21" "AE-05"] alone;
}

fn only_services_may_tick(api: &Api) {
    let founder = founder(api);
    let tick = |token: &str| {
        api.call("POST", "/api/v1/scheduler/tick")
            .bearer(token)
            .send()
    };
    assert_eq!(tick(&founder.access).status, 401);
    assert_eq!(tick(&api.service_token("billing")).status, 401);
    assert_eq!(
        tick(&api.service_token_at("scheduler", -400_000)).status,
        401
    );
    tick(&api.service_token("scheduler")).data(200);
    api.call("POST", "/api/v1/scheduler/tick?task=nothing")
        .bearer(&api.service_token("scheduler"))
        .send()
        .blames("task");
}

fn tasks(api: &Api) -> Vec<Value> {
    let answer = api
        .get("/api/v1/scheduler/tasks")
        .bearer(&api.service_token("scheduler"))
        .send();
    answer.data(200).as_array().unwrap().clone()
}

fn runs_are_visible(api: &Api) {
    run_task(api, "mail", 0);
    let seen = tasks(api);
    let mail = seen.iter().find(|task| task["name"] == "mail").unwrap();
    assert!(mail["runs"].as_i64().unwrap() >= 1, "{mail}");
    assert!(
        mail["lastFinishedAt"].is_string() && mail["lastOutcome"].is_string(),
        "{mail}"
    );
}

fn parallel_ticks_run_a_task_once(api: &Api) {
    run_task(api, "cleanup", 0);
    let later = DAY / 24;
    let ran: usize = api
        .parallel(10, |_| {
            let tick = api
                .call("POST", "/api/v1/scheduler/tick")
                .bearer(&api.service_token_at("scheduler", later))
                .later(later)
                .send()
                .data(200);
            tick["ran"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|ran| ran["task"] == "cleanup")
                .count()
        })
        .into_iter()
        .sum();
    assert_eq!(ran, 1);
}

fn cleanup_deletes_what_has_expired(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    send_events(api, &key, "kept", 5).data(200);
    let submit = || {
        api.post("/api/v1/jobs", &json!({"type": "usage.export"}))
            .bearer(&founder.access)
            .key("k")
            .send()
    };
    let job = submit().data(202);
    run_task(api, "jobs", 0);
    let unverified = new_email(api);
    register(api, &unverified).data(201);

    // An hour later nothing has expired yet.
    run_task(api, "cleanup", DAY / 24);
    assert_eq!(submit().data(202)["id"], job["id"]);
    api.get("/api/v1/auth/me")
        .bearer(&founder.access)
        .send()
        .data(200);

    let outcome = run_task(api, "cleanup", 9 * DAY);
    let told = outcome["outcome"].as_str().unwrap();
    for what in [
        "sessions=",
        "idempotency_keys=",
        "jobs=",
        "verification_links=",
    ] {
        assert!(told.contains(what), "{what} is missing: {told}");
    }
    api.get("/api/v1/auth/me")
        .bearer(&founder.access)
        .send()
        .refused(401, "SESSION_ENDED");
    let tokens = login(api, &founder.email, crate::fixture::PASSWORD).data(200);
    let access = tokens["access_token"].as_str().unwrap();
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    api.get(&path)
        .bearer(access)
        .send()
        .refused(404, "NOT_FOUND");
    // What is not ephemeral stays.
    let summary = api
        .get("/api/v1/usage/summary")
        .bearer(access)
        .send()
        .data(200);
    assert_eq!(summary["events"], 5);
    let told = run_task(api, "cleanup", 9 * DAY);
    assert!(
        !told["outcome"].as_str().unwrap().contains("jobs="),
        "{told}"
    );
}
