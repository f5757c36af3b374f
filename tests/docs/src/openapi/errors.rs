//! Which errors an operation can answer: those that its route's table implies, and its own.

use edgekeep_core::config::Feature;
use edgekeep_core::guard::rate_limit::{Limits, RateClass};
use edgekeep_core::http::{Access, Code, Idempotency, Method, RouteInfo};

/// How often a caller may ask, by policy; nothing for as often as they like.
pub(crate) fn limits(class: RateClass) -> Vec<(&'static str, u32)> {
    let all = class.policies().iter();
    all.map(|policy| (policy.name(), Limits::default().of(*policy).limit))
        .collect()
}

/// Whatever the route.
pub(crate) const ANY: [Code; 4] = [
    Code::UnsupportedVersion,
    Code::Internal,
    Code::Unavailable,
    Code::NotConfigured,
];
/// Where requests carry something.
pub(crate) const WRITING: [Code; 4] = [
    Code::Validation,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
];
pub(crate) const MEMBER: [Code; 7] = [
    Code::AuthRequired,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::SessionEnded,
    Code::ApiKeyInvalid,
    Code::Forbidden,
    Code::MfaRequired,
];
pub(crate) const KEY: [Code; 5] = [
    Code::AuthRequired,
    Code::ApiKeyInvalid,
    Code::Forbidden,
    Code::ScopeMissing,
    Code::IpNotAllowed,
];
pub(crate) const SERVICE: [Code; 5] = [
    Code::AuthRequired,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::ApiKeyInvalid,
    Code::Forbidden,
];
pub(crate) const IDEMPOTENT: [Code; 3] = [
    Code::IdempotencyKeyInvalid,
    Code::IdempotencyKeyReused,
    Code::IdempotencyInProgress,
];

/// What `http/serve.rs` can answer before and after the handler.
pub(crate) fn implied(route: &RouteInfo, has_body: bool) -> Vec<Code> {
    let mut all = ANY.to_vec();
    if !route.needs_config {
        all.retain(|code| *code != Code::NotConfigured);
    }
    all.extend(route.feature.map(Feature::refusal));
    if !limits(route.rate).is_empty() {
        all.push(Code::RateLimited);
    }
    if route.method != Method::Get {
        all.extend(WRITING);
    }
    if has_body {
        all.push(Code::InvalidJson);
    }
    match route.access {
        Access::Public | Access::Signed => {}
        Access::Development => all.push(Code::RouteNotFound),
        Access::Member(_) => all.extend(MEMBER),
        Access::Key(..) => all.extend(KEY),
        Access::MemberOrKey(..) => all.extend([&MEMBER[..], &KEY[..]].concat()),
        Access::Service | Access::Scraper => all.extend(SERVICE),
    }
    let cookies = matches!(route.access, Access::Member(_) | Access::MemberOrKey(..));
    if cookies && route.method != Method::Get {
        all.push(Code::CsrfFailed);
    }
    if route.plan.is_some() {
        all.push(Code::PlanUpgradeRequired);
    }
    if route.idempotency != Idempotency::None {
        all.extend(IDEMPOTENT);
    }
    if route.idempotency == Idempotency::Required {
        all.push(Code::IdempotencyKeyMissing);
    }
    all
}

/// The code of that name.
pub(crate) fn by_name(name: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.name() == name)
}

/// In the order of the registry, each once.
pub(crate) fn sorted(codes: &[Code]) -> Vec<Code> {
    // What a plan lacks or has used up, it may lack because a trial has expired.
    let of_plan = [Code::QuotaExceeded, Code::PlanUpgradeRequired];
    let trial = codes.iter().any(|code| of_plan.contains(code));
    let holds = |code: &Code| codes.contains(code) || (trial && *code == Code::TrialExpired);
    Code::ALL.iter().copied().filter(holds).collect()
}

/// The name of the shared answer for a status.
pub(crate) fn response_name(status: u16) -> &'static str {
    match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        402 => "PaymentRequired",
        403 => "Forbidden",
        404 => "NotFound",
        408 => "RequestTimeout",
        409 => "Conflict",
        412 => "PreconditionFailed",
        413 => "ContentTooLarge",
        415 => "UnsupportedMediaType",
        428 => "PreconditionRequired",
        429 => "TooManyRequests",
        500 => "InternalError",
        504 => "GatewayTimeout",
        _ => "Unavailable",
    }
}
