-- Undoes 0011_tenant_domains.sql.
DROP TABLE tenant_domains;
