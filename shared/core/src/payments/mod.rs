//! Payments of single sums (docs/payments.md): a member pays for a product through a `PaymentIntent` of
//! Stripe's.
//!
//! The row is there before Stripe is asked for anything, and everything that is asked for carries a key
//! that follows from the row's id. So whatever stops in between, whoever comes next goes on with the same
//! payment and the same `PaymentIntent`. What was paid is known by Stripe's word alone: a webhook, or the
//! scheduler that asks where one was missed (`settle`).

mod cancel;
mod change;
mod create;
mod machine;
mod model;
mod products;
mod read;
mod reconcile;
mod routes;
mod settle;
mod store;

pub use machine::{LEGAL, STATES};
pub(crate) use model::Known;
pub(crate) use reconcile::reconcile;
pub use routes::Payments;
pub(crate) use settle::{find, fits, refund_failed, refunded, settle};
pub(crate) use store::QUERIES;
