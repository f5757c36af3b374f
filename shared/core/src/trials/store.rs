//! The tenant's columns of its trial.

use crate::port::DatabaseError;
use crate::sql::Row;
use crate::time::Millis;

/// The plan of the tenant's subscription that gives access, or NULL.
macro_rules! paid {
    () => {
        concat!(
            "(SELECT s.plan_id FROM subscriptions s WHERE s.tenant_id = tenants.id
            AND ",
            crate::gives_access!("s"),
            "
            ORDER BY s.version_at DESC, s.id LIMIT 1)"
        )
    };
}

crate::queries! {
    /// Of a tenant that was just made with a trial.
    PUBLISH_STARTED: TenantQuery = "trials.publish_started", crate::publish_where!("
        FROM tenants WHERE id = ?1 AND trial_stage = 'started'
            AND trial_started_at = CAST(?6 AS BIGINT)");
    /// `?1` stage, `?2` moment until which it is due, `?3` most.
    DUE: SystemQuery = "trials.due", concat!("
        SELECT id, epoch, trial_stage, trial_ends_at, trial_plan, ", paid!(), " AS pays
        FROM tenants WHERE trial_stage = ?1 AND trial_ends_at <= ?2 AND deleted_at IS NULL
        ORDER BY trial_ends_at LIMIT ?3");
    /// `?1` tenant, `?2` its epoch as it was read, `?3` stage it is in, `?4` the next one, `?5` event.
    REMIND: SystemQuery = "trials.remind", "
        UPDATE tenants SET trial_stage = ?4, trial_event = ?5
        WHERE id = ?1 AND epoch = ?2 AND trial_stage = ?3 RETURNING id";
    /// The same, `?6` now. Whoever changed the plan meanwhile counted up the epoch, and then the next
    /// run judges anew. A plan that somebody gave by hand stays.
    END: SystemQuery = "trials.end", concat!("
        UPDATE tenants SET trial_stage = ?4, trial_event = ?5,
            plan_id = CASE WHEN plan_id = trial_plan THEN COALESCE(", paid!(), ", 'FREE')
                ELSE plan_id END,
            epoch = epoch + 1, updated_at = ?6
        WHERE id = ?1 AND epoch = ?2 AND trial_stage = ?3 RETURNING id");
    /// A step that its batch has just made.
    PUBLISH_STEP: TenantQuery = "trials.publish_step", crate::publish_where!("
        FROM tenants WHERE id = ?1 AND trial_event = ?2");
    /// `?1` tenant. A row for one that had or has a trial.
    OWN: TenantQuery = "trials.own", "
        SELECT trial_plan, trial_started_at, trial_ends_at, trial_stage
        FROM tenants WHERE id = ?1 AND trial_stage IS NOT NULL";
    /// `?1` id.
    FIND: SystemQuery = "trials.find",
        "SELECT id, trial_stage FROM tenants WHERE id = ?1 AND deleted_at IS NULL";
    /// `?1` tenant, `?2` the new end, `?3` event, `?4` now. A trial that has expired goes on.
    EXTEND: TenantQuery = "trials.extend", concat!("
        UPDATE tenants SET trial_stage = 'started', trial_ends_at = ?2, trial_event = ?3,
            plan_id = CASE WHEN plan_id IN ('FREE', trial_plan)
                THEN COALESCE(", paid!(), ", trial_plan) ELSE plan_id END,
            epoch = epoch + 1, updated_at = ?4
        WHERE tenants.id = ?1 AND deleted_at IS NULL
            AND trial_stage IN ('started', 'ending', 'last_day', 'expired')
        RETURNING trial_plan, trial_started_at, trial_ends_at, trial_stage");
    /// `?11` event: an extension that was just made.
    RECORD_EXTENDED: TenantQuery = "trials.record_extended", crate::record_where!("
        FROM tenants WHERE id = ?1 AND trial_event = ?11");
    /// `?1` now, `?2` tomorrow's first moment, `?3` that of the day after. Who pays is converted,
    /// whatever the stage; a trial whose end has come is expired, before the task has seen it too.
    STATS: SystemQuery = "trials.stats", concat!("
        SELECT COUNT(CASE WHEN n.state = 'active' THEN 1 END) AS active,
            COUNT(CASE WHEN n.state = 'active' AND n.ends < ?2 THEN 1 END) AS today,
            COUNT(CASE WHEN n.state = 'active' AND n.ends >= ?2 AND n.ends < ?3 THEN 1 END)
                AS tomorrow,
            COUNT(CASE WHEN n.state = 'expired' THEN 1 END) AS expired,
            COUNT(CASE WHEN n.state = 'converted' THEN 1 END) AS converted
        FROM (SELECT t.trial_ends_at AS ends,
                CASE WHEN t.trial_stage = 'converted' OR EXISTS (SELECT 1 FROM subscriptions s
                        WHERE s.tenant_id = t.id AND ", crate::gives_access!("s"), ")
                    THEN 'converted'
                WHEN t.trial_stage = 'expired' OR t.trial_ends_at <= ?1 THEN 'expired'
                ELSE 'active' END AS state
            FROM tenants t WHERE t.trial_stage IN ('started', 'ending', 'last_day', 'expired',
                'converted') AND t.deleted_at IS NULL) n");
    /// Mails about trials, by what became of them: labels and count.
    MAILS: SystemQuery = "trials.mails", "
        SELECT labels, value FROM metrics WHERE name = 'emails_total'";
}

/// A trial whose next stage has come ([`DUE`]).
#[derive(Debug)]
pub(super) struct Due {
    pub(super) tenant: String,
    pub(super) epoch: i64,
    pub(super) stage: String,
    pub(super) ends: Millis,
    pub(super) plan: String,
    pub(super) pays: bool,
}

impl Due {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            tenant: row.text(0)?.to_owned(),
            epoch: row.int(1)?,
            stage: row.text(2)?.to_owned(),
            ends: Millis(row.int(3)?),
            plan: row.text(4)?.to_owned(),
            pays: row.opt_text(5)?.is_some(),
        })
    }
}
