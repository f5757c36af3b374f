-- Undoes 0021_payments.sql: payments are gone.
DROP TABLE payment_transitions;
DROP TABLE payments;
DROP TABLE products;
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
CREATE INDEX payments_user ON payments (user_id);
