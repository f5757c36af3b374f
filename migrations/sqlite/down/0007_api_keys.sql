-- Undoes 0007_api_keys.sql: deleted keys come back into the list as revoked ones, and keys for tests
-- and keys with networks end, because the schema before would take them for keys without a bound.
UPDATE api_keys SET revoked_at = created_at
    WHERE revoked_at IS NULL AND (environment = 'test' OR networks IS NOT NULL);
ALTER TABLE api_keys DROP COLUMN deleted_at;
ALTER TABLE api_keys DROP COLUMN replaced_by;
ALTER TABLE api_keys DROP COLUMN last_used_at;
ALTER TABLE api_keys DROP COLUMN uses;
ALTER TABLE api_keys DROP COLUMN networks;
ALTER TABLE api_keys DROP COLUMN environment;
