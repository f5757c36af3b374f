-- How often the callers of a plan's tenants may ask, and those of one tenant: as RATE_LIMITS says it
-- (docs/rate-limiting.md). NULL leaves what the level above says; what is not named is left too.
ALTER TABLE plans ADD COLUMN rate_limits TEXT COLLATE "C";
ALTER TABLE tenants ADD COLUMN rate_limits TEXT COLLATE "C";
UPDATE plans SET rate_limits = 'global=500,write=50,auth=150,ingest=3000,ai=100' WHERE id = 'STARTER';
UPDATE plans SET rate_limits = 'global=2000,write=200,auth=600,ingest=12000,ai=400' WHERE id = 'PROFESSIONAL';
UPDATE plans SET rate_limits = 'global=10000,write=1000,auth=3000,ingest=60000,ai=2000' WHERE id = 'ENTERPRISE';
