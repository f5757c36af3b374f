//! The statements of API keys.

/// What a key's row shows, in the order that `Shown::read` reads.
macro_rules! shown {
    () => {
        "id, name, scopes, user_id, created_at, expires_at, revoked_at, environment, networks,
            uses, last_used_at, replaced_by"
    };
}

crate::queries! {
    /// `?1` tenant, `?2` id, `?3` user, `?4` name, `?5` secret hash, `?6` scopes, `?7` now,
    /// `?8` end, `?9` environment, `?10` networks. Only while the plan allows one more, where a key
    /// that was rerolled counts as its successor, and the user is a member.
    INSERT: TenantQuery = "api_keys.insert", "
        INSERT INTO api_keys (tenant_id, id, user_id, name, secret_hash, scopes, created_at,
            expires_at, environment, networks)
        SELECT t.id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
        FROM tenants t JOIN plans p ON p.id = t.plan_id
        WHERE t.id = ?1 AND (COALESCE(t.max_api_keys, p.max_api_keys, 9007199254740991) > (
            SELECT COUNT(*) FROM api_keys k WHERE k.tenant_id = ?1 AND k.revoked_at IS NULL
                AND k.replaced_by IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?7)))
            AND EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = ?1 AND m.user_id = ?3)
        RETURNING id";
    /// A key that was just inserted.
    RECORD_CREATED: TenantQuery = "api_keys.record_created",
        crate::record_where!("FROM api_keys WHERE tenant_id = ?1 AND id = ?5");
    /// `?1` tenant, `?2` key.
    GET: TenantQuery = "api_keys.get", concat!("SELECT ", shown!(), "
        FROM api_keys WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL");
    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most.
    LIST: TenantQuery = "api_keys.list", concat!("SELECT ", shown!(), "
        FROM api_keys
        WHERE tenant_id = ?1 AND (created_at, id) < (?2, ?3) AND deleted_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT ?4");
    /// `?1` tenant, `?2` key, `?3` now. Revoking twice keeps the first time.
    REVOKE: TenantQuery = "api_keys.revoke", concat!("
        UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?3)
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL
        RETURNING ", shown!());
    /// A key that is about to be revoked, for the first time.
    RECORD_REVOKED: TenantQuery = "api_keys.record_revoked", crate::record_where!("
        FROM api_keys WHERE tenant_id = ?1 AND id = ?5 AND revoked_at IS NULL");
    /// `?1` tenant, `?2` key, `?3` now. The row stays for the audit log, which names it.
    DELETE: TenantQuery = "api_keys.delete", "
        UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?3), deleted_at = ?3
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL
        RETURNING id";
    /// A key that is about to be deleted.
    RECORD_DELETED: TenantQuery = "api_keys.record_deleted", crate::record_where!("
        FROM api_keys WHERE tenant_id = ?1 AND id = ?5 AND deleted_at IS NULL");
    /// `?1` tenant, `?2` the old key, `?3` id, `?4` user, `?5` secret hash, `?6` now. Only from
    /// a key that lives and was not rerolled before, for a member; with its rights, and its end.
    REROLL: TenantQuery = "api_keys.reroll", "
        INSERT INTO api_keys (tenant_id, id, user_id, name, secret_hash, scopes, created_at,
            expires_at, environment, networks)
        SELECT tenant_id, ?3, ?4, name, ?5, scopes, ?6, expires_at, environment, networks
        FROM api_keys
        WHERE tenant_id = ?1 AND id = ?2 AND revoked_at IS NULL AND replaced_by IS NULL
            AND (expires_at IS NULL OR expires_at > ?6)
            AND EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = ?1 AND m.user_id = ?4)
        RETURNING id";
    /// `?1` tenant, `?2` the old key, `?3` the new one, `?4` end of the overlap. Only if the new
    /// one is there.
    REPLACE: TenantQuery = "api_keys.replace", "
        UPDATE api_keys SET replaced_by = ?3,
            expires_at = CASE WHEN expires_at < ?4 THEN expires_at ELSE ?4 END
        WHERE tenant_id = ?1 AND id = ?2 AND replaced_by IS NULL
            AND EXISTS (SELECT 1 FROM api_keys n WHERE n.tenant_id = ?1 AND n.id = ?3)";
    /// `?1` tenant, `?2` the old key, `?3` the new one, `?4` now. What the old key replaced ends,
    /// so that never more than two secrets of one key are alive.
    END_BEFORE: TenantQuery = "api_keys.end_before", "
        UPDATE api_keys SET expires_at = ?4
        WHERE tenant_id = ?1 AND replaced_by = ?2 AND expires_at > ?4
            AND EXISTS (SELECT 1 FROM api_keys n WHERE n.tenant_id = ?1 AND n.id = ?3)";
    /// `?1` key, `?2` how many more, `?3` when last.
    ADD_USES: CredentialQuery = "api_keys.add_uses", "
        UPDATE api_keys SET uses = uses + ?2,
            last_used_at = CASE WHEN last_used_at > ?3 THEN last_used_at ELSE ?3 END
        WHERE id = ?1";
}
