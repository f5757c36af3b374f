-- The plans a new installation starts with; running it again changes nothing that was edited.
-- Portable: the same file serves D1, SQLite and Postgres. NULL means unlimited.
INSERT INTO plans (id, name, monthly_events, max_api_keys, max_projects, max_agents, price_minor, currency, stripe_lookup_key, sort, features) VALUES
    ('FREE', 'Free', 1000, 5, 3, 2, 0, 'usd', NULL, 1, ''),
    ('STARTER', 'Starter', 100000, 10, 20, 10, 2900, 'usd', 'edgekeep_starter_monthly', 2, 'custom_roles teams'),
    ('PROFESSIONAL', 'Professional', 5000000, 50, 200, 100, 19900, 'usd', 'edgekeep_professional_monthly', 3, 'custom_roles teams'),
    ('ENTERPRISE', 'Enterprise', NULL, NULL, NULL, NULL, 99900, 'usd', 'edgekeep_enterprise_monthly', 4, 'custom_roles teams')
ON CONFLICT (id) DO NOTHING;
