//! What clients get wrong, and what attackers try.

use serde_json::json;

use super::tests;
use crate::api::Api;
use crate::fixture::{PASSWORD, api_key, founder, login, new_email};

tests! { "bad_input":
    broken_json_is_400 ["AD-16" "AD-05"];
    wrong_content_types_are_415 ["AD-16"];
    announced_length_over_the_limit_is_413 ["AD-16" "E-18"];
    chunked_body_over_the_limit_is_413 ["AD-16" "E-18"];
    a_body_that_does_not_arrive_is_408 ["AD-09" "E-19"];
    fields_are_named ["AD-05" "AD-10"];
    odd_paths_and_queries_are_4xx ["AD-06" "AD-16"];
    hostile_text_is_only_text ["M-22"];
    errors_hide_internals ["R-09" "AD-07"];
}

fn broken_json_is_400(api: &Api) {
    let deep = "[".repeat(200_000);
    let deep_object = "{\"a\":".repeat(50_000);
    for body in [
        "{",
        "",
        "nul",
        "{\"email\":}",
        "\u{0}",
        "{\"email\":\"a\"",
        &deep,
        &deep_object,
    ] {
        let answer = api
            .call("POST", "/api/v1/auth/login")
            .body("application/json", body)
            .send();
        answer.refused(400, "INVALID_JSON");
    }
    for body in [&b"\xff\xfe{"[..], b"{\"email\":\"\xc3\x28\"}"] {
        let answer = api
            .call("POST", "/api/v1/auth/login")
            .body("application/json", body)
            .send();
        answer.refused(400, "INVALID_JSON");
    }
    for body in ["[]", "7", "\"text\"", "null"] {
        let answer = api
            .call("POST", "/api/v1/auth/login")
            .body("application/json", body)
            .send();
        answer.refused(400, "VALIDATION");
    }
}

fn wrong_content_types_are_415(api: &Api) {
    for kind in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "json",
    ] {
        let answer = api
            .call("POST", "/api/v1/auth/login")
            .body(kind, "{}")
            .send();
        answer.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let answer = api
        .call("POST", "/api/v1/auth/login")
        .body("application/json; charset=utf-8", "{}")
        .send();
    answer.blames("email");
}

fn announced_length_over_the_limit_is_413(api: &Api) {
    too_large(api).refused(413, "BODY_TOO_LARGE");
}

/// Sends a body over the limit whole, although the answer comes before its end: a client
/// library would call that a broken pipe.
pub fn too_large(api: &Api) -> crate::answer::Answer {
    let mut bytes = b"POST /api/v1/auth/login HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
        content-type: application/json\r\ncontent-length: 1100000\r\n\r\n"
        .to_vec();
    bytes.resize(bytes.len() + 1_100_000, b'x');
    api.raw(&bytes)
}

fn chunked_body_over_the_limit_is_413(api: &Api) {
    let mut bytes = b"POST /api/v1/auth/login HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..20 {
        bytes.extend_from_slice(b"10000\r\n");
        bytes.extend_from_slice(&vec![b'x'; 0x10000]);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(api.raw(&bytes).status, 413);
}

fn a_body_that_does_not_arrive_is_408(api: &Api) {
    let ask = || {
        api.raw(
            b"POST /api/v1/auth/login HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
            content-type: application/json\r\ncontent-length: 100\r\n\r\n{\"email\":",
        )
    };
    // Spin's server sometimes hangs up after the head of an answer to half a request.
    let cut_off = |answer: &crate::answer::Answer| answer.status == 408 && answer.text().is_empty();
    let answer = (0..2)
        .map(|_| ask())
        .find(|answer| !cut_off(answer))
        .unwrap_or_else(ask);
    let body = answer.refused(408, "REQUEST_TIMEOUT");
    assert_eq!(body["error"]["retryable"], true, "{body}");
}

fn fields_are_named(api: &Api) {
    let cases = [
        (json!({"password": PASSWORD}), "email"),
        (json!({"email": 7, "password": PASSWORD}), "email"),
        (json!({"email": "nobody", "password": PASSWORD}), "email"),
        (json!({"email": "a@b", "password": PASSWORD}), "email"),
        (
            json!({"email": "a b@example.com", "password": PASSWORD}),
            "email",
        ),
        (
            json!({"email": "a\u{0}@example.com", "password": PASSWORD}),
            "email",
        ),
        (
            json!({"email": format!("{}@example.com", "a".repeat(300)), "password": PASSWORD}),
            "email",
        ),
        (json!({"email": "a@example.com"}), "password"),
        (
            json!({"email": "a@example.com", "password": "nul\u{0} in a password"}),
            "password",
        ),
        (
            json!({"email": "a@example.com", "password": PASSWORD, "role": "founder"}),
            "role",
        ),
        (
            json!({"email": "a@example.com", "password": PASSWORD, "company": ["x"]}),
            "company",
        ),
    ];
    for (body, field) in cases {
        api.post("/api/v1/auth/register", &body)
            .send()
            .blames(field);
    }
    let founder = founder(api);
    let keys = [
        (json!({"name": "x", "scopes": ["root"]}), "scopes"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (json!({"name": "x", "scopes": "usage:write"}), "scopes"),
        (json!({"name": ""}), "name"),
        (
            json!({"name": "x", "expires_at": "2026-02-30T00:00:00Z"}),
            "expires_at",
        ),
        (
            json!({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}),
            "expires_at",
        ),
    ];
    for (body, field) in keys {
        api.post("/api/v1/api-keys", &body)
            .bearer(&founder.access)
            .send()
            .blames(field);
    }
    api.get("/api/v1/usage/summary?month=2026-13")
        .bearer(&founder.access)
        .send()
        .blames("month");
    api.get("/api/v1/usage/summary?month=%ff")
        .bearer(&founder.access)
        .send()
        .blames("month");
}

fn odd_paths_and_queries_are_4xx(api: &Api) {
    let founder = founder(api);
    for path in [
        "/api/v1/jobs/%00",
        "/api/v1/jobs/%ff%fe",
        "/api/v1/jobs/..%2f..%2fetc",
        "/api/v1/jobs/'--",
        "/api/v1/jobs/9007199254740993",
        "/api/v1/jobs/null",
    ] {
        let answer = api.get(path).bearer(&founder.access).send();
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    // A server may refuse bytes that are no HTTP before we see them, but never with a 5xx.
    for line in [
        &b"GET /healthz?\xff\xfe HTTP/1.1"[..],
        b"GET /\x01 HTTP/1.1",
        b"G\x00T / HTTP/1.1",
        b"GET / HTTP/9.9",
    ] {
        let mut bytes = line.to_vec();
        bytes.extend_from_slice(b"\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
        let status = api.raw(&bytes).status;
        assert!(status < 500 || status == 505, "{line:?}: {status}");
    }
    assert_eq!(api.get("/healthz").send().status, 200);
}

fn hostile_text_is_only_text(api: &Api) {
    let founder = founder(api);
    for name in [
        "'; DROP TABLE users; --",
        "\" OR 1=1",
        "?1 $1 %s {}",
        "🦀 ﷽ \u{202e}",
        "\\'",
    ] {
        let body = json!({"name": name});
        let key = api
            .post("/api/v1/api-keys", &body)
            .bearer(&founder.access)
            .send()
            .data(201);
        assert_eq!(key["name"], name);
        let path = format!("/api/v1/api-keys/{}/revoke", key["id"].as_str().unwrap());
        api.call("POST", &path)
            .bearer(&founder.access)
            .send()
            .data(200);
    }
    let listed = api
        .get("/api/v1/api-keys")
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(listed.as_array().unwrap().len(), 5);
    login(api, "x'or'1'='1@example.com", "' OR ''='").refused(401, "CREDENTIALS_INVALID");
    let key = api_key(api, &founder, &["usage:write"]);
    let event =
        json!({"id": "' || 1 --", "meter": "');DELETE FROM usage_events;--", "subject": "?9"});
    let result = api
        .post("/api/v1/usage/events", &event)
        .bearer(&key)
        .send()
        .data(200);
    assert_eq!(result["inserted"], 1);
}

fn errors_hide_internals(api: &Api) {
    let answers = [
        login(api, &new_email(api), "not the password"),
        api.get("/api/v1/auth/me")
            .bearer("eyJhbGciOiJub25lIn0.e30.")
            .send(),
        api.call("POST", "/webhooks/stripe")
            .json(&json!({"id": "evt"}))
            .send(),
    ];
    for answer in answers {
        let text = answer.text().to_lowercase();
        for word in [
            "sql", "panicked", ".rs", "stack", "column", "serde", "argon2", "whsec",
        ] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}
