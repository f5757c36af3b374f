-- Undoes 0019_billing.sql: invoices and incidents are gone.
UPDATE plans SET rate_limits = 'global=500,write=50,auth=150,ingest=3000,ai=100'
WHERE id = 'STARTER' AND rate_limits = 'global=500,write=50,auth=150,ingest=3000,ai=100,payments=25';
UPDATE plans SET rate_limits = 'global=2000,write=200,auth=600,ingest=12000,ai=400'
WHERE id = 'PROFESSIONAL' AND rate_limits = 'global=2000,write=200,auth=600,ingest=12000,ai=400,payments=100';
UPDATE plans SET rate_limits = 'global=10000,write=1000,auth=3000,ingest=60000,ai=2000'
WHERE id = 'ENTERPRISE' AND rate_limits = 'global=10000,write=1000,auth=3000,ingest=60000,ai=2000,payments=500';
DROP TABLE stripe_incidents;
DROP TABLE stripe_invoices;
DROP INDEX subscriptions_checked;
DROP INDEX subscriptions_past_due;
ALTER TABLE subscriptions DROP COLUMN checked_at;
ALTER TABLE subscriptions DROP COLUMN lapsed_at;
ALTER TABLE subscriptions DROP COLUMN past_due_since;
DROP INDEX tenants_stripe;
ALTER TABLE tenants DROP COLUMN stripe_checked_at;
ALTER TABLE tenants DROP COLUMN checkout_until;
