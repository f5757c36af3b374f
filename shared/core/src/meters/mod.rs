//! Usage metering, the way out: totals, meters and their queries, and what is left of the quota.

mod definition;
mod entitlements;
mod history;
mod query;
mod requests;
mod reservations;
mod routes;
mod store;
mod summary;
mod tick;
mod window;
pub mod zone;

pub(crate) use requests::QUERIES as REQUESTS;
pub use routes::Meters;
pub(crate) use store::QUERIES;
pub(crate) use tick::tick;
