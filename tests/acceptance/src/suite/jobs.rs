//! Background jobs.

use std::time::Duration;

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, STARTER, api_key, founder, run_task, send_events, text, upgrade, walk_pages,
};

tests! { "jobs":
    an_export_runs_outside_the_request ["G-11" "L-11"];
    a_large_export_comes_in_order_and_whole [];
    submitting_twice_with_one_key_is_one_job ["F-04" "F-05" "F-06" "F-18" "G-30"];
    parallel_submissions_with_one_key_are_one_job ["F-07" "F-10" "G-30"];
    a_tenant_has_room_for_so_many_jobs ["F-08" "G-30"];
    large_results_come_by_parts [];
    jobs_of_other_tenants_do_not_exist ["L-04" "L-05"];
    bad_jobs_are_refused ["AD-05" "G-35"];
    jobs_are_listed_in_pages ["AD-15"];
    results_are_there_when_completed [];
    round_trips_are_within_budget ["AC-09"];
}

fn submit(api: &Api, token: &str, body: &Value) -> Answer {
    api.post("/api/v1/jobs", body).bearer(token).send()
}

/// Waits for a job: the queue wakes it on Workers, elsewhere a tick finds it.
fn wait(api: &Api, token: &str, id: &str) -> Value {
    for round in 0..100 {
        let job = api
            .get(&format!("/api/v1/jobs/{id}"))
            .bearer(token)
            .send()
            .data(200);
        if ["completed", "failed"].contains(&job["state"].as_str().unwrap()) {
            return job;
        }
        if round % 5 == 4 && api.stack != "workers" || round > 50 {
            run_task(api, "jobs", 0);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("the job did not finish");
}

fn jobs_are_listed_in_pages(api: &Api) {
    let founder = founder(api);
    for _ in 0..3 {
        let job = submit(api, &founder.access, &json!({"type": "usage.export"})).data(202);
        // One that still runs would look different from page to page.
        wait(api, &founder.access, &text(&job["id"]));
    }
    walk_pages(api, &founder, "/api/v1/jobs", 3);
}

fn export(api: &Api, founder: &Founder) -> (Value, Answer) {
    let job = submit(api, &founder.access, &json!({"type": "usage.export"}));
    let id = text(&job.data(202)["id"]);
    let done = wait(api, &founder.access, &id);
    assert_eq!(done["state"], "completed", "{done}");
    let result = api
        .get(done["resultUrl"].as_str().unwrap())
        .bearer(&founder.access)
        .send();
    (done, result)
}

fn an_export_runs_outside_the_request(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    send_events(api, &key, "e", 3).data(200);
    let answer = submit(api, &founder.access, &json!({"type": "usage.export"}));
    let job = answer.data(202);
    assert_eq!(job["state"], "queued");
    assert_eq!(answer.header("location"), job["pollUrl"].as_str());
    let done = wait(api, &founder.access, job["id"].as_str().unwrap());
    assert_eq!(done["state"], "completed", "{done}");
    let result = api
        .get(done["resultUrl"].as_str().unwrap())
        .bearer(&founder.access)
        .send();
    assert_eq!(result.status, 200);
    assert_eq!(result.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = result
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["specversion"], &lines[0]["type"]),
        (&json!("1.0"), &json!("calls"))
    );
}

fn a_large_export_comes_in_order_and_whole(api: &Api) {
    let founder = founder(api);
    upgrade(api, &founder.tenant, STARTER);
    let key = api_key(api, &founder, &["usage:write"]);
    for batch in 0..3 {
        send_events(api, &key, &format!("b{batch}"), 900).data(200);
    }
    let (done, result) = export(api, &founder);
    assert_eq!(done["parts"], 3);
    let lines: Vec<Value> = result
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: std::collections::BTreeSet<&str> = lines
        .iter()
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    assert_eq!((lines.len(), ids.len()), (2700, 2700));
    assert!(lines.is_sorted_by_key(|line| line["time"].as_str().unwrap().to_owned()));
}

fn submitting_twice_with_one_key_is_one_job(api: &Api) {
    let founder = founder(api);
    let send = |key: &str, body: Value| {
        api.post("/api/v1/jobs", &body)
            .bearer(&founder.access)
            .key(key)
            .send()
    };
    let body = json!({"type": "usage.export"});
    let first = send("k1", body.clone());
    let again = send("k1", body.clone());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.data(202), first.data(202));
    assert_ne!(
        send("k2", body.clone()).data(202)["id"],
        first.data(202)["id"]
    );
    let other = json!({"type": "usage.export", "params": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}});
    send("k1", other).refused(409, "IDEMPOTENCY_KEY_REUSED");
    for bad in ["", "with blank", &"x".repeat(256)] {
        let answer = send(bad, body.clone());
        assert!(answer.status == 400 || bad.is_empty(), "{bad}");
    }
}

fn parallel_submissions_with_one_key_are_one_job(api: &Api) {
    let founder = founder(api);
    let ids: std::collections::BTreeSet<String> = api
        .parallel(20, |_| {
            let answer = api
                .post("/api/v1/jobs", &json!({"type": "usage.export"}))
                .bearer(&founder.access)
                .key("same")
                .send();
            text(&answer.data(202)["id"])
        })
        .into_iter()
        .collect();
    assert_eq!(ids.len(), 1);
    let jobs = api
        .get("/api/v1/jobs")
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(jobs.as_array().unwrap().len(), 1);
}

/// Submits, and lets jobs run whenever too many are unfinished; the answer for any other reason.
fn submit_patiently(api: &Api, founder: &Founder) -> Answer {
    for _ in 0..100 {
        let answer = submit(api, &founder.access, &json!({"type": "usage.export"}));
        if answer.status != 429 || answer.header("retry-after").is_none() {
            return answer;
        }
        run_task(api, "jobs", 0);
    }
    panic!("jobs do not finish");
}

fn a_tenant_has_room_for_so_many_jobs(api: &Api) {
    let founder = founder(api);
    let with_key = || {
        let call = api.post("/api/v1/jobs", &json!({"type": "usage.export"}));
        call.bearer(&founder.access).key("k").send()
    };
    let first = with_key().data(202);
    for _ in 1..18 {
        submit_patiently(api, &founder).data(202);
    }
    // The unfinished ones would refuse some of these for another reason.
    let count = || {
        let jobs = api.get("/api/v1/jobs?limit=100").bearer(&founder.access);
        jobs.send().data(200).as_array().unwrap().len()
    };
    let statuses = api.parallel(12, |_| {
        submit(api, &founder.access, &json!({"type": "usage.export"})).status
    });
    let taken = statuses.iter().filter(|status| **status == 202).count();
    assert!(
        statuses.iter().all(|status| [202, 429].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(count(), 18 + taken);
    for _ in taken..2 {
        submit_patiently(api, &founder).data(202);
    }
    assert_eq!(count(), 20);
    let error = submit_patiently(api, &founder).refused(429, "JOB_LIMIT");
    assert_eq!(error["error"]["type"], "rate_limit");
    // What was submitted before is replayed all the same.
    let again = with_key();
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.data(202)["id"], first["id"]);
    // A refusal is not kept: the key is free for another attempt.
    let refused = || {
        let call = api.post("/api/v1/jobs", &json!({"type": "usage.export"}));
        call.bearer(&founder.access).key("full").send()
    };
    for _ in 0..2 {
        refused().refused(429, "JOB_LIMIT");
    }
    assert_eq!(count(), 20);
}

fn large_results_come_by_parts(api: &Api) {
    let founder = founder(api);
    upgrade(api, &founder.tenant, STARTER);
    let key = api_key(api, &founder, &["usage:write"]);
    for batch in 0..5 {
        send_events(api, &key, &format!("b{batch}"), 900).data(200);
    }
    let (done, whole) = export(api, &founder);
    assert_eq!(done["parts"], 5);
    whole.blames("part");
    let path = text(&done["resultUrl"]);
    let read = |query: &str| {
        let part = format!("{path}?part={query}");
        api.get(&part).bearer(&founder.access).send()
    };
    let mut ids = std::collections::BTreeSet::new();
    for part in 0..5 {
        let answer = read(&part.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let next = (part < 4).then(|| format!("<{path}?part={}>; rel=\"next\"", part + 1));
        assert_eq!(answer.header("link"), next.as_deref());
        for line in answer.text().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(ids.insert(text(&line["id"])), "{line}");
        }
    }
    assert_eq!(ids.len(), 4500);
    for odd in ["5", "-1", "%2B1", "x", "", "99999999999999999999"] {
        read(odd).blames("part");
    }
}

fn jobs_of_other_tenants_do_not_exist(api: &Api) {
    let (one, other) = (founder(api), founder(api));
    let job = submit(api, &one.access, &json!({"type": "usage.export"})).data(202);
    let id = job["id"].as_str().unwrap();
    wait(api, &one.access, id);
    for path in [
        format!("/api/v1/jobs/{id}"),
        format!("/api/v1/jobs/{id}/result"),
    ] {
        api.get(&path)
            .bearer(&other.access)
            .send()
            .refused(404, "NOT_FOUND");
    }
    assert_eq!(
        api.get("/api/v1/jobs")
            .bearer(&other.access)
            .send()
            .data(200),
        json!([])
    );
}

fn bad_jobs_are_refused(api: &Api) {
    let founder = founder(api);
    for (body, field) in [
        (json!({}), "type"),
        (json!({"type": "rm -rf"}), "type"),
        (json!({"type": "usage.export", "params": []}), "params"),
        (
            json!({"type": "usage.export", "params": {"from": "2026-02-30T00:00:00Z"}}),
            "from",
        ),
        (
            json!({"type": "usage.export", "params": {"from": "2020-01-01T00:00:00Z"}}),
            "params.to",
        ),
        (json!({"type": "usage.export", "params": {"x": 1}}), "x"),
        (json!({"type": "usage.export", "when": "now"}), "when"),
    ] {
        submit(api, &founder.access, &body).blames(field);
    }
    assert_eq!(
        api.get("/api/v1/jobs")
            .bearer(&founder.access)
            .send()
            .data(200),
        json!([])
    );
}

fn results_are_there_when_completed(api: &Api) {
    let founder = founder(api);
    let (_, result) = export(api, &founder);
    assert_eq!((result.status, result.body.len()), (200, 0));
    api.get("/api/v1/jobs/job_00000000000000000000000000/result")
        .bearer(&founder.access)
        .send()
        .refused(404, "NOT_FOUND");
}

fn round_trips_are_within_budget(api: &Api) {
    let founder = founder(api);
    let answer = submit(api, &founder.access, &json!({"type": "usage.export"}));
    assert_eq!(answer.sql(), 2);
    let id = text(&answer.data(202)["id"]);
    assert_eq!(
        api.get(&format!("/api/v1/jobs/{id}"))
            .bearer(&founder.access)
            .send()
            .sql(),
        1
    );
}
