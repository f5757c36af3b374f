//! Cross-origin requests: refused unless the exact origin is listed (Fetch standard).

use super::message::{HeaderSource, Response};

const EXPOSED: &str = "x-request-id, x-ratelimit-limit, x-ratelimit-remaining, \
    x-ratelimit-reset, ratelimit, ratelimit-policy, retry-after, idempotent-replayed, location, etag, link";
const ALLOWED: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, \
    traceparent, x-api-version, x-csrf-token, x-request-id";

/// The origin of a request, when the list holds exactly it.
pub(super) fn allowed_origin(headers: &dyn HeaderSource, list: &[String]) -> Option<String> {
    if list.is_empty() {
        return None;
    }
    headers
        .header("origin")
        .filter(|origin| list.contains(origin))
}

/// Puts the CORS headers on an answer. `Vary` is there even for refused origins, so that no
/// cache mixes them up.
pub(super) fn finish(response: &mut Response, origin: Option<&str>, any_listed: bool) {
    if any_listed {
        response.headers.push(("vary", "Origin".to_owned()));
    }
    if let Some(origin) = origin {
        response
            .headers
            .push(("access-control-allow-origin", origin.to_owned()));
        response
            .headers
            .push(("access-control-expose-headers", EXPOSED.to_owned()));
        // For cookie sessions. The origin is an exact one from the list, never a wildcard.
        response
            .headers
            .push(("access-control-allow-credentials", "true".to_owned()));
    }
}

/// The answer to a preflight for a path that takes the methods in `allow`.
pub(super) fn preflight(allow: &str, origin: Option<&str>) -> Response {
    let mut response = Response::empty(204);
    response.headers.push(("allow", allow.to_owned()));
    if origin.is_some() {
        response
            .headers
            .push(("access-control-allow-methods", allow.to_owned()));
        response
            .headers
            .push(("access-control-allow-headers", ALLOWED.to_owned()));
        response
            .headers
            .push(("access-control-max-age", "7200".to_owned()));
    }
    response
}
