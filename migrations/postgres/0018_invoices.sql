-- What a plan charges for usage, and the invoices that are made of it.

-- The price of a meter's units, from a month (`2026-11`) on until one with a later month.
CREATE TABLE prices (
    plan_id TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
    meter TEXT COLLATE "C" NOT NULL,
    from_month TEXT COLLATE "C" NOT NULL,
    unit_amount_minor BIGINT NOT NULL,
    per_units BIGINT NOT NULL,
    included_units BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (plan_id, meter, from_month)
);

CREATE TABLE invoices (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    sequence BIGINT UNIQUE,
    month TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('open', 'paid', 'uncollectible', 'void')),
    currency TEXT COLLATE "C" NOT NULL,
    total_minor BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX invoices_month ON invoices (tenant_id, month);
CREATE INDEX invoices_tenant ON invoices (tenant_id, created_at, id);

-- A month's usage that was not on an invoice before; late events come with a later invoice.
CREATE TABLE invoice_lines (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    invoice_id TEXT COLLATE "C" NOT NULL REFERENCES invoices (id),
    position BIGINT NOT NULL,
    meter TEXT COLLATE "C" NOT NULL,
    month TEXT COLLATE "C" NOT NULL,
    quantity BIGINT NOT NULL,
    unit_amount_minor BIGINT NOT NULL,
    per_units BIGINT NOT NULL,
    included_units BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    PRIMARY KEY (invoice_id, position)
);
CREATE INDEX invoice_lines_month ON invoice_lines (tenant_id, month);

-- The last number that was given to an invoice: one row, so that there is no gap.
CREATE TABLE invoice_numbers (
    id BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO invoice_numbers (id, last) VALUES (1, 0);

ALTER TABLE tenants ADD COLUMN invoiced_through TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX tenants_invoiced ON tenants (invoiced_through, id);
