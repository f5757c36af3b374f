//! Errors by meaning, and the one place that turns them into an answer.
//!
//! The body is a superset of two contracts: `application/problem+json` (RFC 9457) and
//! `{"error":{…},"metadata":{…}}`. [`Code`] is the registry of all codes; docs/errors.md is made
//! from it.

use core::fmt;

use serde_json::{Map, Value as Json, json};

use super::message::Response;
use super::trace::RequestIds;
use crate::port::{DatabaseError, EntropyError, Missing};
use crate::tenancy::{Permission, PlanFeature};
use crate::time::Millis;

/// What sort of mistake it was: the `error.type` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request itself is wrong.
    Validation,
    /// Who is calling, or what they may do.
    Auth,
    /// There is no such thing, or not for this caller.
    NotFound,
    /// The state of things does not allow it.
    Conflict,
    /// Too much of it.
    RateLimit,
    /// Our side.
    Server,
}

impl Kind {
    /// The value of `error.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimit => "rate_limit",
            Self::Server => "server",
        }
    }
}

macro_rules! codes {
    ($( $id:ident = $name:literal, $status:literal, $kind:ident, $retryable:literal, $message:literal; )*) => {
        /// Every error code of the product.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $( #[doc = $message] $id, )*
        }

        impl Code {
            /// All codes, for the documents.
            pub const ALL: &'static [Self] = &[$( Self::$id ),*];

            /// The value of `error.code`.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$id => $name ),* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $( Self::$id => $status ),* }
            }

            /// The value of `error.type`.
            pub const fn kind(self) -> Kind {
                match self { $( Self::$id => Kind::$kind ),* }
            }

            /// Whether the same request may succeed later.
            pub const fn retryable(self) -> bool {
                match self { $( Self::$id => $retryable ),* }
            }

            /// What a person reads when nothing more exact is known.
            pub const fn message(self) -> &'static str {
                match self { $( Self::$id => $message ),* }
            }
        }
    };
}

codes! {
    Validation = "VALIDATION", 400, Validation, false, "Something in the request is not valid.";
    InvalidJson = "INVALID_JSON", 400, Validation, false, "The body is not valid JSON.";
    UnsupportedVersion = "UNSUPPORTED_VERSION", 400, Validation, false, "This API version does not exist; use v1.";
    IdempotencyKeyMissing = "IDEMPOTENCY_KEY_MISSING", 400, Validation, false, "This request needs an Idempotency-Key header.";
    IdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID", 400, Validation, false, "The Idempotency-Key must have 1 to 255 visible ASCII characters.";
    TenantRequired = "TENANT_REQUIRED", 400, Validation, false, "This request must say for which organization: services by the header X-Tenant-Id.";
    TokenSpent = "TOKEN_SPENT", 400, Validation, false, "This link is not valid any more; ask for a new one.";
    TempIdNotAllowed = "TEMP_ID_NOT_ALLOWED", 400, Validation, false, "A temporary id means nothing here; use the id that the creation answered.";
    PasswordTooShort = "PASSWORD_TOO_SHORT", 400, Validation, false, "The password must have 12 characters or more.";
    PasswordTooLong = "PASSWORD_TOO_LONG", 400, Validation, false, "The password must have 128 characters or fewer.";
    PasswordIsEmail = "PASSWORD_IS_EMAIL", 400, Validation, false, "The password must not be the e-mail address.";
    PasswordBreached = "PASSWORD_BREACHED", 400, Validation, false, "This password is known from a data breach; choose another.";
    OauthStateInvalid = "OAUTH_STATE_INVALID", 400, Validation, false, "This sign-in was not started in this browser, or too long ago; start again.";
    OauthRefused = "OAUTH_REFUSED", 400, Validation, false, "The provider did not confirm this sign-in; start again.";
    SignatureInvalid = "SIGNATURE_INVALID", 400, Validation, false, "The signature of this event does not match.";
    AuthRequired = "AUTH_REQUIRED", 401, Auth, false, "Sign in required.";
    TokenInvalid = "TOKEN_INVALID", 401, Auth, false, "This token is not valid; sign in again.";
    TokenExpired = "TOKEN_EXPIRED", 401, Auth, true, "This token has expired; refresh it at /api/v1/auth/refresh.";
    SessionEnded = "SESSION_ENDED", 401, Auth, false, "This session has ended; sign in again.";
    ApiKeyInvalid = "API_KEY_INVALID", 401, Auth, false, "This API key is not valid.";
    CredentialsInvalid = "CREDENTIALS_INVALID", 401, Auth, false, "E-mail address or password is wrong, or the address is not confirmed yet.";
    MfaCodeInvalid = "MFA_CODE_INVALID", 401, Auth, false, "This code is not right, or was used already.";
    PaymentRefused = "PAYMENT_REFUSED", 402, Conflict, false, "The payment was refused; use another way to pay.";
    PlanUpgradeRequired = "PLAN_UPGRADE_REQUIRED", 402, Auth, false, "The plan does not have this; upgrade it.";
    TrialExpired = "TRIAL_EXPIRED", 402, Auth, false, "The trial has ended, and the free plan does not have this; upgrade the plan.";
    Forbidden = "FORBIDDEN", 403, Auth, false, "You may not do this.";
    OauthEmailUnverified = "OAUTH_EMAIL_UNVERIFIED", 403, Auth, false, "The provider has not verified your e-mail address; verify it there, or sign in here and link the provider.";
    MfaRequired = "MFA_REQUIRED", 403, Auth, false, "This organization asks for a second factor: set one up at /api/v1/auth/mfa/start, or sign in again with yours.";
    ReauthRequired = "REAUTH_REQUIRED", 403, Auth, false, "Sign in again for this.";
    CsrfFailed = "CSRF_FAILED", 403, Auth, false, "This request lacks the CSRF token of its session; get one at /api/v1/auth/csrf.";
    PasswordWrong = "PASSWORD_WRONG", 403, Auth, false, "Your password is wrong.";
    IpNotAllowed = "IP_NOT_ALLOWED", 403, Auth, false, "This API key may not be used from this address.";
    ScopeMissing = "SCOPE_MISSING", 403, Auth, false, "This API key lacks the scope for this.";
    RouteNotFound = "ROUTE_NOT_FOUND", 404, NotFound, false, "There is nothing at this path; /docs shows every route.";
    FeatureDisabled = "FEATURE_DISABLED", 404, NotFound, false, "This is turned off here.";
    NotFound = "NOT_FOUND", 404, NotFound, false, "This does not exist.";
    BillingObjectMissing = "BILLING_OBJECT_MISSING", 404, NotFound, false, "Stripe does not know this, or not any more.";
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405, Validation, false, "This path does not take this method.";
    RequestTimeout = "REQUEST_TIMEOUT", 408, Validation, true, "The request took too long to arrive; try again.";
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", 409, Conflict, false, "This Idempotency-Key was used for another request.";
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", 409, Conflict, true, "A request with this Idempotency-Key is still running.";
    StateConflict = "STATE_CONFLICT", 409, Conflict, false, "Its state does not allow this.";
    VersionConflict = "VERSION_CONFLICT", 409, Conflict, false, "It has changed since you read it; read it again, then change what is there now.";
    PreconditionFailed = "PRECONDITION_FAILED", 412, Conflict, false, "It has changed since you read it: If-Match names another version.";
    BodyTooLarge = "BODY_TOO_LARGE", 413, Validation, false, "The body is too large.";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415, Validation, false, "Send JSON as application/json.";
    PreconditionRequired = "PRECONDITION_REQUIRED", 428, Validation, false, "Say which version you change: by If-Match, or by version in the body.";
    RateLimited = "RATE_LIMITED", 429, RateLimit, true, "Too many requests. Please try again later.";
    AccountLocked = "ACCOUNT_LOCKED", 429, RateLimit, true, "Too many failed attempts at this account; wait before the next.";
    QuotaExceeded = "QUOTA_EXCEEDED", 429, RateLimit, false, "The plan's quota is used up; upgrade the plan, wait for the next month, or delete what you do not need.";
    JobLimit = "JOB_LIMIT", 429, RateLimit, true, "The tenant has as many jobs as it may; try again when one of them has finished or expired.";
    Internal = "INTERNAL", 500, Server, true, "Something went wrong on our side.";
    Unavailable = "UNAVAILABLE", 503, Server, true, "This is not available at the moment; try again soon.";
    NotConfigured = "NOT_CONFIGURED", 503, Server, false, "This service is not set up completely; its operator finds the reason in the log.";
    BillingDisabled = "BILLING_DISABLED", 503, Server, false, "Billing is turned off here.";
    BillingNotConfigured = "BILLING_NOT_CONFIGURED", 503, Server, false, "Payments are not set up here; the operator finds the reason in the log.";
    UpstreamTimeout = "UPSTREAM_TIMEOUT", 504, Server, true, "A service that this depends on did not answer in time; try again soon.";
    UpstreamRefused = "UPSTREAM_REFUSED", 503, Server, false, "A service that this depends on refused the request; the operator finds the reason in the log.";
    UpstreamFailed = "UPSTREAM_FAILED", 503, Server, true, "A service that this depends on failed; try again soon.";
}

/// Where a client reads what each plan has.
pub(super) const PLANS: &str = "/api/v1/billing/plans";

/// An error on its way to the client, with what only the log may say.
#[derive(Debug, Clone)]
pub struct Error {
    code: Code,
    field: Option<String>,
    /// Boxed, because errors are returned everywhere and few have any.
    more: Option<Box<More>>,
    message: Option<String>,
    retry_after: Option<u32>,
    headers: Vec<(&'static str, String)>,
    cause: Option<String>,
}

/// What few errors have.
#[derive(Debug, Clone, Default)]
struct More {
    members: Map<String, Json>,
    /// Which limit was met, and how much it allows.
    limit: Option<(&'static str, i64)>,
}

impl Error {
    /// An error with its code's own message.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            field: None,
            more: None,
            message: None,
            retry_after: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    /// A request that breaks a rule of `field`.
    pub fn invalid(field: &str, rule: impl Into<String>) -> Self {
        let error = Self::new(Code::Validation).with_message(rule);
        if field.is_empty() {
            error
        } else {
            error.with_field(field)
        }
    }

    /// A caller who lacks `permission`. The answer names it, and nothing of what it guards.
    pub fn lacks(permission: Permission) -> Self {
        let rule = format!("This needs the permission {}.", permission.name());
        Self::new(Code::Forbidden)
            .with_message(rule)
            .with_member("permission", permission.name())
    }

    /// A tenant whose plan lacks `feature`. The answer names it and where the plans are shown.
    pub fn plan_lacks(feature: PlanFeature) -> Self {
        let rule = format!(
            "{} are not part of your plan; {PLANS} shows the plans that have them.",
            feature.meaning()
        );
        Self::new(Code::PlanUpgradeRequired)
            .with_message(rule)
            .with_member("feature", feature.name())
            .with_member("upgrade", PLANS)
    }

    /// The same, of a tenant whose trial has expired. What it tells for programs stays.
    #[must_use]
    pub(super) fn after_trial(mut self, frontend: &str) -> Self {
        self.code = Code::TrialExpired;
        self.message = None;
        self.retry_after = None;
        let url = [frontend, crate::trials::UPGRADE_PATH].concat();
        self.with_member("upgrade_url", url)
    }

    /// A more exact message for the client. Never put stored or secret text here.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// The field that was wrong.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// One more member of `error`, for programs: a limit, a version. Never stored or secret text.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        let more = self.more.get_or_insert_default();
        more.members.insert(name.to_owned(), value.into());
        self
    }

    /// The limit that was met; for [`crate::guard::abuse`] alone.
    #[must_use]
    pub fn with_limit(mut self, policy: &'static str, limit: i64) -> Self {
        self.more.get_or_insert_default().limit = Some((policy, limit));
        self
    }

    /// Tells the client to wait so many seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A header of the answer, `Allow` for instance.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What happened inside; for the log alone.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Its code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Its field, if one was to blame.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Which limit was met, and how much it allows.
    pub fn limit(&self) -> Option<(&'static str, i64)> {
        self.more.as_ref()?.limit
    }

    /// How many seconds to wait.
    pub const fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// What the log should say, if this is more than a client's mistake.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The answer. This is the only place that decides what an error looks like.
    pub fn into_response(self, ids: &RequestIds, path: &str, now: Millis) -> Response {
        let code = self.code;
        let status = code.status();
        let message = self.message.as_deref().unwrap_or(code.message());
        let mut error = json!({
            "type": code.kind().name(),
            "message": message,
            "code": code.name(),
            "retryable": code.retryable(),
        });
        if let (Some(object), Some(field)) = (error.as_object_mut(), &self.field) {
            object.insert("field".to_owned(), json!(field));
        }
        if let (Some(object), Some(members)) = (error.as_object_mut(), self.more) {
            object.extend(members.members);
        }
        let body = json!({
            "type": "about:blank",
            "title": code.message(),
            "status": status,
            "detail": message,
            "instance": path,
            "error": error,
            "metadata": {
                "requestId": ids.request_id,
                "traceId": ids.trace_id,
                "timestamp": now.rfc3339(),
            },
        });
        let mut response = Response::new(status, "application/problem+json", body.to_string());
        response.headers.extend(self.headers);
        if status == 401 && response.header("www-authenticate").is_none() {
            response
                .headers
                .push(("www-authenticate", challenge(code).to_owned()));
        }
        if let Some(seconds) = self.retry_after {
            response.headers.push(("retry-after", seconds.to_string()));
        }
        response
    }
}

/// The `WWW-Authenticate` challenge (RFC 6750, section 3).
const fn challenge(code: Code) -> &'static str {
    match code {
        Code::AuthRequired | Code::CredentialsInvalid => "Bearer",
        Code::TokenExpired => {
            "Bearer error=\"invalid_token\", error_description=\"The token has expired\""
        }
        _ => "Bearer error=\"invalid_token\"",
    }
}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(_) | DatabaseError::Busy(_) => Self::new(Code::Unavailable)
                .with_retry_after(1)
                .with_cause(error),
            DatabaseError::Refused(_) | DatabaseError::Shape(_) => {
                Self::new(Code::Internal).with_cause(error)
            }
        }
    }
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Self {
        Self::new(Code::NotConfigured).with_cause(format!("{} is missing", missing.0))
    }
}

impl From<EntropyError> for Error {
    fn from(_: EntropyError) -> Self {
        Self::new(Code::Unavailable).with_cause("the random generator failed")
    }
}

/// Why a handler stops before its own answer.
#[derive(Debug)]
pub enum Interrupt {
    /// Something is wrong.
    Error(Error),
    /// The answer of an earlier request with the same idempotency key.
    Replay(super::message::Reply),
}

impl<E: Into<Error>> From<E> for Interrupt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: AD-03
    #[test]
    fn codes_are_unique_and_agree_with_their_kind() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!(
                !Code::ALL[..index]
                    .iter()
                    .any(|other| other.name() == code.name())
            );
            assert_eq!(
                code.kind() == Kind::Server,
                code.status() >= 500,
                "{}",
                code.name()
            );
            if code.kind() == Kind::Validation && code.status() != 408 {
                assert!(!code.retryable(), "{}", code.name());
            }
            assert!(code.message().ends_with('.'), "{}", code.name());
        }
    }

    /// Rows: AD-07 R-09
    #[test]
    fn the_cause_stays_inside() {
        let ids = RequestIds {
            request_id: "req_1".into(),
            trace_id: "t".into(),
            parent: None,
        };
        let error = Error::new(Code::Internal).with_cause("password=hunter2");
        let response = error.into_response(&ids, "/x", Millis(0));
        let body = String::from_utf8(response.body).unwrap();
        assert!(!body.contains("hunter2"), "{body}");
        assert!(body.contains("\"requestId\":\"req_1\""), "{body}");
    }
}
