//! The rows of changes under way, one a user, and the statements that read and write them.

use super::super::mfa::claimed;
use crate::port::DatabaseError;
use crate::sql::Row;

/// The condition that both addresses have agreed to the change `c`.
macro_rules! agreed {
    () => {
        "c.old_confirmed_at IS NOT NULL AND c.new_confirmed_at IS NOT NULL"
    };
}

crate::queries! {
    /// `?1` user. First in each batch, so that two about one user run one after the other. SQLite
    /// and D1 have one writer, so there it is only a read.
    LOCK: CredentialQuery = "email_change.lock", "SELECT id FROM users WHERE id = ?1",
        postgres = "SELECT id FROM users WHERE id = ?1 FOR NO KEY UPDATE";
    /// `?1` user, `?2` new address, `?3` hash of the token that goes to the old address, `?4` of
    /// the one that goes to the new, `?5` now, `?6` their end, `?7` session, `?8` the mark of a
    /// code that was spent, or NULL, `?9` to `?12` key and bound of the two limits, whose hits were
    /// counted earlier in the batch. The request before it is replaced.
    ASK: CredentialQuery = "email_change.ask", concat!("
        INSERT INTO email_changes (user_id, email, old_hash, new_hash, created_at, expires_at,
            session_id)
        SELECT id, ?2, ?3, ?4, CAST(?5 AS BIGINT), CAST(?6 AS BIGINT), ?7 FROM users
        WHERE id = ?1 AND disabled_at IS NULL
            AND (CAST(?8 AS TEXT) IS NULL OR ", claimed!("?1", "?8"), ")
            AND EXISTS (SELECT 1 FROM exact_limits WHERE id = ?9 AND hits <= ?10)
            AND EXISTS (SELECT 1 FROM exact_limits WHERE id = ?11 AND hits <= ?12)
        ON CONFLICT (user_id) DO UPDATE SET email = excluded.email,
            old_hash = excluded.old_hash, new_hash = excluded.new_hash,
            old_confirmed_at = NULL, new_confirmed_at = NULL,
            created_at = excluded.created_at, expires_at = excluded.expires_at,
            session_id = excluded.session_id
        RETURNING user_id");
    /// `?11` the hash that the request put there.
    RECORD_ASKED: TenantQuery = "email_change.record_asked",
        crate::record_where!("FROM email_changes WHERE user_id = ?3 AND old_hash = ?11");

    /// `?1` hash of a token, `?2` now.
    HOLDER: CredentialQuery = "email_change.holder", "
        SELECT c.user_id, u.email AS old_email, c.email AS new_email, c.session_id, s.tenant_id
        FROM email_changes c
        JOIN users u ON u.id = c.user_id
        LEFT JOIN sessions s ON s.id = c.session_id
        WHERE (c.old_hash = ?1 OR c.new_hash = ?1) AND c.expires_at > ?2 AND u.disabled_at IS NULL";
    /// `?11` hash of a token that was not used and has not expired.
    RECORD_CONFIRMED: CredentialQuery = "email_change.record_confirmed", crate::record_where!("
        FROM email_changes WHERE user_id = ?3 AND expires_at > ?7
            AND (old_hash = ?11 AND old_confirmed_at IS NULL
                OR new_hash = ?11 AND new_confirmed_at IS NULL)");
    /// `?1` user, `?2` hash of the token, `?3` now, `?4` the record that must be there.
    CONFIRM: CredentialQuery = "email_change.confirm", "
        UPDATE email_changes SET
            old_confirmed_at = CASE WHEN old_hash = ?2
                THEN CAST(?3 AS BIGINT) ELSE old_confirmed_at END,
            new_confirmed_at = CASE WHEN new_hash = ?2
                THEN CAST(?3 AS BIGINT) ELSE new_confirmed_at END
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?4)
        RETURNING CASE WHEN old_confirmed_at IS NULL THEN 'old'
            WHEN new_confirmed_at IS NULL THEN 'new' END AS waits_for";
    /// `?1` user, `?2` now. Whoever registered the new address without proving it loses it to its
    /// owner; what is left of that account is deleted as every other that nobody confirmed.
    EVICT: CredentialQuery = "email_change.evict", concat!("
        UPDATE users SET disabled_at = ?2, email = 'deleted:' || id,
            email_verification_hash = NULL, email_verification_expires_at = NULL,
            password_reset_hash = NULL, password_reset_expires_at = NULL
        WHERE email_verified_at IS NULL AND disabled_at IS NULL AND email = (
            SELECT c.email FROM email_changes c WHERE c.user_id = ?1 AND ", agreed!(), ")");
    /// `?1` user, `?2` now. A link to set a new password went to the old address, so it dies.
    CHANGE: CredentialQuery = "email_change.change", concat!("
        UPDATE users SET email = (SELECT c.email FROM email_changes c WHERE c.user_id = ?1),
            email_verified_at = ?2, password_reset_hash = NULL, password_reset_expires_at = NULL,
            updated_at = ?2
        WHERE id = ?1 AND disabled_at IS NULL AND EXISTS (
            SELECT 1 FROM email_changes c WHERE c.user_id = ?1 AND ", agreed!(), "
                AND NOT EXISTS (SELECT 1 FROM users o WHERE o.email = c.email))
        RETURNING id");
    /// A user who has the address that they asked for.
    RECORD_CHANGED: CredentialQuery = "email_change.record_changed", crate::record_where!("
        FROM email_changes c JOIN users u ON u.id = c.user_id AND u.email = c.email
        WHERE c.user_id = ?3 AND c.old_confirmed_at IS NOT NULL AND c.new_confirmed_at IS NOT NULL");
    /// `?1` user, `?2` now, `?3` the session that asked, `?4` the record that must be there.
    END_SESSIONS: CredentialQuery = "email_change.end_sessions", "
        UPDATE sessions SET revoked_at = ?2, revoked_reason = 'email_changed'
        WHERE user_id = ?1 AND revoked_at IS NULL AND id <> ?3
            AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?4)";
    /// `?1` user, `?2` the record that must be there. A code that went to the old address.
    DROP_CODE: CredentialQuery = "email_change.drop_code", "
        UPDATE mfa_factors SET secret = NULL
        WHERE user_id = ?1 AND kind = 'email' AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?2)";
    /// `?1` user. A row comes back when both had agreed, whatever came of it.
    FORGET: CredentialQuery = "email_change.forget", "
        DELETE FROM email_changes WHERE user_id = ?1
            AND old_confirmed_at IS NOT NULL AND new_confirmed_at IS NOT NULL
        RETURNING user_id";
}

/// A change whose link was opened ([`HOLDER`]).
pub(super) struct Holder {
    pub(super) user: String,
    pub(super) old: String,
    pub(super) new: String,
    /// The session that asked.
    pub(super) session: String,
    /// Where that session was; `None` when it is gone.
    pub(super) tenant: Option<String>,
}

impl Holder {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        let text = |index| row.text(index).map(str::to_owned);
        Ok(Self {
            user: text(0)?,
            old: text(1)?,
            new: text(2)?,
            session: row.opt_text(3)?.unwrap_or_default().to_owned(),
            tenant: row.opt_text(4)?.map(str::to_owned),
        })
    }
}
