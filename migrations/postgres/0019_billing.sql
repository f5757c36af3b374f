-- Subscriptions that are managed from here, and what Stripe tells of money.

-- While somebody begins a Checkout for the tenant, nobody else does.
ALTER TABLE tenants ADD COLUMN checkout_until BIGINT;
-- When the tenant's customer was last looked at in Stripe.
ALTER TABLE tenants ADD COLUMN stripe_checked_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tenants_stripe ON tenants (stripe_checked_at) WHERE stripe_customer_id IS NOT NULL;

-- Since when it is past due, and when the grace after that was over; NULL in every other state.
ALTER TABLE subscriptions ADD COLUMN past_due_since BIGINT;
ALTER TABLE subscriptions ADD COLUMN lapsed_at BIGINT;
-- When Stripe or an event of Stripe's last told of it; NULL once it has ended for good.
ALTER TABLE subscriptions ADD COLUMN checked_at BIGINT;
UPDATE subscriptions SET checked_at = 0 WHERE status NOT IN ('canceled', 'incomplete_expired');
CREATE INDEX subscriptions_past_due ON subscriptions (past_due_since)
    WHERE past_due_since IS NOT NULL AND lapsed_at IS NULL;
CREATE INDEX subscriptions_checked ON subscriptions (checked_at) WHERE checked_at IS NOT NULL;

-- Invoices that Stripe makes for subscriptions; ours for usage are in `invoices`.
CREATE TABLE stripe_invoices (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    number TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('draft', 'open', 'paid', 'uncollectible', 'void')),
    currency TEXT COLLATE "C" NOT NULL,
    total_minor BIGINT NOT NULL,
    paid_minor BIGINT NOT NULL,
    subscription_id TEXT COLLATE "C",
    period_start BIGINT,
    period_end BIGINT,
    hosted_url TEXT COLLATE "C",
    failed_at BIGINT,
    version_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX stripe_invoices_tenant ON stripe_invoices (tenant_id, created_at);

-- Money that goes back: refunds of a charge, and disputes.
CREATE TABLE stripe_incidents (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" REFERENCES tenants (id),
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('refund', 'dispute')),
    status TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    charge_id TEXT COLLATE "C",
    payment_intent_id TEXT COLLATE "C",
    version_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX stripe_incidents_tenant ON stripe_incidents (tenant_id, created_at);

-- Limits that nobody has edited.
UPDATE plans SET rate_limits = 'global=500,write=50,auth=150,ingest=3000,ai=100,payments=25'
WHERE id = 'STARTER' AND rate_limits = 'global=500,write=50,auth=150,ingest=3000,ai=100';
UPDATE plans SET rate_limits = 'global=2000,write=200,auth=600,ingest=12000,ai=400,payments=100'
WHERE id = 'PROFESSIONAL' AND rate_limits = 'global=2000,write=200,auth=600,ingest=12000,ai=400';
UPDATE plans SET rate_limits = 'global=10000,write=1000,auth=3000,ingest=60000,ai=2000,payments=500'
WHERE id = 'ENTERPRISE' AND rate_limits = 'global=10000,write=1000,auth=3000,ingest=60000,ai=2000';
