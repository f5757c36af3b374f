//! The rows of sign-in and the statements that read and write them.

use crate::port::DatabaseError;
use crate::sql::Row;

crate::queries! {
    /// `?1` id, `?2` address, `?3` password hash, `?4` verification hash, `?5` its end, `?6` now.
    /// No row comes back when the address is known.
    INSERT_USER: SystemQuery = "auth.insert_user", "
        INSERT INTO users (id, email, password_hash, email_verification_hash,
            email_verification_expires_at, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
        ON CONFLICT (email) DO NOTHING
        RETURNING id";
    /// `?1` tenant, `?2` name, `?3` now, `?4` user: only if that user was just inserted.
    INSERT_TENANT: TenantQuery = "auth.insert_tenant", "
        INSERT INTO tenants (id, name, plan_id, created_at, updated_at)
        SELECT ?1, ?2, 'FREE', ?3, ?3 FROM users WHERE id = ?4";
    /// `?1` tenant, `?2` user, `?3` now: only if that user exists.
    INSERT_FOUNDER: TenantQuery = "auth.insert_founder", "
        INSERT INTO memberships (tenant_id, user_id, role, created_at)
        SELECT ?1, id, 'founder', ?3 FROM users WHERE id = ?2";
    /// `?1` hash of the token, `?2` now. Single use: the hash is gone afterwards.
    VERIFY_EMAIL: CredentialQuery = "auth.verify_email", "
        UPDATE users SET email_verified_at = ?2, email_verification_hash = NULL,
            email_verification_expires_at = NULL, updated_at = ?2
        WHERE email_verification_hash = ?1 AND email_verification_expires_at > ?2
        RETURNING id";
    /// `?1` address. The newest membership is where the session starts.
    ACCOUNT: SystemQuery = "auth.account_by_email", "
        SELECT u.id, u.password_hash, u.email_verified_at, u.disabled_at, m.tenant_id, m.role
        FROM users u
        JOIN memberships m ON m.user_id = u.id
        JOIN tenants t ON t.id = m.tenant_id
        WHERE u.email = ?1 AND t.deleted_at IS NULL
        ORDER BY m.created_at DESC, m.tenant_id LIMIT 1";
    /// `?1` tenant, `?2` session, `?3` user, `?4` now, `?5` end, `?6` end in any case, `?7` how
    /// it was proven, `?8` browser, `?9` network.
    INSERT_SESSION: TenantQuery = "auth.insert_session", "
        INSERT INTO sessions (id, tenant_id, user_id, refresh_counter, refreshed_at, created_at,
            expires_at, ends_at, amr, user_agent, network)
        VALUES (?2, ?1, ?3, 0, ?4, ?4, ?5, ?6, ?7, ?8, ?9)";
    /// `?1` session, `?2` counter presented, `?3` now, `?4` the new end. One of any number of
    /// parallel refreshes wins this update.
    ROTATE: CredentialQuery = "auth.rotate_session", "
        UPDATE sessions SET refresh_counter = refresh_counter + 1, refreshed_at = ?3,
            expires_at = CASE WHEN ends_at < ?4 THEN ends_at ELSE ?4 END
        WHERE id = ?1 AND refresh_counter = ?2 AND revoked_at IS NULL AND expires_at > ?3
        RETURNING id";
    /// `?1` session.
    SESSION: CredentialQuery = "auth.session", "
        SELECT s.refresh_counter, s.refreshed_at, s.expires_at, s.revoked_at, s.user_id,
            s.tenant_id, m.role, u.disabled_at, t.deleted_at, s.amr
        FROM sessions s
        JOIN users u ON u.id = s.user_id
        JOIN tenants t ON t.id = s.tenant_id
        JOIN memberships m ON m.user_id = s.user_id AND m.tenant_id = s.tenant_id
        WHERE s.id = ?1";
    /// `?1` session, `?2` now, `?3` reason.
    END_SESSION: CredentialQuery = "auth.end_session", "
        UPDATE sessions SET revoked_at = ?2, revoked_reason = ?3
        WHERE id = ?1 AND revoked_at IS NULL RETURNING id";
    /// `?1` user, `?2` now, `?3` reason, `?4` a session that stays, or NULL. Ends the others.
    END_SESSIONS: CredentialQuery = "auth.end_sessions", "
        UPDATE sessions SET revoked_at = ?2, revoked_reason = ?3
        WHERE user_id = ?1 AND revoked_at IS NULL
            AND (CAST(?4 AS TEXT) IS NULL OR id <> ?4) RETURNING id";
    /// `?1` user, `?2` session: a row if it is theirs.
    OWN_SESSION: CredentialQuery = "auth.own_session",
        "SELECT id FROM sessions WHERE id = ?2 AND user_id = ?1";
    /// `?1` user, `?2` and `?3` the place after which to go on, `?4` most, `?5` now.
    LIST_SESSIONS: CredentialQuery = "auth.list_sessions", "
        SELECT id, tenant_id, created_at, refreshed_at, expires_at, user_agent, network, amr
        FROM sessions
        WHERE user_id = ?1 AND (created_at, id) < (?2, ?3) AND revoked_at IS NULL AND expires_at > ?5
        ORDER BY created_at DESC, id DESC LIMIT ?4";
    /// `?1` tenant, `?2` user.
    PROFILE: TenantQuery = "auth.profile", "
        SELECT u.id, u.email, u.email_verified_at, u.created_at, m.role, t.name, t.plan_id
        FROM users u
        JOIN memberships m ON m.user_id = u.id
        JOIN tenants t ON t.id = m.tenant_id
        WHERE m.tenant_id = ?1 AND u.id = ?2";
}

/// What sign-in reads of an account ([`ACCOUNT`]).
pub(super) struct Account {
    pub(super) user: String,
    pub(super) password_hash: String,
    pub(super) verified: bool,
    pub(super) disabled: bool,
    pub(super) tenant: String,
    pub(super) role: String,
}

impl Account {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            user: row.text(0)?.to_owned(),
            password_hash: row.text(1)?.to_owned(),
            verified: row.opt_int(2)?.is_some(),
            disabled: row.opt_int(3)?.is_some(),
            tenant: row.text(4)?.to_owned(),
            role: row.text(5)?.to_owned(),
        })
    }
}

/// A session as refreshing sees it ([`SESSION`]).
pub(super) struct Session {
    pub(super) counter: i64,
    pub(super) refreshed_at: i64,
    pub(super) expires_at: i64,
    pub(super) ended: bool,
    pub(super) user: String,
    pub(super) tenant: String,
    pub(super) role: String,
    pub(super) amr: String,
}

impl Session {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            counter: row.int(0)?,
            refreshed_at: row.int(1)?,
            expires_at: row.int(2)?,
            ended: row.opt_int(3)?.is_some()
                || row.opt_int(7)?.is_some()
                || row.opt_int(8)?.is_some(),
            user: row.text(4)?.to_owned(),
            tenant: row.text(5)?.to_owned(),
            role: row.text(6)?.to_owned(),
            amr: row.text(9)?.to_owned(),
        })
    }
}
