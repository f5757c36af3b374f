//! The statements of invitations. As with members, a record is written first if the change is
//! allowed, and what follows asks for it.

/// While neither accepted nor revoked.
macro_rules! open {
    () => {
        "i.accepted_at IS NULL AND i.revoked_at IS NULL"
    };
}

/// What a mail costs: the limits with the keys `?13` and `?15` are not above `?14` and `?16`; the
/// hits were counted earlier in the batch. And the actor is still as they were judged.
macro_rules! may_mail {
    () => {
        concat!(
            crate::still_judged!("?11", "?12"),
            "
        AND NOT EXISTS (SELECT 1 FROM exact_limits l WHERE l.id = ?13 AND l.hits > ?14)
        AND NOT EXISTS (SELECT 1 FROM exact_limits l WHERE l.id = ?15 AND l.hits > ?16)"
        )
    };
}

macro_rules! columns {
    () => {
        "i.id, i.email, i.role, i.invited_by, i.created_at, i.expires_at, i.accepted_at,
            i.revoked_at"
    };
}

/// `$lock` keeps the user as they are until the batch ends: who closes their account meanwhile is
/// no member of what they joined in that moment.
macro_rules! record_accepted {
    ($lock:literal) => {
        crate::record_where!(
            "FROM invitations i JOIN users u ON u.id = ?3 AND u.email = i.email
            WHERE i.tenant_id = ?1 AND i.id = ?5 AND i.token_hash = ?11 AND i.expires_at > ?7
                AND u.email_verified_at IS NOT NULL AND u.disabled_at IS NULL AND ",
            open!(),
            " AND NOT EXISTS (SELECT 1 FROM memberships m
                WHERE m.tenant_id = ?1 AND m.user_id = ?3)",
            $lock
        )
    };
}

crate::queries! {
    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most.
    LIST: TenantQuery = "invitations.list", concat!("
        SELECT ", columns!(), ", ", crate::own_role_columns!("i"), "
        FROM invitations i ", crate::join_own_role!("i"), "
        WHERE i.tenant_id = ?1 AND (i.created_at, i.id) < (?2, ?3)
        ORDER BY i.created_at DESC, i.id DESC LIMIT ?4");
    /// `?1` tenant, `?2` invitation.
    GET: TenantQuery = "invitations.get", concat!("
        SELECT ", columns!(), ", ", crate::own_role_columns!("i"), "
        FROM invitations i ", crate::join_own_role!("i"), "
        WHERE i.tenant_id = ?1 AND i.id = ?2");
    /// `?17` address: no member's, and of no invitation that can still be accepted. `?18` mark of
    /// the role it is for: the tenant's own role is still as it was judged.
    RECORD_CREATED: TenantQuery = "invitations.record_created", crate::record_where!("
        FROM tenants t WHERE t.id = ?1 AND ", may_mail!(), "
            AND NOT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
                WHERE m.tenant_id = ?1 AND u.email = ?17)
            AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.tenant_id = ?1 AND i.email = ?17
                AND i.expires_at > ?7 AND ", open!(), ")
            AND (?18 = '' OR EXISTS (SELECT 1 FROM roles g
                WHERE g.tenant_id = ?1 AND g.id || ':' || g.version = ?18))");
    /// `?1` tenant, `?2` invitation, `?3` record, `?4` address, `?5` role, `?6` hash of the token,
    /// `?7` who invites, `?8` now, `?9` end, `?10` the tenant's own role or NULL.
    INSERT: TenantQuery = "invitations.insert", "
        INSERT INTO invitations
            (tenant_id, id, email, role, token_hash, invited_by, created_at, expires_at, role_id)
        SELECT ?1, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM audit_log WHERE id = ?3 AND tenant_id = ?1";
    /// An invitation that is still open, expired or not.
    RECORD_RESENT: TenantQuery = "invitations.record_resent", crate::record_where!("
        FROM invitations i WHERE i.tenant_id = ?1 AND i.id = ?5 AND ", open!(), " AND ",
            may_mail!());
    /// `?1` tenant, `?2` invitation, `?3` record, `?4` hash of the token, `?5` end. The token
    /// before is dead.
    RENEW: TenantQuery = "invitations.renew", crate::while_recorded!("
        UPDATE invitations SET token_hash = ?4, expires_at = ?5
        WHERE tenant_id = ?1 AND id = ?2");
    /// `?1` tenant, `?2` and `?3` key and hits of its limit, `?4` key of the recipient's, `?5`
    /// record. The hit of a mail that is not sent is taken back, in the same batch: otherwise one
    /// tenant could use up what an address may get from all.
    TAKE_BACK: TenantQuery = "invitations.take_back", "
        UPDATE exact_limits SET hits = hits - 1
        WHERE id = ?4 AND hits > 0
            AND EXISTS (SELECT 1 FROM exact_limits g WHERE g.id = ?2 AND g.hits <= ?3)
            AND NOT EXISTS (SELECT 1 FROM audit_log a WHERE a.tenant_id = ?1 AND a.id = ?5)";
    /// An invitation that is about to be revoked, for the first time.
    RECORD_REVOKED: TenantQuery = "invitations.record_revoked", crate::record_where!("
        FROM invitations i WHERE i.tenant_id = ?1 AND i.id = ?5 AND ", open!());
    /// `?1` tenant, `?2` invitation, `?3` now. Revoking twice keeps the first time; what was
    /// accepted is not revoked, and no row comes back.
    REVOKE: TenantQuery = "invitations.revoke", "
        UPDATE invitations SET revoked_at = COALESCE(revoked_at, ?3)
        WHERE tenant_id = ?1 AND id = ?2 AND accepted_at IS NULL
        RETURNING id";
    /// `?1` hash of the token, `?2` user. The last two columns: whether the address is the user's
    /// and confirmed, and the role that the user has there already.
    FIND: CredentialQuery = "invitations.find", concat!("
        SELECT i.tenant_id, i.id, i.role, i.expires_at, i.accepted_at, i.revoked_at, t.name,
            t.deleted_at,
            CASE WHEN u.email = i.email AND u.email_verified_at IS NOT NULL THEN 1 ELSE 0 END,
            m.role AS present, ", crate::own_role_columns!("i"), "
        FROM invitations i
        JOIN tenants t ON t.id = i.tenant_id
        JOIN users u ON u.id = ?2
        ", crate::join_own_role!("i"), "
        LEFT JOIN memberships m ON m.tenant_id = i.tenant_id AND m.user_id = u.id
        WHERE i.token_hash = ?1");
    /// `?11` hash of the token: the invitation is open and has not expired, and its address is the
    /// actor's, who is no member yet.
    RECORD_ACCEPTED: TenantQuery = "invitations.record_accepted", record_accepted!(""),
        postgres = record_accepted!(" FOR SHARE OF u");
    /// `?1` tenant, `?2` invitation, `?3` record, `?4` user, `?5` now.
    JOIN: TenantQuery = "invitations.join", crate::while_recorded!("
        INSERT INTO memberships (tenant_id, user_id, role, role_id, created_at)
        SELECT ?1, ?4, i.role, i.role_id, ?5 FROM invitations i WHERE i.tenant_id = ?1 AND i.id = ?2");
    /// `?1` tenant, `?2` invitation, `?3` record, `?4` now.
    ACCEPT: TenantQuery = "invitations.accept", crate::while_recorded!("
        UPDATE invitations SET accepted_at = ?4 WHERE tenant_id = ?1 AND id = ?2");
}
