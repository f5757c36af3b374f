-- Undoes 0006_audit_chain.sql.
DROP TRIGGER audit_seals_no_delete;
DROP TRIGGER audit_seals_no_update;
DROP TRIGGER audit_log_no_delete;
DROP TRIGGER audit_log_no_update;
DROP TRIGGER audit_log_pending;
DROP TABLE audit_seals;
DROP TABLE audit_pending;
ALTER TABLE audit_log DROP COLUMN mac;
ALTER TABLE audit_log DROP COLUMN change;
ALTER TABLE audit_log DROP COLUMN network;
