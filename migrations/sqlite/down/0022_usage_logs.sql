-- Undoes 0022_usage_logs.sql: what was tracked of requests is gone.
DROP TABLE usage_logs;
