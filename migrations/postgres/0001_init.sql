-- Edgekeep's first schema. The rules are in migrations/README.md; the other dialect stands
-- beside this file under the same name, and a test compares the two.
-- Times are Unix milliseconds, money is minor units, ids are prefixed text, flags are nullable
-- times, states are text with a CHECK.

CREATE TABLE plans (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    monthly_events BIGINT,
    max_api_keys BIGINT,
    price_minor BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    stripe_lookup_key TEXT COLLATE "C" UNIQUE,
    sort BIGINT NOT NULL
);

CREATE TABLE tenants (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    plan_id TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
    epoch BIGINT NOT NULL DEFAULT 1,
    stripe_customer_id TEXT COLLATE "C" UNIQUE,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE TABLE users (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    email TEXT COLLATE "C" NOT NULL UNIQUE,
    password_hash TEXT COLLATE "C" NOT NULL,
    email_verified_at BIGINT,
    email_verification_hash TEXT COLLATE "C" UNIQUE,
    email_verification_expires_at BIGINT,
    password_reset_hash TEXT COLLATE "C" UNIQUE,
    password_reset_expires_at BIGINT,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX users_verification_expiry ON users (email_verification_expires_at)
    WHERE email_verification_expires_at IS NOT NULL;

CREATE TABLE memberships (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('founder', 'admin', 'agent', 'client')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE invitations (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    email TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('founder', 'admin', 'agent', 'client')),
    token_hash TEXT COLLATE "C" NOT NULL UNIQUE,
    invited_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    accepted_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX invitations_tenant ON invitations (tenant_id, created_at);
CREATE INDEX invitations_expiry ON invitations (expires_at);

CREATE TABLE sessions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    refresh_counter BIGINT NOT NULL,
    refreshed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    revoked_reason TEXT COLLATE "C"
);
CREATE INDEX sessions_user ON sessions (user_id, tenant_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE api_keys (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    name TEXT COLLATE "C" NOT NULL,
    secret_hash TEXT COLLATE "C" NOT NULL UNIQUE,
    scopes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at);

CREATE TABLE audit_log (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" REFERENCES tenants (id),
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX audit_log_tenant ON audit_log (tenant_id, created_at);

CREATE TABLE usage_events (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    source TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    meter TEXT COLLATE "C" NOT NULL,
    quantity BIGINT NOT NULL,
    subject TEXT COLLATE "C",
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id)
);
CREATE INDEX usage_events_time ON usage_events (tenant_id, occurred_at, source, event_id);

CREATE TABLE usage_hourly (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    meter TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    quantity BIGINT NOT NULL,
    events BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, meter, hour)
);

CREATE TABLE usage_months (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    month TEXT COLLATE "C" NOT NULL,
    events BIGINT NOT NULL,
    batch TEXT COLLATE "C" NOT NULL,
    admitted TEXT COLLATE "C",
    PRIMARY KEY (tenant_id, month)
);

CREATE TABLE subscriptions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    plan_id TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('incomplete', 'incomplete_expired', 'trialing',
        'active', 'past_due', 'canceled', 'unpaid', 'paused')),
    current_period_end BIGINT,
    cancel_at BIGINT,
    version_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX subscriptions_tenant ON subscriptions (tenant_id, updated_at);

CREATE TABLE stripe_inbox (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    type TEXT COLLATE "C" NOT NULL,
    object_id TEXT COLLATE "C",
    payload TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    done_at BIGINT,
    outcome TEXT COLLATE "C"
);
CREATE INDEX stripe_inbox_open ON stripe_inbox (received_at) WHERE done_at IS NULL;
CREATE INDEX stripe_inbox_done ON stripe_inbox (done_at);

CREATE TABLE payments (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'processing', 'paid', 'failed',
        'canceled', 'refunded', 'disputed')),
    amount_minor BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    stripe_payment_intent_id TEXT COLLATE "C" UNIQUE,
    metadata TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX payments_tenant ON payments (tenant_id, created_at);

CREATE TABLE jobs (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    kind TEXT COLLATE "C" NOT NULL,
    params TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed')),
    checkpoint TEXT COLLATE "C",
    parts BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    fence BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT NOT NULL,
    error TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX jobs_tenant ON jobs (tenant_id, created_at);
CREATE INDEX jobs_due ON jobs (leased_until) WHERE finished_at IS NULL;
CREATE INDEX jobs_finished ON jobs (finished_at);

CREATE TABLE job_parts (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    job_id TEXT COLLATE "C" NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    part BIGINT NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (job_id, part)
);

CREATE TABLE outbox (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" REFERENCES tenants (id),
    topic TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    relayed_at BIGINT
);
CREATE INDEX outbox_open ON outbox (created_at) WHERE relayed_at IS NULL;

CREATE TABLE mails (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    recipient TEXT COLLATE "C" NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    nonce TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    sent_at BIGINT,
    failed_at BIGINT,
    error TEXT COLLATE "C"
);
CREATE INDEX mails_due ON mails (leased_until) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX mails_recipient ON mails (recipient, created_at);
CREATE INDEX mails_age ON mails (created_at);

CREATE TABLE webhook_endpoints (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    url TEXT COLLATE "C" NOT NULL,
    topics TEXT COLLATE "C" NOT NULL,
    secret_sealed TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);
CREATE INDEX webhook_endpoints_tenant ON webhook_endpoints (tenant_id, created_at);

CREATE TABLE webhook_deliveries (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    endpoint_id TEXT COLLATE "C" NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    outbox_id TEXT COLLATE "C" NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    delivered_at BIGINT,
    last_status BIGINT,
    UNIQUE (endpoint_id, outbox_id)
);
CREATE INDEX webhook_deliveries_outbox ON webhook_deliveries (outbox_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE delivered_at IS NULL;

CREATE TABLE idempotency_keys (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    fingerprint TEXT COLLATE "C" NOT NULL,
    status BIGINT NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    location TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE exact_limits (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hits BIGINT NOT NULL,
    window_ends_at BIGINT NOT NULL
);
CREATE INDEX exact_limits_expiry ON exact_limits (window_ends_at);

CREATE TABLE scheduler_tasks (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    leased_until BIGINT NOT NULL,
    lease_token TEXT COLLATE "C" NOT NULL,
    next_at BIGINT NOT NULL,
    last_started_at BIGINT,
    last_finished_at BIGINT,
    last_outcome TEXT COLLATE "C",
    runs BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE feature_flags (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    enabled_at BIGINT,
    updated_at BIGINT NOT NULL
);

CREATE TABLE alerts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" REFERENCES tenants (id),
    kind TEXT COLLATE "C" NOT NULL,
    severity TEXT COLLATE "C" NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    message TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    resolved_at BIGINT
);
CREATE INDEX alerts_open ON alerts (created_at) WHERE resolved_at IS NULL;

CREATE TABLE ai_logs (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" REFERENCES users (id),
    model TEXT COLLATE "C" NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    cost_micros BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX ai_logs_tenant ON ai_logs (tenant_id, created_at);
CREATE INDEX ai_logs_age ON ai_logs (created_at);
