//! A call of an operation that can be pasted into a shell.

use edgekeep_core::http::{Access, Idempotency, Method};

use super::operation::Operation;
use super::schema::{self, Named};

/// With `$API` for the host, and the caller's credential in a variable.
pub(crate) fn curl(operation: &Operation) -> String {
    let route = operation.route;
    let mut parts = vec!["curl".to_owned()];
    if route.method != Method::Get {
        parts.push(format!("-X {}", route.method.name()));
    }
    parts.push(format!("\"$API{}\"", target(operation)));
    let credential = match route.access {
        Access::Public | Access::Development => None,
        Access::Member(_) => Some("authorization: Bearer $ACCESS_TOKEN"),
        Access::Key(..) | Access::MemberOrKey(..) => Some("x-api-key: $API_KEY"),
        Access::Service => Some("authorization: Bearer $SERVICE_TOKEN"),
        Access::Scraper => Some("authorization: Bearer $METRICS_TOKEN"),
        Access::Signed => Some("stripe-signature: $SIGNATURE"),
    };
    parts.extend(credential.map(|header| format!("-H \"{header}\"")));
    if route.idempotency != Idempotency::None {
        parts.push("-H \"idempotency-key: 5f0c9a52-order-1\"".to_owned());
    }
    if let Some(body) = operation.body.as_ref().filter(|body| !body.optional) {
        parts.push("-H \"content-type: application/json\"".to_owned());
        let body = body.example.json().replace('\'', "'\\''");
        parts.push(format!("-d '{body}'"));
    }
    parts.join(" ")
}

/// The path with examples in the places of its parameters.
fn target(operation: &Operation) -> String {
    let named = Named::new();
    let mut path = operation.template();
    let mut query = Vec::new();
    for parameter in operation.parameters.iter().filter(|one| one.required) {
        let Ok(example) = schema::example(&parameter.schema, &named) else {
            continue;
        };
        let text = example
            .as_text()
            .map_or_else(|| example.json(), str::to_owned);
        match parameter.place {
            "path" => path = path.replace(&format!("{{{}}}", parameter.name), &text),
            "query" => query.push(format!("{}={text}", parameter.name)),
            _ => {}
        }
    }
    if query.is_empty() {
        path
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

/// The request as README.md shows requests: method, path, body.
pub(crate) fn request(operation: &Operation) -> String {
    let line = format!("{} {}", operation.route.method.name(), target(operation));
    match &operation.body {
        None => line,
        Some(body) => format!("{line}\n{}", body.example.pretty()),
    }
}
