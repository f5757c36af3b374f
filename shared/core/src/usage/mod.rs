//! Usage metering: events in, totals out, quotas in between.

mod event;
mod ingest;
mod routes;
mod store;
mod summary;

pub use routes::Usage;
pub(crate) use store::QUERIES;
