-- The audit log becomes append-only and is chained: docs/audit.md, docs/decisions/0011.

-- Where from, what changed (JSON), and the MAC that the entry was written with; entries from before have none.
ALTER TABLE audit_log ADD COLUMN network TEXT;
ALTER TABLE audit_log ADD COLUMN change TEXT;
ALTER TABLE audit_log ADD COLUMN mac TEXT;

-- Entries that are in no link yet. No foreign key: a row without its entry tells that one is gone.
CREATE TABLE audit_pending (
    audit_id TEXT NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE audit_seals (
    position INTEGER NOT NULL PRIMARY KEY,
    audit_id TEXT NOT NULL UNIQUE,
    hash TEXT NOT NULL,
    mac TEXT NOT NULL
) STRICT;

INSERT INTO audit_pending (audit_id) SELECT id FROM audit_log;

CREATE TRIGGER audit_log_pending AFTER INSERT ON audit_log
BEGIN
    INSERT INTO audit_pending (audit_id) VALUES (NEW.id);
END;
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
CREATE TRIGGER audit_seals_no_update BEFORE UPDATE ON audit_seals
BEGIN
    SELECT RAISE(ABORT, 'audit_seals is append-only');
END;
CREATE TRIGGER audit_seals_no_delete BEFORE DELETE ON audit_seals
BEGIN
    SELECT RAISE(ABORT, 'audit_seals is append-only');
END;
