//! Counters and gauges. Those that compare numbers run alone, and wait until every instance has
//! written what it counted.

use std::thread::sleep;
use std::time::{Duration, Instant};

use edgekeep_core::config::Feature;
use serde_json::json;

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    api_key, founder, login, new_email, register, run_task, send_events, stripe_event,
    subscription_event,
};
use crate::prometheus::{Samples, promtool, read};

tests! { "metrics":
    only_services_and_scrapers_read_them ["O-14"];
    the_page_keeps_its_format ["O-12" "O-14" "O-17"];
    gauges_tell_how_things_stand ["Q-16"];
    attempts_to_sign_in_move_their_counters ["A-44" "O-25"] alone;
    requests_of_all_instances_are_counted ["O-13" "O-23"] alone;
    work_moves_its_counters ["U-04" "O-25"] alone;
    refusals_and_repetitions_move_their_counters ["F-26"] alone;
    nobody_got_around_a_judgement ["A-43"] alone;
}

fn scrape(api: &Api) -> Answer {
    let token = std::env::var("METRICS_TOKEN").expect("the server's variables must be set here");
    api.get("/metrics").bearer(&token).send()
}

fn samples(api: &Api) -> Samples {
    let answer = scrape(api);
    assert_eq!(answer.status, 200, "{}", answer.text());
    read(&answer.text())
}

fn value(samples: &Samples, series: &str) -> f64 {
    samples.get(series).copied().unwrap_or(0.0)
}

/// Waits until every instance has written what it counted so far.
fn settle(api: &Api) {
    let gathered = if api.stack.starts_with("native") {
        2
    } else {
        7
    };
    sleep(Duration::from_secs(gathered));
}

/// Does `work` and waits until just these series have risen by just so much.
#[track_caller]
pub(super) fn moves(api: &Api, changes: &[(&str, f64)], work: impl FnOnce()) {
    // What ran before may still be gathered somewhere.
    settle(api);
    let before = samples(api);
    work();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let now = samples(api);
        let rises: Vec<_> = changes
            .iter()
            .map(|(series, _)| value(&now, series) - value(&before, series))
            .collect();
        let wanted: Vec<_> = changes.iter().map(|(_, rise)| *rise).collect();
        let arrived = rises
            .iter()
            .zip(&wanted)
            .all(|(rise, wanted)| rise >= wanted);
        if arrived || Instant::now() > deadline {
            let names: Vec<_> = changes.iter().map(|(series, _)| series).collect();
            assert_eq!(rises, wanted, "{names:#?}");
            return;
        }
        sleep(Duration::from_millis(300));
    }
}

fn only_services_and_scrapers_read_them(api: &Api) {
    let get = |token: &str| api.get("/metrics").bearer(token).send();
    api.get("/metrics").send().refused(401, "AUTH_REQUIRED");
    let founder = founder(api);
    get(&founder.access).refused(401, "TOKEN_INVALID");
    get(&api_key(api, &founder, &["usage:read"])).refused(403, "FORBIDDEN");
    get(&api.service_token("auth")).refused(401, "TOKEN_INVALID");
    get("acceptance-metrics-token-0123456789-abcdeg").refused(401, "TOKEN_INVALID");
    let answer = get(&api.service_token("health"));
    assert_eq!((answer.status, answer.sql()), (200, 1));
    let answer = scrape(api);
    assert_eq!((answer.status, answer.sql()), (200, 1));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

fn the_page_keeps_its_format(api: &Api) {
    let founder = founder(api);
    api.get("/api/v1/jobs/job_00000000000000000000000000")
        .bearer(&founder.access)
        .send()
        .refused(404, "NOT_FOUND");
    api.get("/api/v1/jobs/no/such/path")
        .send()
        .refused(404, "ROUTE_NOT_FOUND");
    // A method that workerd knows and this product does not.
    api.call("PROPFIND", "/api/v1/jobs/no/such/path").send();
    settle(api);
    let text = scrape(api).text();
    let samples = read(&text);
    if let Some(verdict) = promtool(&text) {
        assert_eq!(verdict, Ok(()));
    }
    // Neither people nor tenants nor what they asked for.
    for trace in [
        "usr_0",
        "ten_0",
        "job_0",
        "key_0",
        "ses_0",
        "@",
        "example.com",
        "/no/such",
        "PROPFIND",
    ] {
        assert!(!text.contains(trace), "{trace}");
    }
    let counted = |series: &str| value(&samples, series) > 0.0;
    assert!(counted(
        r#"http_requests_total{route="jobs.get",method="GET",status="404"}"#
    ));
    assert!(counted(
        r#"http_requests_total{route="unmatched",method="GET",status="404"}"#
    ));
    assert!(counted(
        r#"http_requests_total{route="unmatched",method="other",status="404"}"#
    ));
    // Alerts need to see a counter before it moves.
    for name in [
        "auth_attempts_total",
        "auth_bypass_detected_total",
        "breach_check_errors_total",
        "emails_total",
        "kv_errors_total",
        "service_auth_attempts_total",
        "stripe_webhook_events_total",
        "usage_recording_attempts_total",
    ] {
        assert!(text.contains(&format!("# TYPE {name} counter\n")), "{name}");
    }
    assert!(samples.contains_key("breach_check_errors_total"));
}

fn gauges_tell_how_things_stand(api: &Api) {
    run_task(api, "cleanup", 0);
    let samples = samples(api);
    let environment = api
        .get("/api/v1/slo/environment")
        .bearer(&api.service_token("health"))
        .send()
        .data(200);
    let name = environment["environment"].as_str().unwrap();
    let warnings = environment["warnings"].as_array().unwrap().len();
    let gauge = samples[&format!("config_warnings{{environment=\"{name}\"}}")];
    assert!((gauge - f64::from(u32::try_from(warnings).unwrap())).abs() < 0.1);
    // The secrets of this suite are samples, which production would refuse.
    assert!(warnings > 0);
    for feature in Feature::ALL {
        let on = environment["features"][feature.name()].as_bool().unwrap();
        let gauge = samples[&format!("feature_enabled{{feature=\"{}\"}}", feature.name())];
        assert_eq!(gauge > 0.5, on, "{}", feature.name());
    }
    let ran = samples[r#"scheduler_last_run_timestamp_seconds{task="cleanup"}"#];
    let now = f64::from(i32::try_from(api.now().seconds()).unwrap());
    assert!((now - ran).abs() < 60.0, "{ran}");
    assert!(samples[r#"scheduler_runs_total{task="cleanup"}"#] >= 1.0);
    for gauge in [
        r#"jobs_unfinished{state="queued"}"#,
        r#"jobs_unfinished{state="running"}"#,
        "mails_due",
        "stripe_events_open",
        "audit_entries_unsealed",
        "outbox_waiting",
        "outbox_lag_seconds",
    ] {
        assert!(samples.contains_key(gauge), "{gauge}");
    }
}

fn attempts_to_sign_in_move_their_counters(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:read"]);
    let summary = "/api/v1/usage/summary";
    let changes = [
        (
            r#"auth_attempts_total{method="password",result="success"}"#,
            1.0,
        ),
        (
            r#"auth_attempts_total{method="password",result="CREDENTIALS_INVALID"}"#,
            2.0,
        ),
        (
            r#"auth_attempts_total{method="password",result="ACCOUNT_LOCKED"}"#,
            2.0,
        ),
        (
            r#"auth_attempts_total{method="refresh_token",result="success"}"#,
            1.0,
        ),
        (
            r#"auth_attempts_total{method="refresh_token",result="TOKEN_INVALID"}"#,
            1.0,
        ),
        (
            r#"auth_attempts_total{method="mfa",result="TOKEN_INVALID"}"#,
            1.0,
        ),
        (
            r#"auth_attempts_total{method="oauth",result="OAUTH_STATE_INVALID"}"#,
            1.0,
        ),
        (
            r#"auth_attempts_total{method="api_key",result="success"}"#,
            3.0,
        ),
        (
            r#"auth_attempts_total{method="api_key",result="API_KEY_INVALID"}"#,
            1.0,
        ),
        (
            r#"auth_attempts_total{method="access_token",result="success"}"#,
            2.0,
        ),
        (
            r#"auth_attempts_total{method="access_token",result="TOKEN_INVALID"}"#,
            1.0,
        ),
        (
            r#"auth_attempts_total{method="none",result="AUTH_REQUIRED"}"#,
            1.0,
        ),
        (
            r#"auth_attempts_total{method="service_token",result="TOKEN_INVALID"}"#,
            1.0,
        ),
        (r#"service_auth_attempts_total{result="failure"}"#, 1.0),
    ];
    moves(api, &changes, || {
        login(api, &founder.email, "correct horse battery staple").data(200);
        for _ in 0..2 {
            login(api, &founder.email, "wrong").refused(401, "CREDENTIALS_INVALID");
        }
        for _ in 0..2 {
            login(api, &founder.email, "wrong").refused(429, "ACCOUNT_LOCKED");
        }
        // Not understood, so nothing was tried.
        api.post("/api/v1/auth/login", &json!({}))
            .send()
            .blames("email");
        let refresh = |token: &str| {
            let body = json!({"refresh_token": token});
            api.post("/api/v1/auth/refresh", &body).send()
        };
        refresh(&founder.refresh).data(200);
        refresh("er_x").refused(401, "TOKEN_INVALID");
        let body = json!({"mfa_token": "x", "code": "123456"});
        api.post("/api/v1/auth/mfa/verify", &body)
            .send()
            .refused(401, "TOKEN_INVALID");
        api.get("/api/v1/auth/oauth/mock/callback?code=x&state=y")
            .send()
            .refused(400, "OAUTH_STATE_INVALID");
        for _ in 0..3 {
            api.get(summary).bearer(&key).send().data(200);
        }
        api.get(summary)
            .bearer("ek_live_x")
            .send()
            .refused(401, "API_KEY_INVALID");
        api.get(summary).bearer(&founder.access).send().data(200);
        // Known, though not allowed: that is no failed attempt.
        api.get("/api/v1/jobs/job_00000000000000000000000000")
            .bearer(&founder.access)
            .send()
            .refused(404, "NOT_FOUND");
        api.get(summary)
            .bearer("garbage")
            .send()
            .refused(401, "TOKEN_INVALID");
        api.get(summary).send().refused(401, "AUTH_REQUIRED");
        api.get("/api/v1/slo/environment")
            .bearer("garbage")
            .send()
            .refused(401, "TOKEN_INVALID");
    });
}

fn requests_of_all_instances_are_counted(api: &Api) {
    let founder = founder(api);
    let total = |route: &str| {
        format!("http_requests_total{{route=\"{route}\",method=\"GET\",status=\"200\"}}")
    };
    let count = |route: &str| format!("http_request_duration_seconds_count{{route=\"{route}\"}}");
    // Each is of another function, which on Workers and Spin is another instance or several.
    let routes = [
        ("billing.plans", "/api/v1/billing/plans"),
        ("auth.me", "/api/v1/auth/me"),
        ("usage.summary", "/api/v1/usage/summary"),
        ("jobs.list", "/api/v1/jobs"),
    ];
    let names: Vec<String> = routes
        .iter()
        .flat_map(|(route, _)| [total(route), count(route)])
        .collect();
    let changes: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 60.0)).collect();
    moves(api, &changes, || {
        let answers = api.parallel(20, |_| {
            let get = |path: &str| api.get(path).bearer(&founder.access).send().status;
            let mut answers = Vec::new();
            for _ in 0..3 {
                answers.extend(routes.map(|(_, path)| get(path)));
            }
            answers
        });
        assert!(answers.iter().flatten().all(|status| *status == 200));
    });
}

fn work_moves_its_counters(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    let changes = [
        (
            r#"emails_total{template="verify_email",result="queued"}"#,
            1.0,
        ),
        (
            r#"emails_total{template="account_exists",result="queued"}"#,
            1.0,
        ),
        (
            r#"emails_total{template="reset_password",result="queued"}"#,
            1.0,
        ),
        (r#"usage_recording_attempts_total{result="success"}"#, 2.0),
        (r#"usage_recording_attempts_total{result="refused"}"#, 1.0),
        (r#"jobs_total{kind="usage.export",state="queued"}"#, 1.0),
        (r#"jobs_total{kind="usage.export",state="completed"}"#, 1.0),
        (
            r#"stripe_webhook_events_total{type="customer.subscription.created",result="applied"}"#,
            1.0,
        ),
        (
            r#"stripe_webhook_events_total{type="customer.subscription.created",result="duplicate"}"#,
            1.0,
        ),
        (
            r#"stripe_webhook_events_total{type="unknown",result="SIGNATURE_INVALID"}"#,
            1.0,
        ),
    ];
    moves(api, &changes, || {
        register(api, &new_email(api)).data(201);
        register(api, &founder.email).data(201);
        let body = json!({"email": founder.email});
        api.post("/api/v1/auth/password/forgot", &body)
            .send()
            .data(202);
        for _ in 0..2 {
            send_events(api, &key, "m", 3).data(200);
        }
        let call = api.call("POST", "/api/v1/usage/events").bearer(&key);
        assert_eq!(call.body("application/json", "{").send().status, 400);
        let job = api
            .post("/api/v1/jobs", &json!({"type": "usage.export"}))
            .bearer(&founder.access)
            .send()
            .data(202);
        let path = job["pollUrl"].as_str().unwrap();
        for _ in 0..100 {
            run_task(api, "jobs", 0);
            let job = api.get(path).bearer(&founder.access).send().data(200);
            if job["state"] == "completed" {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        let id = format!("evt_metrics_{}", founder.tenant);
        let now = api.now().seconds();
        let event = subscription_event(
            &id,
            "created",
            now,
            &founder.tenant,
            "active",
            "edgekeep_professional_monthly",
        );
        for _ in 0..2 {
            stripe_event(api, &event).data(200);
        }
        api.post("/webhooks/stripe", &event)
            .send()
            .refused(400, "SIGNATURE_INVALID");
    });
}

fn refusals_and_repetitions_move_their_counters(api: &Api) {
    let founder = founder(api);
    let outsider = new_email(api);
    let changes = [
        (r#"idempotency_requests_total{outcome="new"}"#, 1.0),
        (r#"idempotency_requests_total{outcome="replay"}"#, 2.0),
        (r#"idempotency_requests_total{outcome="conflict"}"#, 1.0),
        (
            r#"rate_limited_total{route="auth.password_forgot",code="RATE_LIMITED"}"#,
            1.0,
        ),
        (
            r#"scheduler_tasks_total{task="cleanup",result="success"}"#,
            1.0,
        ),
    ];
    moves(api, &changes, || {
        let key = format!("metrics-{}", founder.tenant);
        let create = |name: &str| {
            api.post("/api/v1/api-keys", &json!({ "name": name }))
                .bearer(&founder.access)
                .key(&key)
                .send()
        };
        create("a").data(201);
        create("a").data(201);
        create("a").data(201);
        create("b").refused(409, "IDEMPOTENCY_KEY_REUSED");
        let forgot = || {
            let body = json!({"email": outsider});
            api.post("/api/v1/auth/password/forgot", &body).send()
        };
        for _ in 0..3 {
            forgot().data(202);
        }
        forgot().refused(429, "RATE_LIMITED");
        run_task(api, "cleanup", 0);
    });
}

/// The suites of access have called every route as everybody before.
fn nobody_got_around_a_judgement(api: &Api) {
    settle(api);
    assert!((value(&samples(api), "auth_bypass_detected_total")).abs() < 0.1);
}
