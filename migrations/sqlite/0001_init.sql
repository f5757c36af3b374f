-- Edgekeep's first schema. The rules are in migrations/README.md; the other dialect stands
-- beside this file under the same name, and a test compares the two.
-- Times are Unix milliseconds, money is minor units, ids are prefixed text, flags are nullable
-- times, states are text with a CHECK.

CREATE TABLE plans (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    monthly_events INTEGER,
    max_api_keys INTEGER,
    price_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    stripe_lookup_key TEXT UNIQUE,
    sort INTEGER NOT NULL
) STRICT;

CREATE TABLE tenants (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    plan_id TEXT NOT NULL REFERENCES plans (id),
    epoch INTEGER NOT NULL DEFAULT 1,
    stripe_customer_id TEXT UNIQUE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    email_verified_at INTEGER,
    email_verification_hash TEXT UNIQUE,
    email_verification_expires_at INTEGER,
    password_reset_hash TEXT UNIQUE,
    password_reset_expires_at INTEGER,
    disabled_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX users_verification_expiry ON users (email_verification_expires_at)
    WHERE email_verification_expires_at IS NOT NULL;

CREATE TABLE memberships (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('founder', 'admin', 'agent', 'client')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) STRICT;
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    email TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('founder', 'admin', 'agent', 'client')),
    token_hash TEXT NOT NULL UNIQUE,
    invited_by TEXT NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    accepted_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX invitations_tenant ON invitations (tenant_id, created_at);
CREATE INDEX invitations_expiry ON invitations (expires_at);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    refresh_counter INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_reason TEXT
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id, tenant_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE,
    scopes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at);

CREATE TABLE audit_log (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_log_tenant ON audit_log (tenant_id, created_at);

CREATE TABLE usage_events (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    meter TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    subject TEXT,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_events_time ON usage_events (tenant_id, occurred_at, source, event_id);

CREATE TABLE usage_hourly (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    meter TEXT NOT NULL,
    hour INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, meter, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_months (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    month TEXT NOT NULL,
    events INTEGER NOT NULL,
    batch TEXT NOT NULL,
    admitted TEXT,
    PRIMARY KEY (tenant_id, month)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscriptions (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    plan_id TEXT NOT NULL REFERENCES plans (id),
    status TEXT NOT NULL CHECK (status IN ('incomplete', 'incomplete_expired', 'trialing',
        'active', 'past_due', 'canceled', 'unpaid', 'paused')),
    current_period_end INTEGER,
    cancel_at INTEGER,
    version_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX subscriptions_tenant ON subscriptions (tenant_id, updated_at);

CREATE TABLE stripe_inbox (
    id TEXT NOT NULL PRIMARY KEY,
    type TEXT NOT NULL,
    object_id TEXT,
    payload TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    claimed_until INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    done_at INTEGER,
    outcome TEXT
) STRICT;
CREATE INDEX stripe_inbox_open ON stripe_inbox (received_at) WHERE done_at IS NULL;
CREATE INDEX stripe_inbox_done ON stripe_inbox (done_at);

CREATE TABLE payments (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    state TEXT NOT NULL CHECK (state IN ('pending', 'processing', 'paid', 'failed',
        'canceled', 'refunded', 'disputed')),
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    stripe_payment_intent_id TEXT UNIQUE,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX payments_tenant ON payments (tenant_id, created_at);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    params TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed')),
    checkpoint TEXT,
    parts INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL,
    error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX jobs_tenant ON jobs (tenant_id, created_at);
CREATE INDEX jobs_due ON jobs (leased_until) WHERE finished_at IS NULL;
CREATE INDEX jobs_finished ON jobs (finished_at);

CREATE TABLE job_parts (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (job_id, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    topic TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    relayed_at INTEGER
) STRICT;
CREATE INDEX outbox_open ON outbox (created_at) WHERE relayed_at IS NULL;

CREATE TABLE mails (
    id TEXT NOT NULL PRIMARY KEY,
    recipient TEXT NOT NULL,
    template TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER,
    failed_at INTEGER,
    error TEXT
) STRICT;
CREATE INDEX mails_due ON mails (leased_until) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX mails_recipient ON mails (recipient, created_at);
CREATE INDEX mails_age ON mails (created_at);

CREATE TABLE webhook_endpoints (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    url TEXT NOT NULL,
    topics TEXT NOT NULL,
    secret_sealed TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT;
CREATE INDEX webhook_endpoints_tenant ON webhook_endpoints (tenant_id, created_at);

CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    outbox_id TEXT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    attempts INTEGER NOT NULL,
    next_at INTEGER,
    delivered_at INTEGER,
    last_status INTEGER,
    UNIQUE (endpoint_id, outbox_id)
) STRICT;
CREATE INDEX webhook_deliveries_outbox ON webhook_deliveries (outbox_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE delivered_at IS NULL;

CREATE TABLE idempotency_keys (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    location TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE exact_limits (
    id TEXT NOT NULL PRIMARY KEY,
    hits INTEGER NOT NULL,
    window_ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX exact_limits_expiry ON exact_limits (window_ends_at);

CREATE TABLE scheduler_tasks (
    name TEXT NOT NULL PRIMARY KEY,
    leased_until INTEGER NOT NULL,
    lease_token TEXT NOT NULL,
    next_at INTEGER NOT NULL,
    last_started_at INTEGER,
    last_finished_at INTEGER,
    last_outcome TEXT,
    runs INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE feature_flags (
    name TEXT NOT NULL PRIMARY KEY,
    enabled_at INTEGER,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE alerts (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    kind TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    message TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    resolved_at INTEGER
) STRICT;
CREATE INDEX alerts_open ON alerts (created_at) WHERE resolved_at IS NULL;

CREATE TABLE ai_logs (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT REFERENCES users (id),
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    cost_micros INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ai_logs_tenant ON ai_logs (tenant_id, created_at);
CREATE INDEX ai_logs_age ON ai_logs (created_at);
