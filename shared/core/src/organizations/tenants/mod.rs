//! The organisations themselves: one's own, the current one, and new ones.

mod service;
mod store;

pub(super) use service::{create, current, list, rename};
pub(super) use store::{INSERT_FOUNDER, QUERIES, RECORD_CREATED};
