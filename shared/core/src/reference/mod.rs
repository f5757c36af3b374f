//! The API's own description: a function of its own, because it is larger than what serves it.

mod documents;
mod routes;

pub use routes::Reference;
