-- What a key is besides its secret: where it counts, from where it may be used, how much it is used,
-- and what replaced it. A deleted key stays as a row that no list shows, because the audit log names it.
ALTER TABLE api_keys ADD COLUMN environment TEXT COLLATE "C" NOT NULL DEFAULT 'live' CHECK (environment IN ('live', 'test'));
-- Networks in CIDR form with a space between them; NULL is everywhere.
ALTER TABLE api_keys ADD COLUMN networks TEXT COLLATE "C";
ALTER TABLE api_keys ADD COLUMN uses BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
-- Id of the key that was made from this one, by a reroll.
ALTER TABLE api_keys ADD COLUMN replaced_by TEXT COLLATE "C";
ALTER TABLE api_keys ADD COLUMN deleted_at BIGINT;
