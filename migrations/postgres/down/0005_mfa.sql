-- Undoes 0005_mfa.sql.
ALTER TABLE tenants DROP COLUMN mfa_required_for;
DROP TABLE mfa_challenges;
DROP TABLE mfa_recovery_codes;
DROP TABLE mfa_factors;
