//! API keys: how they look, what they may, and what is done with them.

pub mod key;
mod model;
pub(crate) mod network;
mod reroll;
mod service;
mod store;
pub(crate) mod uses;

pub(super) use reroll::reroll;
pub(super) use service::{create, delete, get, list, revoke};
pub(super) use store::QUERIES;
