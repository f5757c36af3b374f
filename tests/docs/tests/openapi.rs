//! docs/openapi.json describes every route, by valid schemas with valid examples.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "helpers of tests may panic as tests do"
)]

use std::collections::BTreeSet;

use edgekeep_core::functions;
use edgekeep_core::guard::rate_limit::Limits;
use edgekeep_core::http::{Access, Code, Idempotency, Method, RouteInfo};
use serde_json::{Value, json};

fn document() -> Value {
    let pages = edgekeep_docs::pages().unwrap_or_else(|problems| panic!("{problems:#?}"));
    let page = pages
        .iter()
        .find(|page| page.name == "openapi.json")
        .unwrap();
    serde_json::from_str(&page.text).unwrap()
}

/// Every operation with its name, and where it stands.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut all = Vec::new();
    for (template, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            all.push((
                name,
                format!("{} {template}", method.to_uppercase()),
                operation,
            ));
        }
    }
    all
}

/// The same, with the route that each describes.
fn routed(document: &Value) -> Vec<(String, &'static RouteInfo, &Value)> {
    let routes = functions::routes();
    let found = operations(document)
        .into_iter()
        .map(|(name, _, operation)| {
            let (_, route) = routes.iter().find(|(_, route)| route.name == name).unwrap();
            (name, *route, operation)
        });
    found.collect()
}

/// What a `$ref` leads to.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(target) => document.pointer(&target[1..]).unwrap(),
        None => value,
    }
}

/// Rows: Z-12 Z-14
#[test]
fn every_route_is_described_under_its_own_name_and_nothing_else() {
    let document = document();
    let described: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(name, place, _)| (name, place))
        .collect();
    let routes: BTreeSet<_> = functions::routes()
        .into_iter()
        .map(|(_, route)| {
            let segments = route.path.split('/');
            let segments = segments.map(|segment| match segment.strip_prefix(':') {
                Some(name) => format!("{{{name}}}"),
                None => segment.to_owned(),
            });
            let template = segments.collect::<Vec<_>>().join("/");
            (
                route.name.to_owned(),
                format!("{} {template}", route.method.name()),
            )
        })
        .collect();
    assert_eq!(described, routes);
    let names: BTreeSet<_> = described.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), described.len(), "an operationId stands twice");
    assert_eq!(document["openapi"], "3.1.1");
}

/// Rows: Z-13
#[test]
fn every_json_body_has_an_example_that_fits() {
    let document = document();
    let check = |place: &str, schema: &Value, example: &Value| {
        let schema = json!({"allOf": [schema], "components": document["components"]});
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&schema)
            .unwrap_or_else(|error| panic!("{place}: {error}"));
        let errors: Vec<_> = validator
            .iter_errors(example)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{place}: {errors:?}");
    };
    for (name, _, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let place = format!("{name}: {}", parameter["name"]);
            check(&place, &parameter["schema"], &parameter["example"]);
        }
        let mut bodies = vec![(format!("{name}: request"), &operation["requestBody"])];
        for (status, response) in operation["responses"].as_object().unwrap() {
            bodies.push((format!("{name}: {status}"), resolve(&document, response)));
        }
        for (place, body) in bodies {
            for (kind, media) in body["content"].as_object().into_iter().flatten() {
                let example = media.get("example").unwrap_or_else(|| panic!("{place}"));
                check(&format!("{place} {kind}"), &media["schema"], example);
            }
        }
        let sample = &operation["x-codeSamples"][0]["source"];
        assert!(sample.as_str().unwrap().starts_with("curl "), "{name}");
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string());
    }
}

/// Rows: Z-14 E-23
#[test]
fn every_operation_tells_its_errors_and_its_limit() {
    let document = document();
    for (name, route, operation) in routed(&document) {
        let responses = operation["responses"].as_object().unwrap();
        for status in ["401", "429"] {
            assert!(responses.contains_key(status), "{name}: {status}");
        }
        for (status, response) in responses {
            let response = resolve(&document, response);
            let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
            let own = response["content"].get("application/json").is_some();
            assert!(
                status.as_str() < "400" || own || problem == "#/components/schemas/Problem",
                "{name}: {status}"
            );
        }
        let codes = operation["x-error-codes"].as_array().unwrap();
        for code in codes {
            let known = Code::ALL.iter().find(|known| code == known.name()).unwrap();
            assert!(
                responses.contains_key(&known.status().to_string()),
                "{name}: {code}"
            );
        }
        let limits: Vec<_> = route
            .rate
            .policies()
            .iter()
            .map(|policy| {
                let most = Limits::default().of(*policy).limit;
                json!({"policy": policy.name(), "perMinute": most})
            })
            .collect();
        let told = operation.get("x-rate-limit");
        assert_eq!(
            told,
            (!limits.is_empty()).then(|| json!(limits)).as_ref(),
            "{name}"
        );
        assert_eq!(
            codes.contains(&json!("RATE_LIMITED")),
            !limits.is_empty(),
            "{name}"
        );
        let headers = &resolve(&document, &responses["429"])["headers"];
        for header in [
            "Retry-After",
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "RateLimit",
        ] {
            let header = resolve(&document, &headers[header]);
            assert!(header["schema"]["type"].is_string(), "{name}: {header}");
        }
    }
}

/// Rows: AD-04
#[test]
fn the_error_codes_are_the_registry() {
    let document = document();
    let told = &document["components"]["schemas"]["Problem"]["properties"]["error"]["properties"];
    let registry: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(told["code"]["enum"], json!(registry));
    let page = edgekeep_docs::pages().unwrap();
    let errors = page.iter().find(|page| page.name == "errors.md").unwrap();
    for code in registry {
        assert!(errors.text.contains(&format!("| `{code}` |")), "{code}");
    }
}

/// Rows: F-17
#[test]
fn an_idempotency_key_is_told_where_it_is_taken() {
    let document = document();
    for (name, route, operation) in routed(&document) {
        let mut parameters = operation["parameters"].as_array().into_iter().flatten();
        let key = parameters.find(|one| one["name"] == "Idempotency-Key" && one["in"] == "header");
        match route.idempotency {
            Idempotency::None => assert_eq!(key, None, "{name}"),
            Idempotency::Optional => assert_eq!(key.unwrap()["required"], false, "{name}"),
            Idempotency::Required => assert_eq!(key.unwrap()["required"], true, "{name}"),
        }
    }
}

/// What makes something and takes no key, with what a repetition does instead.
const MADE_ONCE_OTHERWISE: [(&str, &str); 7] = [
    ("auth.email_change", "an account has one change under way"),
    (
        "auth.mfa_email_send",
        "a code, and at most three in ten minutes",
    ),
    ("auth.password_forgot", "a link, and at most three an hour"),
    ("auth.register", "an address waits for one confirmation"),
    ("auth.verify_resend", "a link, and at most three an hour"),
    ("invitations.create", "an address has one open invitation"),
    (
        "usage.reserve",
        "places of a quota, which come back when their time is over",
    ),
];

/// Every route that answers that it made something, or will, takes a key; what moves money requires it.
///
/// Rows: F-03
#[test]
fn what_makes_something_takes_an_idempotency_key() {
    let document = document();
    let mut keyless = Vec::new();
    for (name, route, operation) in routed(&document) {
        let answers = operation["responses"].as_object().unwrap();
        let makes = answers.contains_key("201") || answers.contains_key("202");
        if makes && route.idempotency == Idempotency::None {
            keyless.push(name.clone());
        }
        let money = ["/payments", "/refunds", "/payouts", "/billing/checkout"];
        // A price moves nothing, and other metadata is for one version of a payment.
        let still = ["payments.set_product", "payments.update"].contains(&name.as_str());
        let moves = money.iter().any(|word| route.path.contains(word)) && !still;
        if route.method != Method::Get && moves {
            assert_eq!(route.idempotency, Idempotency::Required, "{name}");
        }
    }
    keyless.sort();
    assert_eq!(keyless, MADE_ONCE_OTHERWISE.map(|(name, _)| name));
}

#[test]
fn security_is_the_policy_of_the_route() {
    let document = document();
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    for (name, route, operation) in routed(&document) {
        let ways = operation["security"].as_array().unwrap();
        let open = matches!(route.access, Access::Public | Access::Development);
        assert_eq!(ways.is_empty(), open, "{name}");
        let all = ways.iter().flat_map(|way| way.as_object().unwrap().keys());
        let used: BTreeSet<_> = all.map(String::as_str).collect();
        assert!(used.iter().all(|scheme| schemes.contains_key(*scheme)));
        let keys = matches!(route.access, Access::Key(..) | Access::MemberOrKey(..));
        assert_eq!(used.contains("apiKey"), keys, "{name}");
    }
}

#[test]
fn requests_are_closed() {
    fn walk(place: &str, value: &Value) {
        if value["properties"].is_object() {
            let foreign = [
                "usage.ingest",
                "usage.record",
                "usage.finalise",
                "stripe.webhook",
            ];
            let open = foreign.iter().any(|name| place.starts_with(name));
            let closed = value["additionalProperties"] == false;
            assert!(open || closed, "{place}: {value}");
        }
        match value {
            Value::Object(members) => members.iter().for_each(|(_, value)| walk(place, value)),
            Value::Array(items) => items.iter().for_each(|value| walk(place, value)),
            _ => {}
        }
    }
    let document = document();
    for (name, _, operation) in operations(&document) {
        walk(&name, &operation["requestBody"]);
    }
}
