-- What usage is asked for: properties and corrections of events, definitions of meters, a tenant's own limits,
-- places of the quota that are held, thresholds that were passed.
ALTER TABLE usage_events ADD COLUMN properties TEXT COLLATE "C";
ALTER TABLE usage_events ADD COLUMN corrects TEXT COLLATE "C";
CREATE INDEX usage_events_corrects ON usage_events (tenant_id, source, corrects)
    WHERE corrects IS NOT NULL;
CREATE INDEX usage_months_month ON usage_months (month);

-- A tenant's own limits beat its plan's; NULL means the plan's, 9007199254740991 unlimited. Features
-- are names with blanks between them, one that begins with - is taken away.
ALTER TABLE tenants ADD COLUMN monthly_events BIGINT;
ALTER TABLE tenants ADD COLUMN max_api_keys BIGINT;
ALTER TABLE tenants ADD COLUMN max_projects BIGINT;
ALTER TABLE tenants ADD COLUMN max_agents BIGINT;
ALTER TABLE tenants ADD COLUMN features TEXT COLLATE "C";

CREATE TABLE meters (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    meter TEXT COLLATE "C" NOT NULL,
    event_type TEXT COLLATE "C" NOT NULL,
    aggregation TEXT COLLATE "C" NOT NULL CHECK (aggregation IN ('sum', 'count', 'max', 'unique', 'latest')),
    property TEXT COLLATE "C",
    group_by TEXT COLLATE "C" NOT NULL,
    unit TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, meter)
);

CREATE TABLE usage_reservations (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    month TEXT COLLATE "C" NOT NULL,
    events BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'finalised', 'expired')),
    token TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX usage_reservations_tenant ON usage_reservations (tenant_id, state);
CREATE INDEX usage_reservations_expiry ON usage_reservations (state, expires_at);
CREATE INDEX usage_reservations_token ON usage_reservations (token);
CREATE INDEX usage_reservations_age ON usage_reservations (updated_at);

CREATE TABLE usage_thresholds (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    meter TEXT COLLATE "C" NOT NULL,
    period TEXT COLLATE "C" NOT NULL,
    threshold BIGINT NOT NULL,
    used BIGINT NOT NULL,
    quota BIGINT NOT NULL,
    reached_at BIGINT NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, meter, period, threshold)
);
