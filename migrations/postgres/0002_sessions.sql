-- What a session shows to its owner, how its holder proved who they are, and when it ends at the latest.

ALTER TABLE sessions ADD COLUMN user_agent TEXT COLLATE "C";
ALTER TABLE sessions ADD COLUMN network TEXT COLLATE "C";
ALTER TABLE sessions ADD COLUMN ends_at BIGINT;
ALTER TABLE sessions ADD COLUMN amr TEXT COLLATE "C" NOT NULL DEFAULT 'pwd';
