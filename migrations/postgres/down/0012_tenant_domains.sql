-- Undoes 0012_tenant_domains.sql.
DROP TABLE tenant_domains;
