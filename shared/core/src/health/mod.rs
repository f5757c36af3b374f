//! Probes for orchestrators and people, and the API's own description.

mod checks;
mod routes;

pub(crate) use checks::QUERIES;
pub use routes::Health;
