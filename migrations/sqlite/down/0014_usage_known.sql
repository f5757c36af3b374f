-- Undoes 0014_usage_known.sql.
ALTER TABLE usage_months DROP COLUMN known;
