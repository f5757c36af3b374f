-- The audit log becomes append-only and is chained: docs/audit.md, docs/decisions/0011.

-- Where from, what changed (JSON), and the MAC that the entry was written with; entries from before have none.
ALTER TABLE audit_log ADD COLUMN network TEXT COLLATE "C";
ALTER TABLE audit_log ADD COLUMN change TEXT COLLATE "C";
ALTER TABLE audit_log ADD COLUMN mac TEXT COLLATE "C";

-- Entries that are in no link yet. No foreign key: a row without its entry tells that one is gone.
CREATE TABLE audit_pending (
    audit_id TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE TABLE audit_seals (
    position BIGINT NOT NULL PRIMARY KEY,
    audit_id TEXT COLLATE "C" NOT NULL UNIQUE,
    hash TEXT COLLATE "C" NOT NULL,
    mac TEXT COLLATE "C" NOT NULL
);

INSERT INTO audit_pending (audit_id) SELECT id FROM audit_log;

CREATE FUNCTION audit_log_pending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_pending (audit_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_log_pending AFTER INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_pending();

CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
