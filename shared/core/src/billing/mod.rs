//! Plans and the tenant's subscription.

mod change;
mod checkout;
mod limits;
mod routes;
mod service;
mod store;
mod stripe;

pub use routes::Billing;
pub(crate) use store::QUERIES;
