-- Lockout after wrong secrets, the life of accounts that were never confirmed or were deleted, and
-- changes of address.

CREATE TABLE failed_auth_attempts (
    id TEXT NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    lockouts INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX failed_auth_attempts_expiry ON failed_auth_attempts (expires_at);

CREATE TABLE email_changes (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    email TEXT NOT NULL,
    old_hash TEXT NOT NULL UNIQUE,
    new_hash TEXT NOT NULL UNIQUE,
    old_confirmed_at INTEGER,
    new_confirmed_at INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX email_changes_expiry ON email_changes (expires_at);

CREATE INDEX users_unverified ON users (updated_at) WHERE email_verified_at IS NULL;
CREATE INDEX users_reset_expiry ON users (password_reset_expires_at)
    WHERE password_reset_expires_at IS NOT NULL;
CREATE INDEX tenants_deleted ON tenants (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX api_keys_user ON api_keys (user_id);

-- Deleting a tenant or a user looks for their rows everywhere.
CREATE INDEX alerts_tenant ON alerts (tenant_id);
CREATE INDEX ai_logs_user ON ai_logs (user_id);
CREATE INDEX idempotency_keys_tenant ON idempotency_keys (tenant_id);
CREATE INDEX invitations_inviter ON invitations (invited_by);
CREATE INDEX job_parts_tenant ON job_parts (tenant_id);
CREATE INDEX jobs_user ON jobs (user_id);
CREATE INDEX outbox_tenant ON outbox (tenant_id);
CREATE INDEX payments_user ON payments (user_id);
CREATE INDEX sessions_tenant ON sessions (tenant_id);
CREATE INDEX webhook_deliveries_tenant ON webhook_deliveries (tenant_id);
