//! Periodic tasks: one table of them, a lease each, and a bounded piece of work per tick.

mod cleanup;
mod routes;
mod store;
mod tick;

pub use cleanup::{POLICIES, Policy};
pub use routes::Scheduler;
pub(crate) use store::{TaskRow, tasks_seen};
pub use tick::on_cron;

/// Every statement of the scheduler.
pub(crate) static QUERIES: [&[&crate::sql::Query]; 2] = [store::QUERIES, cleanup::QUERIES];
