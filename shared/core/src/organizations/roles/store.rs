//! The statements of a tenant's own roles. A change is one batch under the tenant's lock, as with
//! members, so that nobody is given a role while it is changed or deleted.

macro_rules! shown {
    () => {
        "SELECT r.id, r.name, r.base, r.permissions, r.version, r.created_at, r.updated_at,
            (SELECT COUNT(*) FROM memberships m WHERE m.role_id = r.id) AS members
        FROM roles r WHERE r.tenant_id = ?1"
    };
}

crate::queries! {
    /// `?1` tenant. A tenant has few ([`INSERT`]).
    LIST: TenantQuery = "roles.list", concat!(shown!(), " ORDER BY r.name");
    /// `?1` tenant, `?2` role.
    GET: TenantQuery = "roles.get", concat!(shown!(), " AND r.id = ?2");
    /// `?1` tenant, `?2` name.
    NAMED: TenantQuery = "roles.named", "
        SELECT r.base, r.id AS role_id, r.name AS role_name, r.permissions AS role_permissions,
            r.version AS role_version
        FROM roles r WHERE r.tenant_id = ?1 AND r.name = ?2";
    /// `?1` tenant, `?2` role, `?3` actor, `?4` and `?5` how they were judged, `?6` name, `?7` base,
    /// `?8` permissions, `?9` now, `?10` most roles.
    INSERT: TenantQuery = "roles.insert", concat!("
        INSERT INTO roles
            (tenant_id, id, name, base, permissions, version, created_at, updated_at)
        SELECT ?1, ?2, ?6, ?7, CAST(?8 AS BIGINT), 1, CAST(?9 AS BIGINT), CAST(?9 AS BIGINT)
        FROM tenants t
        WHERE t.id = ?1 AND ", crate::still_judged!("?4", "?5"), "
            AND NOT EXISTS (SELECT 1 FROM roles o WHERE o.tenant_id = ?1 AND o.name = ?6)
            AND (SELECT COUNT(*) FROM roles o WHERE o.tenant_id = ?1) < ?10
        RETURNING id");
    /// A role that was just inserted.
    RECORD_CREATED: TenantQuery = "roles.record_created",
        crate::record_where!("FROM roles r WHERE r.tenant_id = ?1 AND r.id = ?5");
    /// `?11` and `?12` how the actor was judged, `?13` version of the role `?5` as it was judged,
    /// `?14` its name after, which no other role has.
    RECORD_CHANGED: TenantQuery = "roles.record_changed", crate::record_where!("
        FROM roles r WHERE r.tenant_id = ?1 AND r.id = ?5 AND r.version = ?13
            AND ", crate::still_judged!("?11", "?12"), "
            AND NOT EXISTS (SELECT 1 FROM roles o
                WHERE o.tenant_id = ?1 AND o.name = ?14 AND o.id <> ?5)");
    /// `?1` tenant, `?2` role, `?3` record, `?4` name, `?5` permissions, `?6` now.
    CHANGE: TenantQuery = "roles.change", crate::while_recorded!("
        UPDATE roles SET name = ?4, permissions = ?5, version = version + 1, updated_at = ?6
        WHERE tenant_id = ?1 AND id = ?2");
    /// `?11`, `?12` and `?13` as before: nobody has it.
    RECORD_DELETED: TenantQuery = "roles.record_deleted", crate::record_where!("
        FROM roles r WHERE r.tenant_id = ?1 AND r.id = ?5 AND r.version = ?13
            AND ", crate::still_judged!("?11", "?12"), "
            AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.role_id = ?5)");
    /// `?1` tenant, `?2` role, `?3` record.
    DELETE: TenantQuery = "roles.delete",
        crate::while_recorded!("DELETE FROM roles WHERE tenant_id = ?1 AND id = ?2");
    /// `?1` tenant, `?2` role, `?3` record, `?4` now: invitations to it, before it goes, or they
    /// would promise the whole of its base.
    END_INVITATIONS_TO: TenantQuery = "roles.end_invitations_to", crate::while_recorded!("
        UPDATE invitations SET revoked_at = ?4
        WHERE tenant_id = ?1 AND role_id = ?2 AND accepted_at IS NULL AND revoked_at IS NULL");
    /// `?1` tenant, `?2` role, `?3` record, `?4` now: whom its holders invited, they may not have
    /// been allowed to invite now.
    END_INVITATIONS_BY: TenantQuery = "roles.end_invitations_by", crate::while_recorded!("
        UPDATE invitations SET revoked_at = ?4
        WHERE tenant_id = ?1 AND accepted_at IS NULL AND revoked_at IS NULL
            AND invited_by IN (SELECT m.user_id FROM memberships m
                WHERE m.tenant_id = ?1 AND m.role_id = ?2)");
}
