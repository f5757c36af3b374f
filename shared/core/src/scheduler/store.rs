//! The rows of tasks.

use crate::port::DatabaseError;
use crate::sql::{Row, Statement};

crate::queries! {
    /// `?1` name, `?2` now, `?3` end of the lease, `?4` token of the lease, `?5` due by then (now,
    /// or the end of time to force a run). A row comes back for the one who runs the task.
    LEASE: SystemQuery = "scheduler.lease", "
        INSERT INTO scheduler_tasks (name, leased_until, lease_token, next_at, last_started_at)
        VALUES (?1, ?3, ?4, ?2, ?2)
        ON CONFLICT (name) DO UPDATE SET leased_until = excluded.leased_until,
            lease_token = excluded.lease_token, last_started_at = excluded.last_started_at
        WHERE scheduler_tasks.leased_until <= ?2 AND scheduler_tasks.next_at <= ?5
        RETURNING name";
    /// `?1` name, `?2` token, `?3` now, `?4` next, `?5` outcome.
    FINISH: SystemQuery = "scheduler.finish", "
        UPDATE scheduler_tasks SET leased_until = 0, last_finished_at = ?3, next_at = ?4,
            last_outcome = ?5, runs = runs + 1
        WHERE name = ?1 AND lease_token = ?2";
    /// All tasks that ever ran.
    TASKS_SEEN: SystemQuery = "scheduler.tasks", "
        SELECT name, next_at, last_started_at, last_finished_at, last_outcome, runs
        FROM scheduler_tasks ORDER BY name";
}

/// The statement whose rows are [`TaskRow`]s.
pub(crate) fn tasks_seen() -> Statement {
    TASKS_SEEN.bind([])
}

/// A task as it is shown ([`TASKS_SEEN`]).
pub(crate) struct TaskRow {
    pub(crate) name: String,
    pub(super) next_at: i64,
    pub(super) last_started_at: Option<i64>,
    pub(crate) last_finished_at: Option<i64>,
    pub(super) last_outcome: Option<String>,
    pub(crate) runs: i64,
}

impl TaskRow {
    pub(crate) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            name: row.text(0)?.to_owned(),
            next_at: row.int(1)?,
            last_started_at: row.opt_int(2)?,
            last_finished_at: row.opt_int(3)?,
            last_outcome: row.opt_text(4)?.map(str::to_owned),
            runs: row.int(5)?,
        })
    }
}
