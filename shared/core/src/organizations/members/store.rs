//! The statements of members.
//!
//! A change is one batch under the tenant's lock, which closing an account takes too: its record is
//! written first, and only if the change is allowed; everything after it asks for the record. So
//! parallel changes are judged one after the other, and what was not done is not recorded.

/// What every record asks: that the actor still has the role `?11` with the mark `?12` by which
/// they were judged, and that the member `?5` still has the role `?13` with the mark `?14`.
macro_rules! recorded_if {
    ($founder:literal, $rest:literal) => {
        crate::record_where!(
            "FROM memberships m WHERE m.tenant_id = ?1 AND m.user_id = ?5 AND m.role = ?13 AND ",
            crate::role_mark!("m"),
            " = ?14 AND ",
            crate::still_judged!("?11", "?12"),
            " AND (m.role <> 'founder' OR EXISTS (SELECT 1 FROM memberships o
                    WHERE o.tenant_id = ?1 AND o.role = 'founder' AND o.user_id <> ?5)",
            $founder,
            ")",
            $rest
        )
    };
}

crate::queries! {
    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most.
    LIST: TenantQuery = "members.list", concat!("
        SELECT m.user_id, u.email, m.role, m.created_at, ", crate::own_role_columns!("m"), "
        FROM memberships m JOIN users u ON u.id = m.user_id ", crate::join_own_role!("m"), "
        WHERE m.tenant_id = ?1 AND (m.created_at, m.user_id) < (?2, ?3)
        ORDER BY m.created_at DESC, m.user_id DESC LIMIT ?4");
    /// `?1` tenant, `?2` user.
    GET: TenantQuery = "members.get", concat!("
        SELECT m.user_id, u.email, m.role, m.created_at, ", crate::own_role_columns!("m"), "
        FROM memberships m JOIN users u ON u.id = m.user_id ", crate::join_own_role!("m"), "
        WHERE m.tenant_id = ?1 AND m.user_id = ?2");
    /// `?11` to `?14` as everywhere here, `?15` role after and `?16` its mark: the tenant's own role
    /// is still as it was judged. One founder always stays.
    RECORD_CHANGED: TenantQuery = "members.record_changed", recorded_if!(" OR ?15 = 'founder'", "
        AND (?16 = '' OR EXISTS (SELECT 1 FROM roles g
            WHERE g.tenant_id = ?1 AND g.id || ':' || g.version = ?16))");
    /// `?11` to `?14` as everywhere here. One founder always stays.
    RECORD_REMOVED: TenantQuery = "members.record_removed", recorded_if!("", "");
    /// `?1` tenant, `?2` user, `?3` record, `?4` role, `?5` the tenant's own role or NULL.
    CHANGE: TenantQuery = "members.change", crate::while_recorded!(
        "UPDATE memberships SET role = ?4, role_id = ?5 WHERE tenant_id = ?1 AND user_id = ?2");
    /// `?1` tenant, `?2` user, `?3` record.
    REMOVE: TenantQuery = "members.remove", crate::while_recorded!(
        "DELETE FROM memberships WHERE tenant_id = ?1 AND user_id = ?2");
    /// `?1` tenant, `?2` user, `?3` record, `?4` now, `?5` when the last access token ends: from
    /// now on the sessions cannot be refreshed. Their access tokens are judged by the new role.
    END_REFRESH: TenantQuery = "members.end_refresh", crate::while_recorded!("
        UPDATE sessions SET ends_at = ?4, revoked_reason = 'role_lowered',
            expires_at = CASE WHEN expires_at < ?5 THEN expires_at ELSE ?5 END
        WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL");
    /// `?1` tenant, `?2` user, `?3` record, `?4` now.
    END_SESSIONS: TenantQuery = "members.end_sessions", crate::while_recorded!("
        UPDATE sessions SET revoked_at = ?4, revoked_reason = 'member_removed'
        WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL");
    /// `?1` tenant, `?2` user, `?3` record, `?4` now. They would come to life again with a new
    /// membership.
    END_KEYS: TenantQuery = "members.end_keys", crate::while_recorded!("
        UPDATE api_keys SET revoked_at = ?4
        WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL");
    /// `?1` tenant, `?2` user, `?3` record, `?4` now. Whom they invited, they may not have been
    /// allowed to invite now.
    END_INVITATIONS: TenantQuery = "members.end_invitations", crate::while_recorded!("
        UPDATE invitations SET revoked_at = ?4
        WHERE tenant_id = ?1 AND invited_by = ?2 AND accepted_at IS NULL AND revoked_at IS NULL");
    /// `?1` a new tenant, `?2` user, `?3` record of their going, `?4` now. Who is left without any
    /// organisation gets one, as with registration: they could not sign in otherwise, not even to
    /// accept an invitation or to close their account.
    HOUSE: TenantQuery = "members.house", "
        INSERT INTO tenants (id, name, plan_id, created_at, updated_at)
        SELECT ?1, 'My company', 'FREE', CAST(?4 AS BIGINT), CAST(?4 AS BIGINT) FROM audit_log
        WHERE id = ?3 AND NOT EXISTS (SELECT 1 FROM memberships m
            JOIN tenants t ON t.id = m.tenant_id WHERE m.user_id = ?2 AND t.deleted_at IS NULL)";
}
