//! Probes for orchestrators and people.

mod checks;
mod routes;

pub(crate) use checks::QUERIES;
pub use routes::Health;
