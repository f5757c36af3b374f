//! Probes.

use edgekeep_core::config::{Feature, VARIABLES};
use edgekeep_core::functions;
use edgekeep_core::http::Method;
use serde_json::json;

use super::tests;
use crate::api::Api;

tests! { "health":
    probes_answer_apart ["P-03" "P-06"];
    details_tell_of_every_dependency ["P-01" "P-07" "Q-06"];
    the_environment_is_told_to_services_by_name ["Q-01" "Q-15"];
    features_are_told_and_hold ["Q-17"];
    slo_health_touches_nothing ["O-20"];
}

fn probes_answer_apart(api: &Api) {
    for (path, round_trips) in [("/healthz", 0), ("/startupz", 0), ("/readyz", 1)] {
        let answer = api.get(path).send();
        assert_eq!(answer.data(200)["status"], "ok", "{path}");
        assert_eq!(answer.sql(), round_trips, "{path}");
    }
}

fn details_tell_of_every_dependency(api: &Api) {
    // The client holds it to the documented schema (contract.rs).
    let health = api.get("/health").send().data(200);
    // Of the stack whose store always fails; everything else there is as everywhere.
    let failing = std::env::var("KV_FAULTS").is_ok_and(|faults| faults == "failing");
    let (all, store) = if failing {
        ("degraded", "down")
    } else {
        ("ok", "ok")
    };
    assert_eq!(health["status"], all, "{health}");
    assert!(health["version"].is_string(), "{health}");
    for (name, status) in [
        ("database", "ok"),
        ("keyValue", store),
        ("configuration", "ok"),
        ("stripe", "configured"),
        ("email", "unknown"),
    ] {
        assert_eq!(health["dependencies"][name]["status"], status, "{health}");
    }
    assert!(
        health["dependencies"]["database"]["latencyMs"].is_i64(),
        "{health}"
    );
}

fn the_environment_is_told_to_services_by_name(api: &Api) {
    let path = "/api/v1/slo/environment";
    assert_eq!(api.get(path).send().status, 401);
    let answer = api.get(path).bearer(&api.service_token("health")).send();
    let data = answer.data(200);
    assert_eq!(data["environment"], "test");
    assert_eq!(data["variables"]["JWT_SECRET"], "set", "{data}");
    // The suite has the variables of the server: every platform's loader must have read each of them.
    for variable in VARIABLES.iter().filter(|one| one.name != "GATEWAY_URL") {
        let set = std::env::var(variable.name).is_ok_and(|value| !value.is_empty());
        // Spin's manifest hands over defaults like values.
        if !set && variable.default.is_some_and(|value| !value.is_empty()) {
            continue;
        }
        let state = if set { "set" } else { "default" };
        assert_eq!(data["variables"][variable.name], state, "{}", variable.name);
    }
    assert!(data["warnings"].is_array(), "{data}");
    assert!(!answer.text().contains("0123456789"), "a secret is shown");
}

fn features_are_told_and_hold(api: &Api) {
    let path = "/api/v1/slo/environment";
    let answer = api.get(path).bearer(&api.service_token("health")).send();
    let told = answer.data(200)["features"].clone();
    let told = told.as_object().unwrap();
    assert_eq!(told.len(), Feature::ALL.len(), "{told:?}");
    let on = |feature: Feature| told[feature.name()].as_bool().unwrap();
    for (_, route) in functions::routes() {
        let Some(feature) = route.feature else {
            continue;
        };
        let path = route.path.replace(':', "");
        let answer = match route.method {
            Method::Get | Method::Delete => api.call(route.method.name(), &path).send(),
            _ => api.call(route.method.name(), &path).json(&json!({})).send(),
        };
        let gone = answer.json()["error"]["code"] == feature.refusal().name();
        assert_eq!(gone, !on(feature), "{}: {}", route.name, answer.text());
    }
}

fn slo_health_touches_nothing(api: &Api) {
    let answer = api.get("/api/v1/slo/health").send();
    assert_eq!(answer.data(200)["status"], "ok");
    assert_eq!(answer.sql(), 0);
}
