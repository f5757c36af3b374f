//! Events from Stripe: verified, kept once, applied once.

pub mod client;
mod event;
mod form;
mod money;
mod overdue;
pub mod payment;
mod reconcile;
mod routes;
mod signature;
mod store;
mod subject;
mod target;
mod webhook;

pub use event::API_VERSION;
pub use form::Form;
pub(crate) use overdue::lapse;
pub(crate) use reconcile::reconcile;
pub use routes::StripeWebhook;
pub use signature::sign;
pub(crate) use store::QUERIES;
