-- Undoes 0010_tenant_domains.sql.
DROP TABLE tenant_domains;
