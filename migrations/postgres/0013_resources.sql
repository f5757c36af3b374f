-- Projects and agents: what a tenant's members make, and how many of them its plan allows.
-- NULL means unlimited, so the plans that the seed brings get their numbers here too.
ALTER TABLE plans ADD COLUMN max_projects BIGINT;
ALTER TABLE plans ADD COLUMN max_agents BIGINT;
UPDATE plans SET max_projects = 3, max_agents = 2 WHERE id = 'FREE';
UPDATE plans SET max_projects = 20, max_agents = 10 WHERE id = 'STARTER';
UPDATE plans SET max_projects = 200, max_agents = 100 WHERE id = 'PROFESSIONAL';

CREATE TABLE projects (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    created_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    metadata TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX projects_tenant ON projects (tenant_id, created_at, id);
CREATE INDEX projects_live ON projects (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX projects_creator ON projects (created_by);
CREATE INDEX projects_deleted ON projects (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE agents (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    created_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    project_id TEXT COLLATE "C" REFERENCES projects (id),
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    model TEXT COLLATE "C",
    configuration TEXT COLLATE "C" NOT NULL,
    metadata TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX agents_tenant ON agents (tenant_id, created_at, id);
CREATE INDEX agents_live ON agents (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX agents_project ON agents (project_id);
CREATE INDEX agents_creator ON agents (created_by);
CREATE INDEX agents_deleted ON agents (deleted_at) WHERE deleted_at IS NOT NULL;

-- What a client called a thing before it knew the id. No table of things holds such a name.
CREATE TABLE temp_ids (
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    user_id TEXT COLLATE "C" NOT NULL,
    temp_id TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, temp_id)
);
CREATE INDEX temp_ids_expiry ON temp_ids (expires_at);
