//! Events from Stripe: verified, kept once, applied once.

mod event;
mod routes;
mod signature;
mod store;
mod target;
mod webhook;

pub use routes::StripeWebhook;
pub use signature::sign;
pub(crate) use store::QUERIES;
