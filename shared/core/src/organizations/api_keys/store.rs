//! The statements of API keys.

crate::queries! {
    /// `?1` tenant, `?2` id, `?3` user, `?4` name, `?5` secret hash, `?6` scopes, `?7` now,
    /// `?8` end. Only while the plan allows one more.
    INSERT: TenantQuery = "api_keys.insert", "
        INSERT INTO api_keys (tenant_id, id, user_id, name, secret_hash, scopes, created_at, expires_at)
        SELECT t.id, ?2, ?3, ?4, ?5, ?6, ?7, ?8
        FROM tenants t JOIN plans p ON p.id = t.plan_id
        WHERE t.id = ?1 AND (p.max_api_keys IS NULL OR p.max_api_keys > (
            SELECT COUNT(*) FROM api_keys k WHERE k.tenant_id = ?1 AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > ?7)))
        RETURNING id";
    /// `?1` tenant. Changes nothing; who comes next waits for the end of our batch, and then
    /// sees what it wrote.
    LOCK_TENANT: TenantQuery = "api_keys.lock_tenant",
        "UPDATE tenants SET epoch = epoch WHERE id = ?1";
    /// A key that was just inserted.
    RECORD_CREATED: TenantQuery = "api_keys.record_created",
        crate::record_where!("FROM api_keys WHERE tenant_id = ?1 AND id = ?5");
    /// `?1` tenant, `?2` key.
    GET: TenantQuery = "api_keys.get", "
        SELECT id, name, scopes, user_id, created_at, expires_at, revoked_at
        FROM api_keys WHERE tenant_id = ?1 AND id = ?2";
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
    /// A key that is about to be revoked, for the first time.
    RECORD_REVOKED: TenantQuery = "api_keys.record_revoked", crate::record_where!("
        FROM api_keys WHERE tenant_id = ?1 AND id = ?5 AND revoked_at IS NULL");
}
