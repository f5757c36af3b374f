//! Deleting what has expired, in bounded batches.

use crate::http::{Context, Error};
use crate::port::Platform;
use crate::resources::sweep;
use crate::sql::{Statement, SystemQuery};
use crate::time::DAY;

/// Rows deleted by one statement.
const BATCH: i64 = 500;
/// Statements per table and tick; what is left waits for the next tick.
const ROUNDS: u32 = 10;

// Each says its condition twice. PostgreSQL waits for a row that another transaction is changing
// and then looks at the outer condition again, but not at what is inside `IN`: with the inner one
// alone it would delete what has just been renewed.
crate::queries! {
    /// `?1` moment, `?2` most.
    SESSIONS: SystemQuery = "cleanup.sessions", "
        DELETE FROM sessions WHERE id IN
            (SELECT id FROM sessions WHERE expires_at <= ?1 LIMIT ?2)
            AND expires_at <= ?1 RETURNING 1";
    /// Links that were never opened; the account stays and can ask for a new one.
    LINKS: SystemQuery = "cleanup.verification_links", "
        UPDATE users SET email_verification_hash = NULL, email_verification_expires_at = NULL
        WHERE id IN (SELECT id FROM users WHERE email_verification_expires_at <= ?1 LIMIT ?2)
            AND email_verification_expires_at <= ?1
        RETURNING 1";
    /// Changes of address that one of the two did not agree to in time.
    EMAIL_CHANGES: SystemQuery = "cleanup.email_changes", "
        DELETE FROM email_changes WHERE user_id IN
            (SELECT user_id FROM email_changes WHERE expires_at <= ?1 LIMIT ?2)
            AND expires_at <= ?1 RETURNING 1";
    /// Accounts whose address nobody confirmed, with their tenants. They are marked first, by
    /// the moment itself, so that a registration at the same time waits for the end of the batch
    /// and then finds either a whole account or none.
    MARK_UNVERIFIED: SystemQuery = "cleanup.mark_unverified", "
        UPDATE users SET disabled_at = ?1 WHERE id IN
            (SELECT id FROM users WHERE email_verified_at IS NULL AND updated_at <= ?1
                ORDER BY updated_at LIMIT ?2)
            AND email_verified_at IS NULL AND updated_at <= ?1";
    MARK_TENANTS: SystemQuery = "cleanup.mark_unverified_tenants", "
        UPDATE tenants SET deleted_at = ?1 WHERE id IN
            (SELECT m.tenant_id FROM users u JOIN memberships m ON m.user_id = u.id
                WHERE u.email_verified_at IS NULL AND u.updated_at <= ?1 AND u.disabled_at = ?1
                    AND NOT EXISTS (SELECT 1 FROM memberships o
                        WHERE o.tenant_id = m.tenant_id AND o.user_id <> m.user_id)
                LIMIT ?2)";
    UNVERIFIED_MEMBERSHIPS: SystemQuery = "cleanup.unverified_memberships", "
        DELETE FROM memberships WHERE user_id IN
            (SELECT id FROM users WHERE email_verified_at IS NULL AND updated_at <= ?1
                AND disabled_at = ?1 LIMIT ?2)";
    /// What was written of tenants that go.
    UNVERIFIED_EVENTS: SystemQuery = "cleanup.unverified_events", "
        DELETE FROM outbox WHERE tenant_id IN (SELECT t.id FROM tenants t WHERE t.deleted_at = ?1
            AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM audit_log a WHERE a.tenant_id = t.id) LIMIT ?2)";
    UNVERIFIED_TENANTS: SystemQuery = "cleanup.unverified_tenants", "
        DELETE FROM tenants WHERE id IN (SELECT t.id FROM tenants t WHERE t.deleted_at = ?1
            AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM audit_log a WHERE a.tenant_id = t.id) LIMIT ?2)";
    UNVERIFIED: SystemQuery = "cleanup.unverified", "
        DELETE FROM users WHERE id IN
            (SELECT id FROM users WHERE email_verified_at IS NULL AND updated_at <= ?1
                AND disabled_at = ?1 LIMIT ?2)
            AND email_verified_at IS NULL AND updated_at <= ?1 AND disabled_at = ?1 RETURNING 1";
    INVITATIONS: SystemQuery = "cleanup.invitations", "
        DELETE FROM invitations WHERE id IN
            (SELECT id FROM invitations WHERE expires_at <= ?1 LIMIT ?2)
            AND expires_at <= ?1 RETURNING 1";
    IDEMPOTENCY: SystemQuery = "cleanup.idempotency_keys", "
        DELETE FROM idempotency_keys WHERE id IN
            (SELECT id FROM idempotency_keys WHERE expires_at <= ?1 LIMIT ?2)
            AND expires_at <= ?1 RETURNING 1";
    LOCKOUTS: SystemQuery = "cleanup.failed_auth_attempts", "
        DELETE FROM failed_auth_attempts WHERE id IN
            (SELECT id FROM failed_auth_attempts WHERE expires_at <= ?1 LIMIT ?2)
            AND expires_at <= ?1 RETURNING 1";
    LIMITS: SystemQuery = "cleanup.exact_limits", "
        DELETE FROM exact_limits WHERE id IN
            (SELECT id FROM exact_limits WHERE window_ends_at <= ?1 LIMIT ?2)
            AND window_ends_at <= ?1 RETURNING 1";
    CHALLENGES: SystemQuery = "cleanup.mfa_challenges", "
        DELETE FROM mfa_challenges WHERE id IN
            (SELECT id FROM mfa_challenges WHERE expires_at <= ?1 LIMIT ?2)
            AND expires_at <= ?1 RETURNING 1";
    /// Second factors that were never confirmed.
    FACTORS: SystemQuery = "cleanup.mfa_unconfirmed", "
        DELETE FROM mfa_factors WHERE (user_id, kind) IN
            (SELECT user_id, kind FROM mfa_factors
                WHERE enabled_at IS NULL AND created_at <= ?1 LIMIT ?2)
            AND enabled_at IS NULL AND created_at <= ?1 RETURNING 1";
    /// Parts go with their job.
    JOBS: SystemQuery = "cleanup.jobs", "
        DELETE FROM jobs WHERE id IN
            (SELECT id FROM jobs WHERE finished_at <= ?1 LIMIT ?2)
            AND finished_at <= ?1 RETURNING 1";
    INBOX: SystemQuery = "cleanup.stripe_inbox", "
        DELETE FROM stripe_inbox WHERE id IN
            (SELECT id FROM stripe_inbox WHERE done_at <= ?1 LIMIT ?2)
            AND done_at <= ?1 RETURNING 1";
    RESERVATIONS: SystemQuery = "cleanup.usage_reservations", "
        DELETE FROM usage_reservations WHERE id IN
            (SELECT id FROM usage_reservations WHERE updated_at <= ?1 LIMIT ?2)
            AND updated_at <= ?1 AND state <> 'open' RETURNING 1";
    OUTBOX: SystemQuery = "cleanup.outbox", "
        DELETE FROM outbox WHERE id IN
            (SELECT id FROM outbox WHERE relayed_at <= ?1 LIMIT ?2)
            AND relayed_at <= ?1 RETURNING 1";
    TAKEN_IN: SystemQuery = "cleanup.inbox", "
        DELETE FROM inbox WHERE id IN
            (SELECT id FROM inbox WHERE expires_at <= ?1 LIMIT ?2)
            AND expires_at <= ?1 RETURNING 1";
    MAILS: SystemQuery = "cleanup.mails", "
        DELETE FROM mails WHERE id IN
            (SELECT id FROM mails WHERE created_at <= ?1 LIMIT ?2)
            AND created_at <= ?1 RETURNING 1";
    AI_LOGS: SystemQuery = "cleanup.ai_logs", "
        DELETE FROM ai_logs WHERE id IN
            (SELECT id FROM ai_logs WHERE created_at <= ?1 LIMIT ?2)
            AND created_at <= ?1 RETURNING 1";
    USAGE_LOGS: SystemQuery = "cleanup.usage_logs", "
        DELETE FROM usage_logs WHERE (started_at, id) IN
            (SELECT started_at, id FROM usage_logs WHERE started_at <= ?1 LIMIT ?2)
            AND started_at <= ?1 RETURNING 1";
}

/// How long something is kept.
#[derive(Debug)]
pub struct Policy {
    /// Name of the data.
    pub what: &'static str,
    /// Milliseconds it stays after its end.
    pub kept: i64,
    /// Run as one batch, each with `?1` moment and `?2` most; the rows of the last one are counted.
    pub queries: &'static [&'static SystemQuery],
}

/// All retention rules; docs show this table.
pub static POLICIES: &[Policy] = &[
    Policy {
        what: "sessions",
        kept: DAY,
        queries: &[&SESSIONS],
    },
    Policy {
        what: "verification_links",
        kept: 0,
        queries: &[&LINKS],
    },
    Policy {
        what: "email_changes",
        kept: 0,
        queries: &[&EMAIL_CHANGES],
    },
    Policy {
        what: "unverified_accounts",
        kept: 7 * DAY,
        queries: &[
            &MARK_UNVERIFIED,
            &MARK_TENANTS,
            &UNVERIFIED_MEMBERSHIPS,
            &UNVERIFIED_EVENTS,
            &UNVERIFIED_TENANTS,
            &UNVERIFIED,
        ],
    },
    Policy {
        what: "invitations",
        kept: 30 * DAY,
        queries: &[&INVITATIONS],
    },
    Policy {
        what: "idempotency_keys",
        kept: 0,
        queries: &[&IDEMPOTENCY],
    },
    Policy {
        what: "failed_auth_attempts",
        kept: 0,
        queries: &[&LOCKOUTS],
    },
    Policy {
        what: "exact_limits",
        kept: 0,
        queries: &[&LIMITS],
    },
    Policy {
        what: "mfa_challenges",
        kept: 0,
        queries: &[&CHALLENGES],
    },
    Policy {
        what: "mfa_unconfirmed",
        kept: DAY,
        queries: &[&FACTORS],
    },
    Policy {
        what: "temp_ids",
        kept: 0,
        queries: &[&sweep::TEMP_IDS],
    },
    Policy {
        what: "deleted_agents",
        kept: 30 * DAY,
        queries: &[&sweep::AGENTS],
    },
    // After the agents, which belong to them.
    Policy {
        what: "deleted_projects",
        kept: 30 * DAY,
        queries: &[&sweep::PROJECTS],
    },
    Policy {
        what: "jobs",
        kept: 7 * DAY,
        queries: &[&JOBS],
    },
    Policy {
        what: "stripe_inbox",
        kept: 30 * DAY,
        queries: &[&INBOX],
    },
    // No reservation lives for longer than a day, so none of these is open.
    Policy {
        what: "usage_reservations",
        kept: 30 * DAY,
        queries: &[&RESERVATIONS],
    },
    Policy {
        what: "outbox",
        kept: 30 * DAY,
        queries: &[&OUTBOX],
    },
    Policy {
        what: "inbox",
        kept: 0,
        queries: &[&TAKEN_IN],
    },
    Policy {
        what: "mails",
        kept: 30 * DAY,
        queries: &[&MAILS],
    },
    Policy {
        what: "ai_logs",
        kept: 90 * DAY,
        queries: &[&AI_LOGS],
    },
    Policy {
        what: "usage_logs",
        kept: 90 * DAY,
        queries: &[&USAGE_LOGS],
    },
];

/// Deletes by every policy; says what it deleted.
pub(super) async fn run<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let mut told = Vec::new();
    for policy in POLICIES {
        let end = cx.now.minus(policy.kept);
        let mut deleted: usize = 0;
        for _ in 0..ROUNDS {
            let queries = policy.queries.iter();
            let batch: Vec<Statement> = queries
                .map(|query| query.bind([end.into(), BATCH.into()]))
                .collect();
            let rows = cx.batch(&batch).await?;
            let count = rows.last().map_or(0, Vec::len);
            deleted = deleted.saturating_add(count);
            if i64::try_from(count).is_ok_and(|count| count < BATCH) {
                break;
            }
        }
        if deleted > 0 {
            told.push(format!("{}={deleted}", policy.what));
        }
    }
    Ok(if told.is_empty() {
        "nothing to delete".to_owned()
    } else {
        told.join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Dialect;

    #[test]
    fn every_policy_says_its_condition_outside_too() {
        for policy in POLICIES {
            let last = policy.queries.last().unwrap();
            let text = last.query().text(Dialect::Postgres);
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let (inside, outside) = text.split_once("LIMIT ?2)").unwrap();
            let condition = inside.rsplit_once("WHERE").unwrap().1.trim();
            assert!(outside.contains(condition), "{}: {text}", policy.what);
        }
    }
}
