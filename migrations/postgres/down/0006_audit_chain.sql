-- Undoes 0006_audit_chain.sql.
DROP TRIGGER audit_seals_append_only ON audit_seals;
DROP TRIGGER audit_log_append_only ON audit_log;
DROP TRIGGER audit_log_pending ON audit_log;
DROP FUNCTION audit_append_only();
DROP FUNCTION audit_log_pending();
DROP TABLE audit_seals;
DROP TABLE audit_pending;
ALTER TABLE audit_log DROP COLUMN mac;
ALTER TABLE audit_log DROP COLUMN change;
ALTER TABLE audit_log DROP COLUMN network;
