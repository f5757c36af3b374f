-- What a plan charges for usage, and the invoices that are made of it.

-- The price of a meter's units, from a month (`2026-11`) on until one with a later month.
CREATE TABLE prices (
    plan_id TEXT NOT NULL REFERENCES plans (id),
    meter TEXT NOT NULL,
    from_month TEXT NOT NULL,
    unit_amount_minor INTEGER NOT NULL,
    per_units INTEGER NOT NULL,
    included_units INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (plan_id, meter, from_month)
) STRICT;

CREATE TABLE invoices (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    sequence INTEGER UNIQUE,
    month TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'uncollectible', 'void')),
    currency TEXT NOT NULL,
    total_minor INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX invoices_month ON invoices (tenant_id, month);
CREATE INDEX invoices_tenant ON invoices (tenant_id, created_at, id);

-- A month's usage that was not on an invoice before; late events come with a later invoice.
CREATE TABLE invoice_lines (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    invoice_id TEXT NOT NULL REFERENCES invoices (id),
    position INTEGER NOT NULL,
    meter TEXT NOT NULL,
    month TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit_amount_minor INTEGER NOT NULL,
    per_units INTEGER NOT NULL,
    included_units INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (invoice_id, position)
) STRICT;
CREATE INDEX invoice_lines_month ON invoice_lines (tenant_id, month);

-- The last number that was given to an invoice: one row, so that there is no gap.
CREATE TABLE invoice_numbers (
    id INTEGER NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;
INSERT INTO invoice_numbers (id, last) VALUES (1, 0);

ALTER TABLE tenants ADD COLUMN invoiced_through TEXT NOT NULL DEFAULT '';
CREATE INDEX tenants_invoiced ON tenants (invoiced_through, id);
