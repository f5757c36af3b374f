//! What the server answered, and what every answer must keep.

use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| {
            panic!(
                "status {} with a body that is no JSON: {}",
                self.status,
                self.text()
            )
        })
    }

    /// `data` of a success with that status.
    #[track_caller]
    pub fn data(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        assert_eq!(body["success"], true, "{body}");
        assert!(body["metadata"]["requestId"].is_string(), "{body}");
        assert!(
            body["metadata"]["timestamp"]
                .as_str()
                .unwrap()
                .ends_with('Z'),
            "{body}"
        );
        body["data"].clone()
    }

    /// Asserts an error with that status and code, and the whole contract of errors.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let body = self.json();
        assert_eq!(body["error"]["code"], code, "{body}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(body[member].is_string(), "{member}: {body}");
        }
        assert_eq!(body["status"], status, "{body}");
        let kinds = [
            "validation",
            "auth",
            "not_found",
            "conflict",
            "rate_limit",
            "server",
        ];
        assert!(
            kinds.contains(&body["error"]["type"].as_str().unwrap()),
            "{body}"
        );
        assert!(body["error"]["retryable"].is_boolean(), "{body}");
        assert!(
            !body["error"]["message"].as_str().unwrap().is_empty(),
            "{body}"
        );
        for member in ["requestId", "traceId", "timestamp"] {
            assert!(body["metadata"][member].is_string(), "{member}: {body}");
        }
        assert_eq!(
            self.header("x-request-id"),
            body["metadata"]["requestId"].as_str()
        );
        body
    }

    /// Asserts a validation error that names `field`.
    #[track_caller]
    pub fn blames(&self, field: &str) {
        let body = self.refused(400, "VALIDATION");
        assert_eq!(body["error"]["field"], field, "{body}");
    }

    /// SQL round trips, as `Server-Timing` tells them.
    #[track_caller]
    pub fn sql(&self) -> u32 {
        let timing = self
            .header("server-timing")
            .expect("no Server-Timing header");
        let part = timing
            .split("sql;desc=\"")
            .nth(1)
            .expect("no sql in Server-Timing");
        part.split('"').next().unwrap().parse().unwrap()
    }
}
