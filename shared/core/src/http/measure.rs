//! What every request counts (docs/metrics.md), and the check that somebody judged its caller.

use super::context::Context;
use super::error::{Code, Error, Kind};
use super::message::{Method, Response};
use super::route::Access;
use super::serve::Progress;
use crate::guard::identity::Credential;
use crate::metrics::{self, Series};
use crate::port::{Level, Platform};
use crate::time::Millis;

/// The route of what is no route.
const UNMATCHED: &str = "unmatched";

impl<P: Platform> Context<'_, P> {
    /// Counts one; it is written with everything else that the instance counts.
    pub fn count(&self, series: Series) {
        self.meter.counted.borrow_mut().push(series);
    }

    /// Names how an attempt to sign in ended, where the answer's status does not say.
    pub fn attempt_was(&self, result: &'static str) {
        self.meter.attempt.set(Some(result));
    }

    /// Whether the caller was judged as the route's policy asks. A handler that answers without
    /// is a bug that lets everybody in, so its answer is withheld.
    ///
    /// # Errors
    /// `INTERNAL`
    pub(super) fn check_judged(&self) -> Result<(), Error> {
        let judged = match self.route.access {
            Access::Public | Access::Signed | Access::Development => true,
            Access::Member(_) | Access::Key(..) | Access::MemberOrKey(..) => {
                self.meter.judged.get()
            }
            Access::Service | Access::Scraper => matches!(self.credential, Credential::Service(_)),
        };
        if judged {
            return Ok(());
        }
        self.count(metrics::auth_bypass_detected());
        self.log(Level::Error, "auth.bypass_detected", &[]);
        let why = "the handler answered without judging the caller";
        Err(Error::new(Code::Internal).with_cause(why))
    }
}

/// Counts a request that was answered; `elapsed` in milliseconds.
pub(super) fn request<P: Platform>(
    platform: &P,
    method: &str,
    response: &Response,
    progress: &Progress,
    code: Option<Code>,
    elapsed: i64,
    ended: Millis,
) {
    let route = progress.route.map_or(UNMATCHED, |route| route.name);
    let mut counted: Vec<(Series, i64)> = Vec::with_capacity(8);
    let one = |series| (series, 1);
    let status = status(response.status);
    counted.push(one(metrics::http_requests(route, known(method), status)));
    counted.extend(metrics::bucket(metrics::http_duration, route, elapsed));
    if let Some(code) = code.filter(|code| is_limit(*code)) {
        counted.push(one(metrics::rate_limited(route, code.name())));
    }
    if let Some(outcome) = idempotency(progress, code) {
        counted.push(one(metrics::idempotency_requests(outcome)));
    }
    counted.extend(attempts(response, progress, code).map(one));
    let on_the_way = progress.meter.counted.take();
    counted.extend(on_the_way.into_iter().map(one));
    metrics::add(platform, &counted, ended);
}

/// What the request says about credentials.
fn attempts(
    response: &Response,
    progress: &Progress,
    code: Option<Code>,
) -> impl Iterator<Item = Series> {
    let failure = code.filter(|code| is_failed_attempt(*code));
    let service = progress
        .route
        .is_some_and(|route| matches!(route.access, Access::Service | Access::Scraper));
    let ended = match failure {
        Some(code) => Some(code.name()),
        None if response.status < 400 => Some("success"),
        None => None,
    };
    let signing_in = progress.route.and_then(|route| route.signs_in);
    let sign_in = signing_in.and_then(|method| {
        let result = progress.meter.attempt.get().or(ended)?;
        Some(metrics::auth_attempts(method, result))
    });
    let presented = progress.meter.presented.get().and_then(|method| {
        let known = progress.meter.judged.get() || progress.proven;
        let result = if failure.is_none() && known {
            "success"
        } else {
            failure?.name()
        };
        Some((method, result))
    });
    let shown = presented.map(|(method, result)| metrics::auth_attempts(method, result));
    let as_service = presented.filter(|_| service).map(|(_, result)| {
        let failed = result != "success";
        metrics::service_auth_attempts(if failed { "failure" } else { "success" })
    });
    sign_in.into_iter().chain(shown).chain(as_service)
}

/// Whether the error says something about who is calling, not about what they asked for.
fn is_failed_attempt(code: Code) -> bool {
    match code {
        // Known, and not allowed.
        Code::Forbidden
        | Code::ScopeMissing
        | Code::MfaRequired
        | Code::ReauthRequired
        | Code::PlanUpgradeRequired => false,
        Code::AccountLocked | Code::OauthStateInvalid | Code::OauthRefused => true,
        _ => code.kind() == Kind::Auth,
    }
}

const fn is_limit(code: Code) -> bool {
    matches!(
        code,
        Code::RateLimited | Code::AccountLocked | Code::QuotaExceeded | Code::JobLimit
    )
}

fn idempotency(progress: &Progress, code: Option<Code>) -> Option<&'static str> {
    if !progress.claimed {
        return None;
    }
    match code {
        None if progress.replayed => Some("replay"),
        None => Some("new"),
        Some(Code::IdempotencyKeyReused) => Some("conflict"),
        Some(Code::IdempotencyInProgress) => Some("in_progress"),
        Some(_) => None,
    }
}

/// The method as a label: HEAD and OPTIONS apart, and one name for all that do not exist.
pub(super) fn known(method: &str) -> &'static str {
    match method {
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        other => Method::parse(other).map_or("other", Method::name),
    }
}

/// The status as a label: every one that we answer, and one name for all that we do not.
fn status(status: u16) -> &'static str {
    match status {
        200 => "200",
        201 => "201",
        202 => "202",
        204 => "204",
        302 => "302",
        304 => "304",
        400 => "400",
        401 => "401",
        402 => "402",
        403 => "403",
        404 => "404",
        405 => "405",
        408 => "408",
        409 => "409",
        410 => "410",
        412 => "412",
        413 => "413",
        415 => "415",
        428 => "428",
        429 => "429",
        500 => "500",
        503 => "503",
        504 => "504",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: O-17
    #[test]
    fn labels_are_bounded_whatever_is_sent() {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            assert_eq!(known(method), method);
        }
        for method in ["BREW", "", "get", "GET\nx"] {
            assert_eq!(known(method), "other");
        }
        for code in Code::ALL {
            assert_eq!(
                status(code.status()),
                code.status().to_string(),
                "{}",
                code.name()
            );
        }
        assert_eq!(status(299), "other");
    }

    #[test]
    fn what_is_not_allowed_is_no_failed_attempt() {
        assert!(is_failed_attempt(Code::CredentialsInvalid));
        assert!(is_failed_attempt(Code::IpNotAllowed));
        assert!(is_failed_attempt(Code::CsrfFailed));
        assert!(!is_failed_attempt(Code::Forbidden));
        assert!(!is_failed_attempt(Code::PlanUpgradeRequired));
        assert!(!is_failed_attempt(Code::Validation));
        assert!(!is_failed_attempt(Code::Unavailable));
    }
}
