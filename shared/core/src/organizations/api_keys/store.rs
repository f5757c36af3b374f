//! The statements of API keys.

crate::queries! {
    /// `?1` tenant, `?2` id, `?3` user, `?4` name, `?5` secret hash, `?6` scopes, `?7` now,
    /// `?8` end. Only while the plan allows one more.
    INSERT: TenantQuery = "api_keys.insert", "
        INSERT INTO api_keys (tenant_id, id, user_id, name, secret_hash, scopes, created_at, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// `?1` tenant. Live keys and how many the plan allows.
    COUNT: TenantQuery = "api_keys.count", "
        SELECT COUNT(k.id), p.max_api_keys
        FROM tenants t
        JOIN plans p ON p.id = t.plan_id
        LEFT JOIN api_keys k ON k.tenant_id = t.id AND k.revoked_at IS NULL
        WHERE t.id = ?1
        GROUP BY p.max_api_keys";
    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most.
    LIST: TenantQuery = "api_keys.list", "
        SELECT id, name, scopes, user_id, created_at, expires_at, revoked_at
        FROM api_keys WHERE tenant_id = ?1 AND (created_at, id) < (?2, ?3)
        ORDER BY created_at DESC, id DESC LIMIT ?4";
    /// `?1` tenant, `?2` key, `?3` now. Revoking twice keeps the first time.
    REVOKE: TenantQuery = "api_keys.revoke", "
        UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?3)
        WHERE tenant_id = ?1 AND id = ?2
        RETURNING id, name, scopes, user_id, created_at, expires_at, revoked_at";
}
