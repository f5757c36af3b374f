//! Members: who is in an organisation, and as what.

mod service;
mod store;

pub(super) use service::{change, leave, list, remove};
pub(super) use store::QUERIES;
