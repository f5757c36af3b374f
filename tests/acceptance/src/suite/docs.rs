//! The API's own description. That it is true is what `contract.rs` holds every test to.

use edgekeep_core::functions;
use serde_json::{Value, json};

use super::access::OPEN;
use super::tests;
use crate::api::{Api, Call};
use crate::contract;
use crate::fixture::{api_key, founder, text};

tests! { "docs":
    the_document_is_served_and_cached ["Z-12"];
    every_operation_asks_for_a_credential_unless_listed ["A-21"];
    the_page_has_its_own_policy_and_no_script ["R-03"];
    the_page_follows_the_theme ["Z-17"];
    the_documented_usage_example_runs ["J-24"];
}

fn the_document_is_served_and_cached(api: &Api) {
    let answer = api.get("/openapi.json").send();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), *contract::document());
    assert_eq!(
        answer.header("cache-control"),
        Some("public, max-age=300"),
        "{:?}",
        answer.headers
    );
    let tag = answer.header("etag").unwrap();
    for known in [tag, &format!("\"other\", W/{tag}"), "*"] {
        let again = api
            .get("/openapi.json")
            .header("if-none-match", known)
            .send();
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
        assert_eq!(again.header("etag"), Some(tag), "{known}");
    }
    let other = api
        .get("/openapi.json")
        .header("if-none-match", "\"other\"")
        .send();
    assert_eq!(other.status, 200);
}

fn every_operation_asks_for_a_credential_unless_listed(api: &Api) {
    let mut walked = 0;
    for (template, methods) in contract::document()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            let path = template.replace('{', ":").replace('}', "");
            let line = format!("{} {path}", method.to_uppercase());
            let answer = with_examples(api, template, method, operation).send();
            if !OPEN.contains(&line.as_str()) {
                answer.refused(401, "AUTH_REQUIRED");
            } else if operation["security"][0]["signature"].is_array() {
                answer.refused(400, "SIGNATURE_INVALID");
            } else {
                assert_eq!(operation["security"], json!([]), "{name}");
                let asked = answer.status == 401 && answer.text().contains("AUTH_REQUIRED");
                assert!(!asked, "{name}");
            }
            walked += 1;
        }
    }
    assert_eq!(walked, functions::routes().len());
}

fn names() -> Vec<&'static str> {
    let paths = contract::document()["paths"].as_object().unwrap();
    let operations = paths
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values());
    operations
        .map(|one| one["operationId"].as_str().unwrap())
        .collect()
}

/// The call of an operation as its own examples show it, but for the credential.
fn with_examples<'a>(api: &'a Api, template: &str, method: &str, operation: &Value) -> Call<'a> {
    let mut path = template.to_owned();
    let parameters = operation["parameters"].as_array();
    for parameter in parameters.into_iter().flatten() {
        let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
        path = path.replace(&name, parameter["example"].as_str().unwrap_or_default());
    }
    let call = api.call(&method.to_uppercase(), &path);
    match operation.pointer("/requestBody/content/application~1json/example") {
        Some(example) => call.json(example),
        None => call,
    }
}

fn the_page_has_its_own_policy_and_no_script(api: &Api) {
    let page = api.get("/docs").send();
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    for word in ["unsafe", "http", "*", "script-src", "data:"] {
        assert!(!policy.contains(word), "{policy}");
    }
    let html = page.text();
    for loaded in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        " style=",
        " onclick",
        "javascript:",
    ] {
        assert!(!html.contains(loaded), "{loaded}");
    }
    for name in names() {
        assert!(
            html.contains(&format!("id=\"{name}\"")),
            "{name} is not on the page"
        );
    }
    // The rest of the API keeps the policy that allows nothing, the document too.
    for path in ["/openapi.json", "/healthz", "/nothing", "/docs?theme=neon"] {
        let policy = api.get(path).send();
        let policy = policy.header("content-security-policy").unwrap().to_owned();
        assert_eq!(
            policy, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
            "{path}"
        );
    }
}

fn the_page_follows_the_theme(api: &Api) {
    let plain = api.get("/docs").send();
    assert!(plain.text().contains("prefers-color-scheme:dark"));
    for theme in ["light", "dark"] {
        let page = api.get(&format!("/docs?theme={theme}")).send();
        assert_eq!(page.status, 200);
        let root = format!("<html lang=\"en\" data-theme=\"{theme}\">");
        assert!(page.text().contains(&root), "{theme}");
        assert_ne!(page.header("etag"), plain.header("etag"));
        let policy = page.header("content-security-policy");
        assert_eq!(policy, plain.header("content-security-policy"));
    }
    api.get("/docs?theme=neon").send().blames("theme");
}

fn the_documented_usage_example_runs(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:write"]);
    let operation = &contract::document()["paths"]["/api/v1/usage/events"]["post"];
    let body = &operation["requestBody"]["content"]["application/json"]["example"];
    let mut events = body.clone();
    for event in events.as_array_mut().unwrap() {
        // The one thing in it that grows old.
        if event["timestamp"].is_string() {
            event["timestamp"] = api.now().rfc3339().into();
        }
    }
    let call = api.post("/api/v1/usage/events", &events);
    let data = call.header("x-api-key", &key).send().data(200);
    assert_eq!(data["inserted"], events.as_array().unwrap().len(), "{data}");
    assert_eq!(text(&data["results"][0]["id"]), text(&events[0]["id"]));
    // The README shows the same call.
    let readme = include_str!("../../../../README.md");
    assert!(readme.contains("POST /api/v1/usage/events"));
}
