-- Payments of single sums, through PaymentIntents of Stripe's. Nothing ever wrote the table that was here.
DROP TABLE payments;

-- What can be paid for, at a price that the operator sets.
CREATE TABLE products (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    unit_amount_minor BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    max_quantity BIGINT NOT NULL,
    retired_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE payments (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    status TEXT COLLATE "C" NOT NULL DEFAULT 'payment_pending' CHECK (status IN ('payment_pending', 'processing',
        'paid', 'confirmed', 'completed', 'payment_failed', 'cancelled')),
    -- What it was before, and the entry of payment_transitions that tells so.
    previous TEXT COLLATE "C",
    transition_id TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    quantity BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    -- The client's idempotency key, hashed, for a day; then NULL.
    request TEXT COLLATE "C" UNIQUE,
    payment_intent_id TEXT COLLATE "C" UNIQUE,
    payment_method TEXT COLLATE "C",
    -- What whoever pays has to do, by Stripe's word for it.
    next_action TEXT COLLATE "C",
    error TEXT COLLATE "C",
    metadata TEXT COLLATE "C" NOT NULL,
    -- The event that told of it; its mail goes to whoever has paid.
    paid_event TEXT COLLATE "C" UNIQUE,
    refund_id TEXT COLLATE "C",
    refunded_minor BIGINT NOT NULL DEFAULT 0,
    refunded_at BIGINT,
    version BIGINT NOT NULL,
    -- When Stripe is asked whether an event was missed; NULL where none can come.
    next_check_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    paid_at BIGINT,
    confirmed_at BIGINT,
    completed_at BIGINT,
    cancelled_at BIGINT
);
CREATE INDEX payments_tenant ON payments (tenant_id, created_at);
CREATE INDEX payments_user ON payments (user_id, status);
CREATE INDEX payments_refund ON payments (refund_id) WHERE refund_id IS NOT NULL;
CREATE INDEX payments_due ON payments (next_check_at) WHERE next_check_at IS NOT NULL;

-- Every change of a payment's status, with what caused it.
CREATE TABLE payment_transitions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    payment_id TEXT COLLATE "C" NOT NULL REFERENCES payments (id),
    from_status TEXT COLLATE "C",
    to_status TEXT COLLATE "C" NOT NULL,
    cause TEXT COLLATE "C" NOT NULL,
    -- Of the payment, after the change.
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX payment_transitions_payment ON payment_transitions (tenant_id, payment_id);
