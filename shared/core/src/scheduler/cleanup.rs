//! Deleting what has expired, in bounded batches.

use crate::http::{Context, Error};
use crate::port::Platform;
use crate::sql::SystemQuery;
use crate::time::DAY;

/// Rows deleted by one statement.
const BATCH: i64 = 500;
/// Statements per table and tick; what is left waits for the next tick.
const ROUNDS: u32 = 10;

crate::queries! {
    /// `?1` moment, `?2` most.
    SESSIONS: SystemQuery = "cleanup.sessions", "
        DELETE FROM sessions WHERE id IN
            (SELECT id FROM sessions WHERE expires_at <= ?1 LIMIT ?2) RETURNING 1";
    /// Links that were never opened; the account stays and can ask for a new one.
    LINKS: SystemQuery = "cleanup.verification_links", "
        UPDATE users SET email_verification_hash = NULL, email_verification_expires_at = NULL
        WHERE id IN (SELECT id FROM users WHERE email_verification_expires_at <= ?1 LIMIT ?2)
        RETURNING 1";
    INVITATIONS: SystemQuery = "cleanup.invitations", "
        DELETE FROM invitations WHERE id IN
            (SELECT id FROM invitations WHERE expires_at <= ?1 LIMIT ?2) RETURNING 1";
    IDEMPOTENCY: SystemQuery = "cleanup.idempotency_keys", "
        DELETE FROM idempotency_keys WHERE id IN
            (SELECT id FROM idempotency_keys WHERE expires_at <= ?1 LIMIT ?2) RETURNING 1";
    LIMITS: SystemQuery = "cleanup.exact_limits", "
        DELETE FROM exact_limits WHERE id IN
            (SELECT id FROM exact_limits WHERE window_ends_at <= ?1 LIMIT ?2) RETURNING 1";
    /// Parts go with their job.
    JOBS: SystemQuery = "cleanup.jobs", "
        DELETE FROM jobs WHERE id IN
            (SELECT id FROM jobs WHERE finished_at <= ?1 LIMIT ?2) RETURNING 1";
    INBOX: SystemQuery = "cleanup.stripe_inbox", "
        DELETE FROM stripe_inbox WHERE id IN
            (SELECT id FROM stripe_inbox WHERE done_at <= ?1 LIMIT ?2) RETURNING 1";
    MAILS: SystemQuery = "cleanup.mails", "
        DELETE FROM mails WHERE id IN
            (SELECT id FROM mails WHERE created_at <= ?1 LIMIT ?2) RETURNING 1";
    AI_LOGS: SystemQuery = "cleanup.ai_logs", "
        DELETE FROM ai_logs WHERE id IN
            (SELECT id FROM ai_logs WHERE created_at <= ?1 LIMIT ?2) RETURNING 1";
}

/// How long something is kept.
#[derive(Debug)]
pub struct Policy {
    /// Name of the data.
    pub what: &'static str,
    /// Milliseconds it stays after its end.
    pub kept: i64,
    query: &'static SystemQuery,
}

/// All retention rules; docs show this table.
pub static POLICIES: [Policy; 9] = [
    Policy {
        what: "sessions",
        kept: DAY,
        query: &SESSIONS,
    },
    Policy {
        what: "verification_links",
        kept: 0,
        query: &LINKS,
    },
    Policy {
        what: "invitations",
        kept: 30 * DAY,
        query: &INVITATIONS,
    },
    Policy {
        what: "idempotency_keys",
        kept: 0,
        query: &IDEMPOTENCY,
    },
    Policy {
        what: "exact_limits",
        kept: 0,
        query: &LIMITS,
    },
    Policy {
        what: "jobs",
        kept: 7 * DAY,
        query: &JOBS,
    },
    Policy {
        what: "stripe_inbox",
        kept: 30 * DAY,
        query: &INBOX,
    },
    Policy {
        what: "mails",
        kept: 30 * DAY,
        query: &MAILS,
    },
    Policy {
        what: "ai_logs",
        kept: 90 * DAY,
        query: &AI_LOGS,
    },
];

/// Deletes by every policy; says what it deleted.
pub(super) async fn run<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let mut told = Vec::new();
    for policy in &POLICIES {
        let end = cx.now.minus(policy.kept);
        let mut deleted: usize = 0;
        for _ in 0..ROUNDS {
            let count = cx
                .query(policy.query.bind([end.into(), BATCH.into()]))
                .await?
                .len();
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
