-- Payments of single sums, through PaymentIntents of Stripe's. Nothing ever wrote the table that was here.
DROP TABLE payments;

-- What can be paid for, at a price that the operator sets.
CREATE TABLE products (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    unit_amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    max_quantity INTEGER NOT NULL,
    retired_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE payments (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    status TEXT NOT NULL DEFAULT 'payment_pending' CHECK (status IN ('payment_pending', 'processing',
        'paid', 'confirmed', 'completed', 'payment_failed', 'cancelled')),
    -- What it was before, and the entry of payment_transitions that tells so.
    previous TEXT,
    transition_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    -- The client's idempotency key, hashed, for a day; then NULL.
    request TEXT UNIQUE,
    payment_intent_id TEXT UNIQUE,
    payment_method TEXT,
    -- What whoever pays has to do, by Stripe's word for it.
    next_action TEXT,
    error TEXT,
    metadata TEXT NOT NULL,
    -- The event that told of it; its mail goes to whoever has paid.
    paid_event TEXT UNIQUE,
    refund_id TEXT,
    refunded_minor INTEGER NOT NULL DEFAULT 0,
    refunded_at INTEGER,
    version INTEGER NOT NULL,
    -- When Stripe is asked whether an event was missed; NULL where none can come.
    next_check_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    paid_at INTEGER,
    confirmed_at INTEGER,
    completed_at INTEGER,
    cancelled_at INTEGER
) STRICT;
CREATE INDEX payments_tenant ON payments (tenant_id, created_at);
CREATE INDEX payments_user ON payments (user_id, status);
CREATE INDEX payments_refund ON payments (refund_id) WHERE refund_id IS NOT NULL;
CREATE INDEX payments_due ON payments (next_check_at) WHERE next_check_at IS NOT NULL;

-- Every change of a payment's status, with what caused it.
CREATE TABLE payment_transitions (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    payment_id TEXT NOT NULL REFERENCES payments (id),
    from_status TEXT,
    to_status TEXT NOT NULL,
    cause TEXT NOT NULL,
    -- Of the payment, after the change.
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX payment_transitions_payment ON payment_transitions (tenant_id, payment_id);
