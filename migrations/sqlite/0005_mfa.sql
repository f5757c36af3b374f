-- Second factors: what a user has set up, the codes for when it is lost, sign-ins that wait for it, and
-- which tenants ask for it.

CREATE TABLE mfa_factors (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('totp', 'email')),
    secret TEXT,
    last_step INTEGER NOT NULL DEFAULT 0,
    code_expires_at INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    claimed_by TEXT,
    created_at INTEGER NOT NULL,
    enabled_at INTEGER,
    PRIMARY KEY (user_id, kind)
) STRICT;
CREATE INDEX mfa_factors_pending ON mfa_factors (created_at) WHERE enabled_at IS NULL;

CREATE TABLE mfa_recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    claimed_by TEXT,
    PRIMARY KEY (user_id, code_hash)
) STRICT;

CREATE TABLE mfa_challenges (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    amr TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    session_id TEXT UNIQUE
) STRICT;
CREATE INDEX mfa_challenges_user ON mfa_challenges (user_id);
CREATE INDEX mfa_challenges_tenant ON mfa_challenges (tenant_id);
CREATE INDEX mfa_challenges_expiry ON mfa_challenges (expires_at);

ALTER TABLE tenants ADD COLUMN mfa_required_for TEXT CHECK (mfa_required_for IN ('all', 'admins'));
