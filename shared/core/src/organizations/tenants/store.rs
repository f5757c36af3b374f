//! The statements of organisations.

crate::queries! {
    /// `?1` user, `?2` and `?3` the place after which to go on, `?4` most.
    LIST: CredentialQuery = "organizations.list", concat!("
        SELECT t.id, t.name, t.plan_id, m.role, m.created_at, ", crate::own_role_columns!("m"), "
        FROM memberships m JOIN tenants t ON t.id = m.tenant_id ", crate::join_own_role!("m"), "
        WHERE m.user_id = ?1 AND t.deleted_at IS NULL AND (m.created_at, m.tenant_id) < (?2, ?3)
        ORDER BY m.created_at DESC, m.tenant_id DESC LIMIT ?4");
    /// `?1` tenant.
    GET: TenantQuery = "organizations.get", "
        SELECT id, name, plan_id, created_at,
            (SELECT COUNT(*) FROM memberships m WHERE m.tenant_id = ?1)
        FROM tenants WHERE id = ?1";
    /// `?1` the new tenant, `?2` name, `?3` now, `?4` user, `?5` key of a limit and `?6` how many
    /// hits it allows; this one is counted already.
    INSERT: TenantQuery = "organizations.insert", "
        INSERT INTO tenants (id, name, plan_id, created_at, updated_at)
        SELECT ?1, ?2, 'FREE', CAST(?3 AS BIGINT), CAST(?3 AS BIGINT) FROM users
        WHERE id = ?4 AND NOT EXISTS (SELECT 1 FROM exact_limits l WHERE l.id = ?5 AND l.hits > ?6)
        RETURNING id";
    /// `?1` the new tenant, `?2` its founder, `?3` now: only if it was inserted.
    INSERT_FOUNDER: TenantQuery = "organizations.insert_founder", "
        INSERT INTO memberships (tenant_id, user_id, role, created_at)
        SELECT id, ?2, 'founder', ?3 FROM tenants WHERE id = ?1";
    /// An organisation that was just inserted.
    RECORD_CREATED: TenantQuery = "organizations.record_created",
        crate::record_where!("FROM tenants WHERE id = ?1");
    /// `?1` tenant, `?2` name, `?3` now.
    RENAME: TenantQuery = "organizations.rename", "
        UPDATE tenants SET name = ?2, updated_at = ?3 WHERE id = ?1
        RETURNING id, name, plan_id, created_at,
            (SELECT COUNT(*) FROM memberships m WHERE m.tenant_id = ?1)";
}
