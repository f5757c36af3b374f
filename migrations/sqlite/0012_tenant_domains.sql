-- Whose host a request came by.

CREATE TABLE tenant_domains (
    domain TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tenant_domains_tenant ON tenant_domains (tenant_id);
