//! Roles: the registry of the four, and those that a tenant makes.

mod registry;
mod service;
mod store;
mod wanted;

pub(super) use registry::list;
pub(super) use service::{change, create, delete};
pub(super) use store::{NAMED, QUERIES};
pub(super) use wanted::{may_grant, wanted};
