//! What a tenant's members make and keep: projects and agents (docs/resources.md).
//!
//! One set of handlers serves every resource. A `model::Resource` says what is particular about
//! one: its columns, who may touch it, what it belongs to, its statements. A further resource is a
//! module like `projects` and a line in `routes`.

mod agents;
mod change;
mod create;
mod model;
mod projects;
mod read;
mod refusal;
mod routes;
mod store;
mod temp;

pub use routes::Resources;

/// Every statement of the resources.
pub(crate) const QUERIES: &[&[&crate::sql::Query]] =
    &[store::QUERIES, projects::QUERIES, agents::QUERIES];

/// What the scheduler deletes for good: `?1` moment, `?2` most.
pub(crate) mod sweep {
    pub(crate) use super::agents::PURGE as AGENTS;
    pub(crate) use super::projects::PURGE as PROJECTS;
    pub(crate) use super::store::EXPIRE_TEMP as TEMP_IDS;
}
