//! Errors as Stripe tells them (docs.stripe.com/api/errors).

use serde_json::{Value, json};

/// An error.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub(crate) status: u16,
    body: Value,
}

impl Refused {
    fn new(status: u16, kind: &str, code: Option<&str>, message: &str) -> Self {
        let mut error = json!({"type": kind, "message": message,
            "request_log_url": "https://dashboard.stripe.com/test/logs/req_fake00000001?t=1"});
        if let Some(code) = code {
            error["code"] = json!(code);
        }
        Self {
            status,
            body: json!({"error": error}),
        }
    }

    pub(crate) fn with_status(status: u16) -> Self {
        let kind = if status >= 500 || status == 429 {
            "api_error"
        } else {
            "invalid_request_error"
        };
        let code = (status == 409).then_some("lock_timeout");
        Self::new(status, kind, code, "told to fail")
    }

    pub(crate) fn declined() -> Self {
        let message = "Your card was declined.";
        Self::new(402, "card_error", Some("card_declined"), message)
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(400, "invalid_request_error", None, message)
    }

    pub(crate) fn coded(code: &str, message: &str) -> Self {
        Self::new(400, "invalid_request_error", Some(code), message)
    }

    /// Nothing at this path.
    pub(crate) fn unknown() -> Self {
        Self::new(
            404,
            "invalid_request_error",
            None,
            "Unrecognized request URL",
        )
    }

    /// No object of that id, named by a path.
    pub(crate) fn missing(what: &str, id: &str) -> Self {
        let message = format!("No such {what}: '{id}'");
        Self::new(
            404,
            "invalid_request_error",
            Some("resource_missing"),
            &message,
        )
    }

    /// No object of that id, named by a parameter.
    pub(crate) fn no_such(what: &str, id: &str) -> Self {
        Self::coded("resource_missing", &format!("No such {what}: '{id}'"))
    }

    pub(crate) fn other_params() -> Self {
        let message = "Keys for idempotent requests can only be used with the same parameters \
            they were first used with.";
        Self::new(400, "idempotency_error", None, message)
    }

    pub(crate) const fn again(status: u16, body: Value) -> Self {
        Self { status, body }
    }

    pub(crate) fn body(&self) -> Value {
        self.body.clone()
    }
}
