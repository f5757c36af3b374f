-- The session that asked for a change of address: it stays when the others end. Without a reference,
-- because sessions are deleted when they are over.
ALTER TABLE email_changes ADD COLUMN session_id TEXT COLLATE "C";
