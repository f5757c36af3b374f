-- Undoes 0023_usage_logs.sql: what was tracked of requests is gone.
DROP TABLE usage_logs;
