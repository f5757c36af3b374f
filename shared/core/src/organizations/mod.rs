//! Organisations: what belongs to a tenant as a whole.

pub mod api_keys;
mod routes;

pub use routes::Organizations;

pub(crate) const QUERIES: &[&[&crate::sql::Query]] = &[api_keys::QUERIES];
