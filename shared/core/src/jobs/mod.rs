//! Background jobs: submitted over HTTP, run outside the request.
//!
//! A job is a row with a lease. Whoever gets the lease gets a higher fence number, and every
//! write of a run asks for its own fence; so a worker that was thought dead cannot commit.

mod export;
mod routes;
mod run;
mod service;
mod store;

pub use routes::Jobs;
pub(crate) use run::run_due;
pub use run::{Wake, on_wake};
pub(crate) use store::QUERIES;
