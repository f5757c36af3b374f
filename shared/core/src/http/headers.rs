//! Headers that every answer carries.

use super::message::Response;
use super::trace::RequestIds;

/// Security headers of every answer of the API (OWASP HTTP Headers Cheat Sheet; an API's
/// answers are never a page, so its policy allows nothing).
pub const CANONICAL_SECURITY_HEADERS: [(&str, &str); 8] = [
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=()",
    ),
    ("cross-origin-resource-policy", "same-site"),
    ("content-language", "en"),
];

/// The version of the API, answered on every request and accepted in `X-API-Version`.
pub(super) const API_VERSION: &str = "1";

/// Puts on what is the same for all answers.
pub(super) fn finish(response: &mut Response, ids: &RequestIds) {
    for (name, value) in CANONICAL_SECURITY_HEADERS {
        if response.header(name).is_none() {
            response.headers.push((name, value.to_owned()));
        }
    }
    if response.header("cache-control").is_none() {
        response
            .headers
            .push(("cache-control", "no-store".to_owned()));
    }
    response
        .headers
        .push(("x-api-version", API_VERSION.to_owned()));
    response
        .headers
        .push(("x-request-id", ids.request_id.clone()));
    response.headers.push(("traceparent", ids.traceparent()));
}
