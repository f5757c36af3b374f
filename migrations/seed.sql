-- The plans a new installation starts with; running it again changes nothing that was edited.
-- Portable: the same file serves D1, SQLite and Postgres. NULL means unlimited;
-- of rate_limits, the installation's own.
INSERT INTO plans (id, name, monthly_events, max_api_keys, max_projects, max_agents, price_minor, currency, stripe_lookup_key, sort, features, rate_limits) VALUES
    ('FREE', 'Free', 1000, 5, 3, 2, 0, 'usd', NULL, 1, '', NULL),
    ('STARTER', 'Starter', 100000, 10, 20, 10, 2900, 'usd', 'edgekeep_starter_monthly', 2, 'custom_roles teams',
        'global=500,write=50,auth=150,ingest=3000,ai=100,payments=25'),
    ('PROFESSIONAL', 'Professional', 5000000, 50, 200, 100, 19900, 'usd', 'edgekeep_professional_monthly', 3, 'custom_roles teams',
        'global=2000,write=200,auth=600,ingest=12000,ai=400,payments=100'),
    ('ENTERPRISE', 'Enterprise', NULL, NULL, NULL, NULL, 99900, 'usd', 'edgekeep_enterprise_monthly', 4, 'custom_roles teams',
        'global=10000,write=1000,auth=3000,ingest=60000,ai=2000,payments=500')
ON CONFLICT (id) DO NOTHING;
