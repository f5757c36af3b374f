-- Teams: groups of members within a tenant. Who is no member of the tenant any more is in none of its teams.

CREATE TABLE teams (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant_id, name)
);
CREATE INDEX teams_tenant ON teams (tenant_id, created_at);

CREATE TABLE team_members (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    team_id TEXT COLLATE "C" NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (team_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX team_members_tenant ON team_members (tenant_id);
CREATE INDEX team_members_user ON team_members (user_id, tenant_id);
