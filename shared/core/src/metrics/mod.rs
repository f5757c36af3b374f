//! Counters that outlive an instance, and the page that shows them (docs/metrics.md).
//!
//! An instance counts in memory and adds what it counted to the table `metrics` with one statement,
//! after an answer and at most every [`Platform::GATHER`](crate::port::Platform::GATHER) milliseconds. The page
//! reads the table, so it shows all instances of all functions. Nothing here can fail a request, and
//! no label ever comes from one: [`Series`] takes texts of the program alone.

mod families;
mod gather;
mod histogram;
mod page;
mod store;
mod text;

pub use families::{FAMILIES, Family, Series};
pub use gather::{Metrics, count, write};
pub(crate) use page::scrape;
pub(crate) use store::QUERIES;

pub(crate) use families::{
    abuse_suspected, auth_attempts, auth_bypass_detected, breach_check_errors, breaker_rejections,
    breaker_transitions, cache_evictions, cache_invalidations, cache_requests, db_errors, emails,
    http_duration, http_requests, idempotency_requests, invoices, jobs, kv_errors,
    outbound_duration, outbound_requests, outbox_events, payments, quota_thresholds,
    rate_limit_hits, rate_limited, rate_limits_unsound, ratelimit_store_errors, scheduler_tasks,
    service_auth_attempts, stripe_webhook_events, usage_recording_attempts,
};
pub(crate) use gather::{add, track};
pub(crate) use histogram::bucket;
