-- Undoes 0016_outbox.sql: events keep what they had before.
ALTER TABLE mails DROP COLUMN detail;
DROP TABLE inbox;
DROP INDEX outbox_relayed;
DROP INDEX outbox_due;
ALTER TABLE outbox DROP COLUMN last_error;
ALTER TABLE outbox DROP COLUMN attempts;
ALTER TABLE outbox DROP COLUMN claimed_until;
ALTER TABLE outbox DROP COLUMN version;
