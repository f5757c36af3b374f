//! Events from Stripe: verified, kept once, applied once.

pub mod client;
mod event;
mod form;
mod money;
mod overdue;
pub mod payment;
mod reconcile;
mod routes;
mod setup;
mod signature;
mod store;
mod subject;
mod target;
mod webhook;

pub use event::{API_VERSION, TYPES};
pub use form::Form;
pub(crate) use overdue::lapse;
pub(crate) use reconcile::reconcile;
pub use routes::StripeWebhook;
pub use setup::{Report, set_up};
pub use signature::sign;
pub(crate) use store::QUERIES;
