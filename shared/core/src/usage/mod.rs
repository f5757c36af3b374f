//! Usage metering, the way in: events that are counted once, against the quota.

pub(crate) mod event;
pub(crate) mod ingest;
mod list;
pub(crate) mod quota;
mod routes;
pub(crate) mod store;

pub use routes::Usage;
pub(crate) use store::QUERIES;
