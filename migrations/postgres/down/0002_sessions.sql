-- Undoes 0002_sessions.sql.
ALTER TABLE sessions DROP COLUMN amr;
ALTER TABLE sessions DROP COLUMN ends_at;
ALTER TABLE sessions DROP COLUMN network;
ALTER TABLE sessions DROP COLUMN user_agent;
