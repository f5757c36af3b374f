-- Undoes 0015_rate_limits.sql: limits of plans and tenants are gone.
ALTER TABLE tenants DROP COLUMN rate_limits;
ALTER TABLE plans DROP COLUMN rate_limits;
