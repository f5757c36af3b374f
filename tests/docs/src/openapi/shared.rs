//! What all operations have in common: errors, headers, credentials.

use edgekeep_core::http::Code;

use super::document::codes_by_status;
use super::errors::response_name;
use super::node::Node;
use super::schema::MOMENT;

/// Headers of every answer of a limited operation.
pub(crate) const RATE_HEADERS: [&str; 5] = [
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
];

pub(crate) fn info() -> Node {
    let description = "Sign-in and API keys, usage metering with quotas, subscriptions, background \
        jobs. Answers are `{\"success\":true,\"data\":…,\"metadata\":…}`, errors are \
        `application/problem+json` with `error.code`. Answers may gain members: ignore those you do \
        not know. Requests with members that are not told here are refused.";
    Node::map([
        ("title", Node::text("Edgekeep")),
        ("version", Node::text(env!("CARGO_PKG_VERSION"))),
        ("description", Node::text(description)),
        (
            "license",
            Node::map([
                ("name", Node::text("Apache License 2.0")),
                ("identifier", Node::text("Apache-2.0")),
            ]),
        ),
    ])
}

fn kind(name: &str) -> Node {
    Node::map([("type", Node::text(name))])
}

fn object(properties: Node, optional: &[&str]) -> Node {
    let names = properties.members().iter().map(|(name, _)| name.as_str());
    let required: Vec<_> = names.filter(|name| !optional.contains(name)).collect();
    Node::map([
        ("type", Node::text("object")),
        ("required", Node::texts(required)),
        ("properties", properties),
    ])
}

fn moment() -> Node {
    Node::map([
        ("type", Node::text("string")),
        ("format", Node::text("date-time")),
    ])
}

pub(crate) fn metadata(page: bool) -> Node {
    let mut properties = Node::map([("requestId", kind("string")), ("timestamp", moment())]);
    if page {
        let cursor = "Where the next page begins; absent on the last one.";
        let mut schema = kind("string");
        schema.put("description", Node::text(cursor));
        properties.put("nextCursor", schema);
    }
    object(properties, &["nextCursor"])
}

pub(crate) fn problem() -> Node {
    let codes = Code::ALL.iter().map(|code| code.name());
    let kinds = [
        "validation",
        "auth",
        "not_found",
        "conflict",
        "rate_limit",
        "server",
    ];
    let error = object(
        Node::map([
            ("type", Node::map([("enum", Node::texts(kinds))])),
            ("message", kind("string")),
            ("code", Node::map([("enum", Node::texts(codes))])),
            ("retryable", kind("boolean")),
            ("field", kind("string")),
            ("permission", kind("string")),
            ("feature", kind("string")),
            ("upgrade", kind("string")),
            ("upgrade_url", kind("string")),
            ("expected", kind("integer")),
            ("limit", kind("integer")),
            ("used", kind("integer")),
            ("plan", kind("string")),
            ("policy", kind("string")),
            ("reason", kind("string")),
        ]),
        &[
            "field",
            "permission",
            "feature",
            "upgrade",
            "upgrade_url",
            "expected",
            "limit",
            "used",
            "plan",
            "policy",
            "reason",
        ],
    );
    let metadata = Node::map([
        ("requestId", kind("string")),
        ("traceId", kind("string")),
        ("timestamp", moment()),
    ]);
    let mut out = object(
        Node::map([
            ("type", Node::map([("const", Node::text("about:blank"))])),
            ("title", kind("string")),
            ("status", kind("integer")),
            ("detail", kind("string")),
            ("instance", kind("string")),
            ("error", error),
            ("metadata", object(metadata, &[])),
        ]),
        &[],
    );
    let description = "An error (RFC 9457). Programs decide by `error.code`.";
    out.put("description", Node::text(description));
    out
}

pub(crate) fn security_schemes() -> Node {
    let bearer = |description: &str| {
        Node::map([
            ("type", Node::text("http")),
            ("scheme", Node::text("bearer")),
            ("bearerFormat", Node::text("JWT")),
            ("description", Node::text(description)),
        ])
    };
    let named = |place: &str, name: &str, description: &str| {
        Node::map([
            ("type", Node::text("apiKey")),
            ("in", Node::text(place)),
            ("name", Node::text(name)),
            ("description", Node::text(description)),
        ])
    };
    Node::map([
        (
            "accessToken",
            bearer("The `access_token` of a sign-in. It lasts 15 minutes; refresh it."),
        ),
        (
            "sessionCookie",
            named(
                "cookie",
                "__Host-ek_access",
                "Set by a sign-in with `mode: cookie`.",
            ),
        ),
        (
            "csrfToken",
            named(
                "header",
                "X-CSRF-Token",
                "The `csrf_token` of the session, with every request that changes something and \
                 carries the cookie.",
            ),
        ),
        (
            "apiKey",
            named(
                "header",
                "X-Api-Key",
                "A key of the tenant (`ek_live_…`, `ek_test_…`); also taken as \
                 `Authorization: Bearer ek_…`.",
            ),
        ),
        (
            "serviceToken",
            bearer("Signed with `SERVICE_JWT_SECRET` for one function."),
        ),
        (
            "metricsToken",
            bearer("A secret of the configuration, `METRICS_TOKEN`, for Prometheus."),
        ),
        (
            "signature",
            named(
                "header",
                "Stripe-Signature",
                "HMAC over time and raw body, as Stripe sends it.",
            ),
        ),
    ])
}

pub(crate) fn headers() -> Node {
    let header = |kind_of: &str, description: &str| {
        Node::map([
            ("description", Node::text(description)),
            ("schema", kind(kind_of)),
        ])
    };
    Node::map([
        (
            "X-RateLimit-Limit",
            header("integer", "Requests a minute for this caller and class."),
        ),
        (
            "X-RateLimit-Remaining",
            header("integer", "Requests left in this window."),
        ),
        (
            "X-RateLimit-Reset",
            header("integer", "When the window ends, in Unix seconds."),
        ),
        (
            "RateLimit-Policy",
            header(
                "string",
                "The same as a structured field: `\"read\";q=100;w=60`.",
            ),
        ),
        (
            "RateLimit",
            header("string", "What is left of it: `\"read\";r=99;t=42`."),
        ),
        (
            "Retry-After",
            header("integer", "Seconds to wait before the next attempt."),
        ),
        (
            "WWW-Authenticate",
            header("string", "The challenge (RFC 6750)."),
        ),
        (
            "X-Request-Id",
            header("string", "Also in `metadata.requestId`, and in the log."),
        ),
    ])
}

/// One answer for each status of an error, with a sample.
pub(crate) fn responses() -> Node {
    let mut out = Node::Map(Vec::new());
    for (status, codes) in codes_by_status() {
        // Not of an operation: the path exists with other methods.
        if status == 405 {
            continue;
        }
        let Some(sample) = codes.first() else {
            continue;
        };
        let mut headers = Node::map([("X-Request-Id", Node::reference("headers", "X-Request-Id"))]);
        let more: &[&str] = match status {
            401 => &["WWW-Authenticate"],
            429 => &[
                "Retry-After",
                "X-RateLimit-Limit",
                "X-RateLimit-Remaining",
                "X-RateLimit-Reset",
                "RateLimit-Policy",
                "RateLimit",
            ],
            503 | 504 => &["Retry-After"],
            _ => &[],
        };
        for name in more {
            headers.put(name, Node::reference("headers", name));
        }
        let media = Node::map([
            ("schema", Node::reference("schemas", "Problem")),
            ("example", sample_of(*sample)),
        ]);
        let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
        let response = Node::map([
            ("description", Node::text(names.join(", "))),
            ("headers", headers),
            ("content", Node::map([("application/problem+json", media)])),
        ]);
        out.put(response_name(status), response);
    }
    out
}

fn sample_of(code: Code) -> Node {
    Node::map([
        ("type", Node::text("about:blank")),
        ("title", Node::text(code.message())),
        ("status", Node::Int(code.status().into())),
        ("detail", Node::text(code.message())),
        ("instance", Node::text("/api/v1/…")),
        (
            "error",
            Node::map([
                ("type", Node::text(code.kind().name())),
                ("message", Node::text(code.message())),
                ("code", Node::text(code.name())),
                ("retryable", Node::Bool(code.retryable())),
            ]),
        ),
        (
            "metadata",
            Node::map([
                ("requestId", Node::text("req_0f3c5a7b9d1e2f40")),
                ("traceId", Node::text("0af7651916cd43dd8448eb211c80319c")),
                ("timestamp", Node::text(MOMENT)),
            ]),
        ),
    ])
}
