-- Subscriptions that are managed from here, and what Stripe tells of money.

-- While somebody begins a Checkout for the tenant, nobody else does.
ALTER TABLE tenants ADD COLUMN checkout_until INTEGER;
-- When the tenant's customer was last looked at in Stripe.
ALTER TABLE tenants ADD COLUMN stripe_checked_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tenants_stripe ON tenants (stripe_checked_at) WHERE stripe_customer_id IS NOT NULL;

-- Since when it is past due, and when the grace after that was over; NULL in every other state.
ALTER TABLE subscriptions ADD COLUMN past_due_since INTEGER;
ALTER TABLE subscriptions ADD COLUMN lapsed_at INTEGER;
-- When Stripe or an event of Stripe's last told of it; NULL once it has ended for good.
ALTER TABLE subscriptions ADD COLUMN checked_at INTEGER;
UPDATE subscriptions SET checked_at = 0 WHERE status NOT IN ('canceled', 'incomplete_expired');
CREATE INDEX subscriptions_past_due ON subscriptions (past_due_since)
    WHERE past_due_since IS NOT NULL AND lapsed_at IS NULL;
CREATE INDEX subscriptions_checked ON subscriptions (checked_at) WHERE checked_at IS NOT NULL;

-- Invoices that Stripe makes for subscriptions; ours for usage are in `invoices`.
CREATE TABLE stripe_invoices (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    number TEXT,
    status TEXT NOT NULL CHECK (status IN ('draft', 'open', 'paid', 'uncollectible', 'void')),
    currency TEXT NOT NULL,
    total_minor INTEGER NOT NULL,
    paid_minor INTEGER NOT NULL,
    subscription_id TEXT,
    period_start INTEGER,
    period_end INTEGER,
    hosted_url TEXT,
    failed_at INTEGER,
    version_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX stripe_invoices_tenant ON stripe_invoices (tenant_id, created_at);

-- Money that goes back: refunds of a charge, and disputes.
CREATE TABLE stripe_incidents (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    kind TEXT NOT NULL CHECK (kind IN ('refund', 'dispute')),
    status TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    charge_id TEXT,
    payment_intent_id TEXT,
    version_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX stripe_incidents_tenant ON stripe_incidents (tenant_id, created_at);

-- Limits that nobody has edited.
UPDATE plans SET rate_limits = 'global=500,write=50,auth=150,ingest=3000,ai=100,payments=25'
WHERE id = 'STARTER' AND rate_limits = 'global=500,write=50,auth=150,ingest=3000,ai=100';
UPDATE plans SET rate_limits = 'global=2000,write=200,auth=600,ingest=12000,ai=400,payments=100'
WHERE id = 'PROFESSIONAL' AND rate_limits = 'global=2000,write=200,auth=600,ingest=12000,ai=400';
UPDATE plans SET rate_limits = 'global=10000,write=1000,auth=3000,ingest=60000,ai=2000,payments=500'
WHERE id = 'ENTERPRISE' AND rate_limits = 'global=10000,write=1000,auth=3000,ingest=60000,ai=2000';
