//! The rows of sessions and the statements that read and write them.

use crate::port::DatabaseError;
use crate::sql::Row;

/// In PostgreSQL the user is locked, so that a change of it comes before this or finds the session.
macro_rules! insert_session {
    ($lock:literal) => {
        concat!(
            "INSERT INTO sessions (id, tenant_id, user_id, refresh_counter, refreshed_at, created_at,
                expires_at, ends_at, amr, user_agent, network)
            VALUES (?2, ?1, (SELECT id FROM users WHERE id = ?3 AND updated_at = ?10
                AND disabled_at IS NULL",
            $lock,
            "), 0, ?4, ?4, ?5, ?6, ?7, ?8, ?9)"
        )
    };
}

crate::queries! {
    /// `?1` tenant, `?2` session, `?3` user, `?4` now, `?5` end, `?6` end in any case, `?7` how
    /// it was proven, `?8` browser, `?9` network, `?10` when the user was changed last. Where that
    /// is not so any more (another password ends all sessions, and this one is not there yet),
    /// the user is NULL, which takes the whole batch with it.
    INSERT_SESSION: TenantQuery = "auth.insert_session", insert_session!(""),
        postgres = insert_session!(" FOR SHARE");
    /// `?1` session, `?2` counter presented, `?3` now, `?4` the new end. One of any number of
    /// parallel refreshes wins this update.
    ROTATE: CredentialQuery = "auth.rotate_session", "
        UPDATE sessions SET refresh_counter = refresh_counter + 1, refreshed_at = ?3,
            expires_at = CASE WHEN ends_at < ?4 THEN ends_at ELSE ?4 END
        WHERE id = ?1 AND refresh_counter = ?2 AND revoked_at IS NULL AND expires_at > ?3
            AND COALESCE(ends_at, expires_at) > ?3
        RETURNING id";
    /// `?1` session.
    SESSION: CredentialQuery = "auth.session", "
        SELECT s.refresh_counter, s.refreshed_at,
            CASE WHEN s.ends_at < s.expires_at THEN s.ends_at ELSE s.expires_at END AS last_refresh,
            s.revoked_at, s.user_id,
            s.tenant_id, m.role, u.disabled_at, t.deleted_at, s.amr
        FROM sessions s
        JOIN users u ON u.id = s.user_id
        JOIN tenants t ON t.id = s.tenant_id
        JOIN memberships m ON m.user_id = s.user_id AND m.tenant_id = s.tenant_id
        WHERE s.id = ?1";
    /// `?1` user: sign-ins that wait for their second step. Before [`END_SESSIONS`], which then finds
    /// the session of one that was faster.
    END_CHALLENGES: CredentialQuery = "auth.end_challenges",
        "DELETE FROM mfa_challenges WHERE user_id = ?1 AND session_id IS NULL";
    /// `?1` session, `?2` user, `?3` its tenant, `?4` the tenant it moves to, `?5` now, `?6` the
    /// new end: only between tenants of the user. Tokens of the place before do not fit any more.
    SWITCH: CredentialQuery = "auth.switch_session", "
        UPDATE sessions SET tenant_id = ?4, refresh_counter = refresh_counter + 1,
            refreshed_at = ?5, expires_at = CASE WHEN ends_at < ?6 THEN ends_at ELSE ?6 END
        WHERE id = ?1 AND user_id = ?2 AND tenant_id = ?3 AND revoked_at IS NULL
            AND expires_at > ?5 AND COALESCE(ends_at, expires_at) > ?5
            AND EXISTS (SELECT 1 FROM memberships m JOIN tenants t ON t.id = m.tenant_id
                WHERE m.tenant_id = ?4 AND m.user_id = ?2 AND t.deleted_at IS NULL)
        RETURNING refresh_counter, amr";
    /// A session that was just moved to this tenant.
    RECORD_SWITCHED: TenantQuery = "auth.record_switched", crate::record_where!("
        FROM sessions WHERE tenant_id = ?1 AND id = ?5 AND refreshed_at = ?7");
    /// `?1` user, `?2` tenant: the role there.
    ROLE_IN: CredentialQuery = "auth.role_in", "
        SELECT m.role FROM memberships m JOIN tenants t ON t.id = m.tenant_id
        WHERE m.user_id = ?1 AND m.tenant_id = ?2 AND t.deleted_at IS NULL";
    /// `?1` user: the newest hundred.
    MEMBERSHIPS: CredentialQuery = "auth.memberships", concat!("
        SELECT t.id, t.name, m.role, ", crate::own_role_columns!("m"), "
        FROM memberships m JOIN tenants t ON t.id = m.tenant_id ", crate::join_own_role!("m"), "
        WHERE m.user_id = ?1 AND t.deleted_at IS NULL
        ORDER BY m.created_at DESC, m.tenant_id DESC LIMIT 100");
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
    /// `?1` tenant, `?2` user. Whether they belong together the session's state tells.
    PROFILE: TenantQuery = "auth.profile", "
        SELECT u.id, u.email, u.email_verified_at, u.created_at, t.name,
            (SELECT COUNT(*) FROM mfa_factors f
                WHERE f.user_id = u.id AND f.enabled_at IS NOT NULL) AS factors
        FROM tenants t
        CROSS JOIN users u
        WHERE t.id = ?1 AND u.id = ?2";
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
