-- Second factors: what a user has set up, the codes for when it is lost, sign-ins that wait for it, and
-- which tenants ask for it.

CREATE TABLE mfa_factors (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('totp', 'email')),
    secret TEXT COLLATE "C",
    last_step BIGINT NOT NULL DEFAULT 0,
    code_expires_at BIGINT,
    tries BIGINT NOT NULL DEFAULT 0,
    claimed_by TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    enabled_at BIGINT,
    PRIMARY KEY (user_id, kind)
);
CREATE INDEX mfa_factors_pending ON mfa_factors (created_at) WHERE enabled_at IS NULL;

CREATE TABLE mfa_recovery_codes (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    claimed_by TEXT COLLATE "C",
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE mfa_challenges (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    amr TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    session_id TEXT COLLATE "C" UNIQUE
);
CREATE INDEX mfa_challenges_user ON mfa_challenges (user_id);
CREATE INDEX mfa_challenges_tenant ON mfa_challenges (tenant_id);
CREATE INDEX mfa_challenges_expiry ON mfa_challenges (expires_at);

ALTER TABLE tenants ADD COLUMN mfa_required_for TEXT COLLATE "C" CHECK (mfa_required_for IN ('all', 'admins'));
