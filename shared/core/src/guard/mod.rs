//! What stands between the internet and the handlers.

pub mod abuse;
pub(crate) mod breaker;
pub mod client;
pub mod exact_limit;
pub mod idempotency;
pub mod identity;
pub mod lockout;
pub mod policy;
pub mod rate_limit;
