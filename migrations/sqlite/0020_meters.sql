-- What usage is asked for: properties and corrections of events, definitions of meters, a tenant's own limits,
-- places of the quota that are held, thresholds that were passed.
ALTER TABLE usage_events ADD COLUMN properties TEXT;
ALTER TABLE usage_events ADD COLUMN corrects TEXT;
CREATE INDEX usage_events_corrects ON usage_events (tenant_id, source, corrects)
    WHERE corrects IS NOT NULL;
CREATE INDEX usage_months_month ON usage_months (month);

-- A tenant's own limits beat its plan's; NULL means the plan's, 9007199254740991 unlimited. Features
-- are names with blanks between them, one that begins with - is taken away.
ALTER TABLE tenants ADD COLUMN monthly_events INTEGER;
ALTER TABLE tenants ADD COLUMN max_api_keys INTEGER;
ALTER TABLE tenants ADD COLUMN max_projects INTEGER;
ALTER TABLE tenants ADD COLUMN max_agents INTEGER;
ALTER TABLE tenants ADD COLUMN features TEXT;

CREATE TABLE meters (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    meter TEXT NOT NULL,
    event_type TEXT NOT NULL,
    aggregation TEXT NOT NULL CHECK (aggregation IN ('sum', 'count', 'max', 'unique', 'latest')),
    property TEXT,
    group_by TEXT NOT NULL,
    unit TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, meter)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_reservations (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    month TEXT NOT NULL,
    events INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'finalised', 'expired')),
    token TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX usage_reservations_tenant ON usage_reservations (tenant_id, state);
CREATE INDEX usage_reservations_expiry ON usage_reservations (state, expires_at);
CREATE INDEX usage_reservations_token ON usage_reservations (token);
CREATE INDEX usage_reservations_age ON usage_reservations (updated_at);

CREATE TABLE usage_thresholds (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    meter TEXT NOT NULL,
    period TEXT NOT NULL,
    threshold INTEGER NOT NULL,
    used INTEGER NOT NULL,
    quota INTEGER NOT NULL,
    reached_at INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, meter, period, threshold)
) STRICT, WITHOUT ROWID;
