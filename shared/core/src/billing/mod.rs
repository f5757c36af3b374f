//! Plans and the tenant's subscription.

mod limits;
mod routes;
mod service;
mod store;

pub use routes::Billing;
pub(crate) use store::QUERIES;
