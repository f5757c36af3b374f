//! Parts of the product that are turned off.

use edgekeep_core::config::Feature;
use edgekeep_core::functions;
use edgekeep_core::http::RouteInfo;
use edgekeep_robustness::{Answer, Call, World, run, text};
use serde_json::json;

/// The features that FEATURES_DISABLED may list.
fn listed() -> impl Iterator<Item = Feature> {
    let all = Feature::ALL.into_iter();
    all.filter(|feature| *feature != Feature::Billing)
}

fn code(answer: &Answer) -> String {
    let body = serde_json::from_slice::<serde_json::Value>(&answer.0.body).unwrap_or_default();
    let code = body["error"]["code"].as_str().unwrap_or_default();
    code.to_owned()
}

fn call(route: &RouteInfo) -> Call {
    let path: Vec<&str> = route.path.split('/').collect();
    let filled = path.iter().map(|part| {
        let named = part.starts_with(':');
        if named { "x" } else { part }
    });
    let path = filled.collect::<Vec<_>>().join("/");
    let mut call = Call::new(route.method.name(), &path);
    if !matches!(route.method.name(), "GET" | "DELETE") {
        call = Call::post(&path, &json!({}));
        route.method.name().clone_into(&mut call.method);
    }
    call
}

/// Rows: Q-17
#[test]
fn a_feature_that_is_off_takes_just_its_routes_along() {
    run(async || {
        for off in listed() {
            let world = World::new(&[("FEATURES_DISABLED", off.name())]).await;
            let mut gone = 0;
            for (_, route) in functions::routes() {
                let answer = world.send(call(route)).await;
                let off = route.feature == Some(off);
                let told = (answer.status(), code(&answer));
                if off {
                    gone += 1;
                    assert_eq!(told, (404, "FEATURE_DISABLED".to_owned()), "{}", route.name);
                    // No credential helps.
                    let again = world.send(call(route).bearer("x")).await;
                    assert_eq!(code(&again), "FEATURE_DISABLED", "{}", route.name);
                } else {
                    assert_ne!(told.1, "FEATURE_DISABLED", "{}", route.name);
                }
            }
            assert!(gone > 0, "{} has no routes", off.name());
        }
    });
}

/// Rows: Q-17
#[test]
fn every_route_of_a_feature_says_so() {
    let begins = [
        ("auth.register", Feature::Registration),
        ("oauth.", Feature::Oauth),
        ("exchange.", Feature::Oauth),
        ("api_keys.", Feature::ApiKeys),
        ("invitations.", Feature::Invitations),
        ("jobs.", Feature::Jobs),
        ("usage.", Feature::Usage),
        ("meters.", Feature::Usage),
        ("stripe.", Feature::Billing),
        ("payments.", Feature::Billing),
        // What money moves by; plans are shown without it.
        ("billing.checkout", Feature::Billing),
        ("billing.portal", Feature::Billing),
        ("billing.change_plan", Feature::Billing),
        ("billing.cancel", Feature::Billing),
        ("billing.resume", Feature::Billing),
    ];
    for (_, route) in functions::routes() {
        let own = begins
            .iter()
            .find(|(begin, _)| route.name.starts_with(begin));
        assert_eq!(
            route.feature,
            own.map(|(_, feature)| *feature),
            "{}",
            route.name
        );
    }
}

/// Rows: Q-17
#[test]
fn keys_open_nothing_while_they_are_off() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let key = world.api_key(&founder).await;
        let summary = Call::new("GET", "/api/v1/usage/summary");
        world.send(summary.clone().bearer(&key)).await.data(200);

        let other = world.with(&[("FEATURES_DISABLED", "api_keys")]);
        for call in [
            summary.clone().bearer(&key),
            summary.clone().header("x-api-key", &key),
            Call::new("GET", "/api/v1/jobs").bearer(&key),
        ] {
            let answer = other.send(call).await;
            assert_eq!(
                (answer.status(), code(&answer)),
                (401, "API_KEY_INVALID".to_owned())
            );
        }
        // People go on.
        other.send(summary.bearer(&founder.access)).await.data(200);
    });
}

/// Rows: Q-17
#[test]
fn jobs_wait_while_they_are_off() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        let body = json!({"type": "usage.export"});
        let call = Call::post("/api/v1/jobs", &body).bearer(&founder.access);
        let job = text(&world.send(call).await.data(202)["id"]);

        let other = world.with(&[("FEATURES_DISABLED", "jobs")]);
        let wake = edgekeep_core::jobs::on_wake(&other, &job).await;
        assert_eq!(wake, edgekeep_core::jobs::Wake::Done);
        edgekeep_core::scheduler::on_cron(&other).await;
        let state = async || {
            let path = format!("/api/v1/jobs/{job}");
            let call = Call::new("GET", &path).bearer(&founder.access);
            text(&world.send(call).await.data(200)["state"])
        };
        assert_eq!(state().await, "queued");
        edgekeep_core::jobs::on_wake(&world, &job).await;
        assert_eq!(state().await, "completed");
    });
}

/// Rows: Q-17
#[test]
fn a_closed_registration_has_no_side_door() {
    run(async || {
        let world = World::new(&[]).await;
        world.through_hub(1, "known@example.com").await.data(200);

        let closed = world.with(&[("FEATURES_DISABLED", "registration")]);
        let answer = closed.register("new@example.com").await;
        assert_eq!(code(&answer), "FEATURE_DISABLED");
        let answer = closed.through_hub(2, "new@example.com").await;
        assert_eq!(
            (answer.status(), code(&answer)),
            (404, "FEATURE_DISABLED".to_owned())
        );
        // Whoever has an account goes on.
        closed.through_hub(1, "known@example.com").await.data(200);
    });
}

/// Rows: R-14
#[test]
fn nobody_to_report_to_is_told_as_such() {
    run(async || {
        let world = World::new(&[("SECURITY_CONTACT", "")]).await;
        let path = "/.well-known/security.txt";
        let answer = world.send(Call::new("GET", path)).await;
        assert_eq!(
            (answer.status(), code(&answer)),
            (404, "FEATURE_DISABLED".to_owned())
        );
        let contact = "https://example.com/report?a=b,c";
        let world = world.with(&[("SECURITY_CONTACT", contact)]);
        let answer = world.send(Call::new("GET", path)).await;
        let told = String::from_utf8(answer.0.body).unwrap();
        assert!(told.starts_with(&format!("Contact: {contact}\n")), "{told}");
    });
}

/// Rows: R-02
#[test]
fn what_is_logged_changes_no_header() {
    run(async || {
        let world = World::new(&[]).await;
        let calls = [
            (
                200,
                "/metrics",
                Some("acceptance-metrics-token-0123456789-abcdef"),
            ),
            (401, "/metrics", None),
            (200, "/healthz", None),
            (401, "/api/v1/auth/me", None),
            (404, "/nothing", None),
        ];
        for level in ["debug", "info", "warn", "error"] {
            let world = world.with(&[("LOG_LEVEL", level)]);
            for (status, path, token) in calls {
                let call = Call::new("GET", path);
                let call = token.map_or(call.clone(), |token| call.bearer(token));
                let answer = world.send(call).await;
                assert_eq!(answer.status(), status, "{path}");
                for (name, value) in edgekeep_core::http::CANONICAL_SECURITY_HEADERS {
                    assert_eq!(answer.0.header(name), Some(value), "{level} {path}");
                }
                assert!(answer.0.header("cache-control").is_some());
            }
        }
    });
}
