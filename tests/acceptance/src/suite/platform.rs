//! The HTTP contract, on every route alike.

use edgekeep_core::functions;
use edgekeep_core::http::{Access, Method};
use serde_json::json;

use super::tests;
use crate::api::Api;
use crate::fixture::{api_key, founder};

tests! { "platform":
    smoke_ping ["Z-04" "AE-03" "AE-07"];
    every_function_answers_on_its_paths ["AE-01" "AE-09"];
    unknown_paths_are_404_in_the_contract ["AD-01" "AD-02" "AD-06" "AD-12"];
    other_methods_are_405_with_allow ["AD-06"];
    other_versions_are_refused ["AD-13"];
    security_headers_are_on_every_answer ["R-01"];
    unlisted_origins_get_no_cors_headers ["R-04"];
    a_listed_origin_passes_preflight ["R-05" "R-04"];
    request_ids_and_traces_go_on ["AD-01" "AD-12"];
    success_has_its_envelope ["AD-11" "V-01" "AD-17"];
    protected_routes_refuse_strangers ["AD-08" "A-15"];
    head_is_get_without_a_body ["AD-06"];
}

fn smoke_ping(api: &Api) {
    assert_eq!(api.get("/healthz").send().data(200)["status"], "ok");
}

fn every_function_answers_on_its_paths(api: &Api) {
    for (function, path) in [
        ("auth", "/.well-known/jwks.json"),
        ("usage", "/api/v1/usage/summary"),
        ("billing", "/api/v1/billing/plans"),
        ("jobs", "/api/v1/jobs"),
        ("health", "/healthz"),
        ("scheduler", "/api/v1/scheduler/tasks"),
        ("accounts", "/api/v1/auth/register"),
        ("mfa", "/api/v1/auth/mfa/status"),
        ("oauth", "/api/v1/auth/oauth"),
        ("organizations", "/api/v1/api-keys"),
        ("stripe-webhook", "/webhooks/stripe"),
    ] {
        let answer = api.get(path).send();
        assert!(
            [200, 401, 405].contains(&answer.status),
            "{function}: {}",
            answer.text()
        );
        assert!(answer.header("x-request-id").is_some(), "{function}");
    }
}

fn unknown_paths_are_404_in_the_contract(api: &Api) {
    for path in [
        "/",
        "/nothing",
        "/api/v1/nothing",
        "/api/v1/auth",
        "/api/v1/auth/login/",
        "/api/v1/jobs/a/b/c",
        "/.well-known/other",
    ] {
        let body = api.get(path).send().refused(404, "ROUTE_NOT_FOUND");
        assert_eq!(body["instance"], path);
        assert_eq!(body["error"]["type"], "not_found");
    }
}

fn other_methods_are_405_with_allow(api: &Api) {
    let answer = api.get("/api/v1/auth/login").send();
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
    let answer = api.call("PUT", "/api/v1/jobs").json(&json!({})).send();
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("POST, GET, HEAD, OPTIONS"));
}

fn other_versions_are_refused(api: &Api) {
    api.get("/api/v2/auth/me")
        .send()
        .refused(400, "UNSUPPORTED_VERSION");
    api.get("/healthz")
        .header("x-api-version", "2")
        .send()
        .refused(400, "UNSUPPORTED_VERSION");
    let answer = api.get("/healthz").header("x-api-version", "1").send();
    assert_eq!(answer.header("x-api-version"), Some("1"));
}

fn security_headers_are_on_every_answer(api: &Api) {
    let answers = [
        api.get("/healthz").send(),
        api.get("/nothing").send(),
        api.get("/api/v1/auth/login").send(),
        api.get("/api/v1/auth/me").send(),
        api.call("OPTIONS", "/api/v1/auth/login").send(),
        api.call("POST", "/api/v1/auth/login")
            .body("text/plain", "x")
            .send(),
        api.call("POST", "/api/v1/auth/login")
            .body("application/json", "{")
            .send(),
        super::bad_input::too_large(api),
        api.get("/.well-known/jwks.json").send(),
    ];
    for (answer, status) in answers
        .iter()
        .zip([200, 404, 405, 401, 204, 415, 400, 413, 200])
    {
        assert_eq!(answer.status, status, "{}", answer.text());
        for (name, value) in edgekeep_core::http::CANONICAL_SECURITY_HEADERS {
            assert_eq!(answer.header(name), Some(value), "{status}: {name}");
        }
        assert!(answer.header("cache-control").is_some(), "{status}");
        assert!(answer.header("x-request-id").is_some(), "{status}");
    }
}

fn unlisted_origins_get_no_cors_headers(api: &Api) {
    for origin in [
        "https://evil.test",
        "null",
        "https://app.example.com.evil.test",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://APP.example.com",
    ] {
        for answer in [
            api.get("/healthz").header("origin", origin).send(),
            api.call("OPTIONS", "/api/v1/auth/login")
                .header("origin", origin)
                .send(),
            api.get("/nothing").header("origin", origin).send(),
        ] {
            assert_eq!(
                answer.header("access-control-allow-origin"),
                None,
                "{origin}"
            );
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                None,
                "{origin}"
            );
        }
    }
}

fn a_listed_origin_passes_preflight(api: &Api) {
    let origin = "https://app.example.com";
    let answer = api
        .call("OPTIONS", "/api/v1/api-keys")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization, content-type",
        )
        .send();
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    assert!(
        answer
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    assert!(answer.header("access-control-max-age").is_some());
    assert!(answer.header("vary").unwrap().contains("Origin"));
    let refused = api.get("/api/v1/api-keys").header("origin", origin).send();
    refused.refused(401, "AUTH_REQUIRED");
    assert_eq!(refused.header("access-control-allow-origin"), Some(origin));
    assert!(
        refused
            .header("access-control-expose-headers")
            .unwrap()
            .contains("x-request-id")
    );
}

fn request_ids_and_traces_go_on(api: &Api) {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let answer = api
        .get("/nothing")
        .header("x-request-id", "my-request-0001")
        .header("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"))
        .send();
    let body = answer.refused(404, "ROUTE_NOT_FOUND");
    assert_eq!(body["metadata"]["requestId"], "my-request-0001");
    assert_eq!(body["metadata"]["traceId"], trace);
    assert!(answer.header("traceparent").unwrap().contains(trace));
    let other = api
        .get("/healthz")
        .header("x-request-id", "no good; id")
        .send();
    assert!(other.header("x-request-id").unwrap().starts_with("req_"));
    assert_ne!(
        other.header("x-request-id"),
        api.get("/healthz").send().header("x-request-id")
    );
}

fn success_has_its_envelope(api: &Api) {
    let answer = api.get("/api/v1/billing/plans").send();
    assert!(answer.data(200).is_array());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let timestamp = answer.json()["metadata"]["timestamp"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = edgekeep_core::time::Millis::parse(&timestamp).expect("RFC 3339");
    assert!(api.now().since(shown).abs() < 60_000, "{timestamp}");
    assert_eq!(answer.header("content-language"), Some("en"));
}

/// Walks the route table itself, so a new route is covered by existing.
fn protected_routes_refuse_strangers(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    for (_, route) in functions::routes() {
        let path = route.path.replace(":id", "job_00000000000000000000000000");
        let call = |token: Option<&str>| {
            let mut call = api.call(route.method.name(), &path);
            if route.method == Method::Post {
                call = call.json(&json!({}));
            }
            if let Some(token) = token {
                call = call.bearer(token);
            }
            call.send()
        };
        match route.access {
            Access::Member(_)
            | Access::MemberOrKey(..)
            | Access::Key(..)
            | Access::Service
            | Access::Scraper => {
                let answer = call(None);
                answer.refused(401, "AUTH_REQUIRED");
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                assert_eq!(call(Some("garbage")).status, 401, "{}", route.name);
            }
            Access::Signed => assert_eq!(call(None).status, 400, "{}", route.name),
            Access::Public | Access::Development => {}
        }
        let for_services = matches!(route.access, Access::Service | Access::Scraper);
        if for_services {
            assert_eq!(call(Some(&founder.access)).status, 401, "{}", route.name);
        }
        if for_services || matches!(route.access, Access::Member(_)) {
            assert_eq!(call(Some(&key)).status, 403, "{}", route.name);
        }
    }
}

fn head_is_get_without_a_body(api: &Api) {
    let answer = api.call("HEAD", "/healthz").send();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}
