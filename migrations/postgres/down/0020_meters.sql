-- Undoes 0020_meters.sql: definitions, limits of tenants, reservations, and properties and corrections of events
-- are gone. What corrections took from the hours stays taken.
DROP TABLE usage_thresholds;
DROP TABLE usage_reservations;
DROP TABLE meters;
ALTER TABLE tenants DROP COLUMN features;
ALTER TABLE tenants DROP COLUMN max_agents;
ALTER TABLE tenants DROP COLUMN max_projects;
ALTER TABLE tenants DROP COLUMN max_api_keys;
ALTER TABLE tenants DROP COLUMN monthly_events;
DROP INDEX usage_months_month;
DROP INDEX usage_events_corrects;
ALTER TABLE usage_events DROP COLUMN corrects;
ALTER TABLE usage_events DROP COLUMN properties;
