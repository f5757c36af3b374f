//! What is counted: every family of counters, with its labels, in one table.

use crate::guard::rate_limit::Policy;
use crate::http::database;
use crate::key_value;
use crate::mail::Template;
use crate::outbound::TARGETS;

/// A family of counters.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// Names of its labels, in the order of the values.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

/// Most labels of a family.
const MAX_LABELS: usize = 3;

/// One counter of a family. Its values are texts of the program (`&'static str`), so there are as
/// many as the program has, and none is of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    name: &'static str,
    values: [&'static str; MAX_LABELS],
}

impl Series {
    /// The family's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The values with blanks between them, as they are stored. No value has a blank or is empty.
    pub fn labels(&self) -> String {
        let given = self.values.iter().filter(|value| !value.is_empty());
        given.copied().collect::<Vec<_>>().join(" ")
    }
}

/// At most [`MAX_LABELS`] values; a family with more does not compile its tests.
const fn padded(values: &[&'static str]) -> [&'static str; MAX_LABELS] {
    match *values {
        [] => ["", "", ""],
        [first] => [first, "", ""],
        [first, second] => [first, second, ""],
        [first, second, third, ..] => [first, second, third],
    }
}

macro_rules! families {
    (@label type_) => { "type" };
    (@label $label:ident) => { stringify!($label) };
    ($( $id:ident($($label:ident),*) = $name:literal, $help:literal; )*) => {
        /// Every family, in the order of the page.
        pub static FAMILIES: &[Family] = &[$(
            Family { name: $name, labels: &[$(families!(@label $label)),*], help: $help }
        ),*];

        $(
            #[doc = concat!("One of `", $name, "`.")]
            pub(crate) const fn $id($($label: &'static str),*) -> Series {
                Series { name: $name, values: padded(&[$($label),*]) }
            }
        )*
    };
}

families! {
    http_requests(route, method, status) = "http_requests_total",
        "Requests by route, method and status; unmatched is every path that is no route.";
    http_duration(route, le) = "http_request_duration_seconds",
        "Time from the first byte of a request's head to its answer.";
    outbound_requests(target, outcome) = "outbound_requests_total",
        "Requests to other services, each attempt: success, refused (4xx), failure (5xx, unreachable) or timeout.";
    outbound_duration(target, le) = "outbound_request_duration_seconds",
        "Time until another service answered or was given up, with all attempts.";
    cache_requests(cache, result) = "cache_requests_total",
        "Documents asked for: hit (this instance), waited (for a request beside), shared (key-value store), miss, limited or failure.";
    cache_invalidations(cache) = "cache_invalidations_total",
        "Documents that seemed old and were looked for anew.";
    cache_evictions(cache) = "cache_evictions_total",
        "Documents that had to make room for others.";
    breaker_transitions(dependency, state) = "circuit_breaker_transitions_total",
        "Circuit breakers that opened (a probe that failed opens again), sent a probe (half_open) or closed.";
    breaker_rejections(dependency) = "circuit_breaker_rejections_total",
        "Calls that were not made because the breaker was open.";
    auth_attempts(method, result) = "auth_attempts_total",
        "Credentials presented and sign-ins tried; result is success, mfa_required or an error code.";
    service_auth_attempts(result) = "service_auth_attempts_total",
        "Calls of routes for services: success or failure.";
    auth_bypass_detected() = "auth_bypass_detected_total",
        "Answers that were withheld because nobody had judged the caller. Any is a bug: page somebody.";
    breach_check_errors() = "breach_check_errors_total",
        "Passwords for which Have I Been Pwned could not be asked.";
    rate_limited(route, code) = "rate_limited_total",
        "Requests refused by a rate limit, a lockout, a quota or the limit of jobs.";
    rate_limit_hits(policy, outcome) = "rate_limit_hits_total",
        "Requests over a limit, by the limit's name: refused, or passed because they had written before it was known.";
    ratelimit_store_errors() = "ratelimit_store_errors_total",
        "Key-value calls of the general limit that failed; meanwhile each instance counts alone.";
    rate_limits_unsound() = "rate_limits_unsound_total",
        "Pairs of limits in the database that could not be read, with each request; there the level above holds.";
    abuse_suspected(kind) = "abuse_suspected_total",
        "Sources that got too many refusals within a minute, counted once: keys, credentials or paths that there are not.";
    idempotency_requests(outcome) = "idempotency_requests_total",
        "Requests with an Idempotency-Key: new, replay, conflict or in_progress.";
    usage_recording_attempts(result) = "usage_recording_attempts_total",
        "Requests with usage events: success, refused (the client's mistake, or its quota) or failure (ours).";
    usage_logs_dropped() = "usage_logs_dropped_total",
        "Requests whose row was lost because an instance had too many that it could not write.";
    quota_thresholds(percent) = "quota_thresholds_total",
        "Tenants that used 80 or 100 % of a month's quota, each counted once.";
    emails(template, result) = "emails_total",
        "Mails queued, sent, failed (an attempt that will be repeated) and given_up.";
    stripe_webhook_events(type_, result) = "stripe_webhook_events_total",
        "Events of Stripe; result is applied, ignored, duplicate or an error code.";
    stripe_webhook_processing(route, le) = "stripe_webhook_processing_seconds",
        "Time that deliveries of Stripe's events took: the series of their route in http_request_duration_seconds.";
    outbox_events(topic, result) = "outbox_events_total",
        "Events of the outbox: relayed, or failed (an attempt that will be repeated).";
    invoices(state) = "invoices_total",
        "Invoices made of usage, and what became of them: made, paid, uncollectible or void.";
    payments(result) = "payments_total",
        "Payments that became paid, confirmed, completed, payment_failed or cancelled, and that were refunded.";
    jobs(kind, state) = "jobs_total",
        "Jobs queued, completed, failed, and runs that retried after an error.";
    scheduler_tasks(task, result) = "scheduler_tasks_total",
        "Runs of the scheduler's tasks: success or failure.";
    db_errors(kind) = "db_errors_total",
        "Database calls that failed: unavailable, busy, refused or shape.";
    kv_errors(operation) = "kv_errors_total",
        "Key-value calls that failed; each only costs time.";
}

/// Everything behind a circuit breaker.
pub(super) fn dependencies() -> impl Iterator<Item = &'static str> {
    let targets = TARGETS.iter().map(|target| target.name);
    targets.chain([key_value::NAME, database::NAME])
}

/// Series that are shown as 0 before they count: of one that appears with its first failure, no
/// rise would be seen.
pub(super) fn from_the_start() -> Vec<Series> {
    let mut all = vec![
        auth_bypass_detected(),
        breach_check_errors(),
        ratelimit_store_errors(),
        rate_limits_unsound(),
        usage_logs_dropped(),
    ];
    all.extend(["keys", "credentials", "paths"].map(abuse_suspected));
    for policy in Policy::ALL {
        all.push(rate_limit_hits(policy.name(), "refused"));
    }
    all.extend(["success", "failure"].map(service_auth_attempts));
    all.extend(["success", "refused", "failure"].map(usage_recording_attempts));
    all.extend(["new", "replay", "conflict", "in_progress"].map(idempotency_requests));
    all.extend(["made", "paid", "uncollectible", "void"].map(invoices));
    let ends = [
        "paid",
        "confirmed",
        "completed",
        "payment_failed",
        "cancelled",
        "refunded",
    ];
    all.extend(ends.map(payments));
    all.extend(["unavailable", "busy", "refused", "shape"].map(db_errors));
    all.extend(["get", "put", "add", "sweep"].map(kv_errors));
    for dependency in dependencies() {
        all.push(breaker_transitions(dependency, "open"));
        all.push(breaker_rejections(dependency));
    }
    for template in Template::ALL {
        let name = template.name();
        let of = |result| emails(name, result);
        all.extend(["queued", "sent", "failed", "given_up"].map(of));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: O-12 O-17
    #[test]
    fn names_follow_the_conventions() {
        let mut seen = std::collections::BTreeSet::new();
        for family in FAMILIES {
            let plain = |text: &str| {
                text.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            };
            assert!(
                plain(family.name) && seen.insert(family.name),
                "{}",
                family.name
            );
            let histogram = family.labels.contains(&"le");
            let unit = if histogram { "_seconds" } else { "_total" };
            assert!(family.name.ends_with(unit), "{}", family.name);
            assert!(family.labels.len() <= MAX_LABELS, "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
    }

    #[test]
    fn values_are_stored_with_blanks_between_them() {
        let series = http_requests("auth.login", "POST", "200");
        assert_eq!(
            (series.name(), series.labels()),
            ("http_requests_total", "auth.login POST 200".to_owned())
        );
        assert_eq!(auth_bypass_detected().labels(), "");
    }
}
