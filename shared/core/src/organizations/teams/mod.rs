//! Teams: groups of members within an organisation. A team gives no right by itself; it says who
//! works together, and rules about one resource may ask for it (guard/policy.rs).

mod members;
mod service;
mod store;

pub(super) use members::{add, list as list_members, remove};
pub(super) use service::{create, delete, get, list, rename};
pub(super) use store::QUERIES;
