-- Undoes 0021_payments.sql: payments are gone.
DROP TABLE payment_transitions;
DROP TABLE payments;
DROP TABLE products;
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
CREATE INDEX payments_user ON payments (user_id);
