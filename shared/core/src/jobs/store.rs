//! The rows of jobs and the statements that move them.

use crate::port::DatabaseError;
use crate::sql::Row;
use crate::tenancy::TenantId;

/// When a job of the tenant was last worked on; NULL for never. A tenant has few jobs ([`SUBMIT`]).
macro_rules! served {
    () => {
        "(SELECT MAX(r.updated_at) FROM jobs r WHERE r.tenant_id = j.tenant_id AND r.fence > 0)"
    };
}

crate::queries! {
    /// `?1` tenant. Jobs it has, and those of them that are not finished.
    ROOM: TenantQuery = "jobs.room", "
        SELECT COUNT(*) AS kept, COUNT(CASE WHEN finished_at IS NULL THEN 1 END) AS unfinished
        FROM jobs WHERE tenant_id = ?1";
    /// `?1` tenant, `?2` id, `?3` user, `?4` kind, `?5` params, `?6` now, `?7` most kept, `?8` most
    /// unfinished. Without room the state is NULL, which breaks the column's rule on purpose: it
    /// takes the whole batch with it, the claim of the idempotency key too.
    SUBMIT: TenantQuery = "jobs.submit", "
        INSERT INTO jobs (tenant_id, id, user_id, kind, params, state, leased_until, created_at, updated_at)
        SELECT ?1, ?2, ?3, ?4, ?5,
            CASE WHEN n.kept < ?7 AND n.unfinished < ?8 THEN 'queued' END, ?6, ?6, ?6
        FROM (SELECT COUNT(*) AS kept,
                COUNT(CASE WHEN finished_at IS NULL THEN 1 END) AS unfinished
            FROM jobs WHERE tenant_id = ?1) n";
    /// `?1` tenant, `?2` id.
    GET: TenantQuery = "jobs.get", "
        SELECT id, kind, state, parts, attempts, error, created_at, updated_at, finished_at, user_id
        FROM jobs WHERE tenant_id = ?1 AND id = ?2";
    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most, `?5` the user who asks,
    /// or NULL and `?6` their API key, `?7` to `?10` the roles that see colleagues' jobs, `?11` bit of
    /// the permission. The same rule as in guard/policy.rs, because a page is counted before Rust has judged.
    LIST: TenantQuery = "jobs.list", concat!("
        SELECT id, kind, state, parts, attempts, error, created_at, updated_at, finished_at
        FROM jobs WHERE tenant_id = ?1 AND (created_at, id) < (?2, ?3)
            AND (user_id = COALESCE(CAST(?5 AS TEXT), (SELECT k.user_id FROM api_keys k WHERE k.id = ?6))
                OR EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = ?1
                    AND ", crate::member_holds!("?7", "?8", "?9", "?10", "?11"), " AND m.user_id =
                        COALESCE(CAST(?5 AS TEXT), (SELECT k.user_id FROM api_keys k WHERE k.id = ?6))))
        ORDER BY created_at DESC, id DESC LIMIT ?4");
    /// `?1` tenant, `?2` job, `?3` first part, `?4` part after the last.
    PARTS: TenantQuery = "jobs.parts", "
        SELECT body FROM job_parts
        WHERE tenant_id = ?1 AND job_id = ?2 AND part >= ?3 AND part < ?4 ORDER BY part";
    /// `?1` now, `?2` most. One job per tenant, the oldest, by how long the tenant has waited for
    /// its turn: since its last job was worked on, or since one is due, whichever is later. So a
    /// tenant that was served goes behind all that wait, however old its other jobs are.
    DUE: SystemQuery = "jobs.due", concat!("
        SELECT MIN(j.id) FROM jobs j WHERE j.finished_at IS NULL AND j.leased_until <= ?1
        GROUP BY j.tenant_id
        ORDER BY CASE WHEN ", served!(), " > MIN(j.leased_until) THEN ", served!(), "
            ELSE MIN(j.leased_until) END, MIN(j.id) LIMIT ?2");
    /// `?1` id, `?2` now, `?3` end of the lease.
    LEASE: SystemQuery = "jobs.lease", "
        UPDATE jobs SET state = 'running', fence = fence + 1, attempts = attempts + 1,
            leased_until = ?3, updated_at = ?2
        WHERE id = ?1 AND finished_at IS NULL AND leased_until <= ?2
        RETURNING tenant_id, id, kind, params, checkpoint, parts, fence, attempts";
    /// `?1` tenant, `?2` id, `?3` fence, `?4` number of the part, `?5` body: only after
    /// [`CHECKPOINT`] in the same batch, which whoever lost the lease did not write.
    PUT_PART: TenantQuery = "jobs.put_part", "
        INSERT INTO job_parts (tenant_id, job_id, part, body)
        SELECT ?1, id, ?4, ?5 FROM jobs
        WHERE tenant_id = ?1 AND id = ?2 AND fence = ?3 AND parts - 1 = ?4
            AND finished_at IS NULL
        ON CONFLICT (job_id, part) DO UPDATE SET body = excluded.body";
    /// `?1` tenant, `?2` id, `?3` fence, `?4` checkpoint, `?5` parts, `?6` lease, `?7` now. It locks
    /// the row, so it comes before what it vouches for.
    CHECKPOINT: TenantQuery = "jobs.checkpoint", "
        UPDATE jobs SET checkpoint = ?4, parts = ?5, leased_until = ?6, updated_at = ?7
        WHERE tenant_id = ?1 AND id = ?2 AND fence = ?3 AND finished_at IS NULL RETURNING id";
    /// `?1` tenant, `?2` id, `?3` fence, `?4` state, `?5` error, `?6` now.
    FINISH: TenantQuery = "jobs.finish", "
        UPDATE jobs SET state = ?4, error = ?5, finished_at = ?6, updated_at = ?6,
            parts = CASE WHEN ?4 = 'failed' THEN 0 ELSE parts END
        WHERE tenant_id = ?1 AND id = ?2 AND fence = ?3 AND finished_at IS NULL RETURNING id";
    /// `?1` tenant, `?2` id, `?3` fence: a job that failed keeps nothing.
    DROP_PARTS: TenantQuery = "jobs.drop_parts", "
        DELETE FROM job_parts WHERE tenant_id = ?1 AND job_id = (SELECT id FROM jobs
            WHERE tenant_id = ?1 AND id = ?2 AND fence = ?3 AND state = 'failed')";
    /// `?1` tenant, `?2` id, `?3` fence, `?4` when it is due again, `?5` error, `?6` now.
    /// Giving a lease back does not count as an attempt unless there was an error.
    GIVE_BACK: TenantQuery = "jobs.give_back", "
        UPDATE jobs SET state = 'queued', leased_until = ?4, error = ?5, updated_at = ?6,
            attempts = CASE WHEN CAST(?5 AS TEXT) IS NULL THEN attempts - 1 ELSE attempts END
        WHERE tenant_id = ?1 AND id = ?2 AND fence = ?3 AND finished_at IS NULL RETURNING id";
    /// `?1` tenant, `?2` from, `?3` to, `?4`–`?6` the event after which to go on, `?7` most.
    EVENTS: TenantQuery = "jobs.export_events", "
        SELECT source, event_id, meter, quantity, subject, occurred_at, received_at,
            properties, corrects
        FROM usage_events
        WHERE tenant_id = ?1 AND occurred_at >= ?2 AND occurred_at < ?3
            AND (occurred_at, source, event_id) > (?4, ?5, ?6)
        ORDER BY occurred_at, source, event_id LIMIT ?7";
}

/// A job that this run holds the lease of ([`LEASE`]).
#[derive(Debug)]
pub(super) struct Leased {
    pub(super) tenant: TenantId,
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) params: String,
    pub(super) checkpoint: Option<String>,
    pub(super) parts: i64,
    pub(super) fence: i64,
    pub(super) attempts: i64,
}

impl Leased {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            tenant: TenantId::proven(row.text(0)?),
            id: row.text(1)?.to_owned(),
            kind: row.text(2)?.to_owned(),
            params: row.text(3)?.to_owned(),
            checkpoint: row.opt_text(4)?.map(str::to_owned),
            parts: row.int(5)?,
            fence: row.int(6)?,
            attempts: row.int(7)?,
        })
    }
}
