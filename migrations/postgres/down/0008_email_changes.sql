-- Undoes 0008_email_changes.sql: changes under way would end the session that asked for them, so they
-- are asked for anew.
DELETE FROM email_changes;
ALTER TABLE email_changes DROP COLUMN session_id;
