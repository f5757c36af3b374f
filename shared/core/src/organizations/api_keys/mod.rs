//! API keys: how they look, and what is done with them.

pub mod key;
mod service;
mod store;

pub(super) use service::{create, list, revoke};
pub(super) use store::QUERIES;
