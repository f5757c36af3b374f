-- Projects and agents: what a tenant's members make, and how many of them its plan allows.
-- NULL means unlimited, so the plans that the seed brings get their numbers here too.
ALTER TABLE plans ADD COLUMN max_projects INTEGER;
ALTER TABLE plans ADD COLUMN max_agents INTEGER;
UPDATE plans SET max_projects = 3, max_agents = 2 WHERE id = 'FREE';
UPDATE plans SET max_projects = 20, max_agents = 10 WHERE id = 'STARTER';
UPDATE plans SET max_projects = 200, max_agents = 100 WHERE id = 'PROFESSIONAL';

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    created_by TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    description TEXT,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX projects_tenant ON projects (tenant_id, created_at, id);
CREATE INDEX projects_live ON projects (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX projects_creator ON projects (created_by);
CREATE INDEX projects_deleted ON projects (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE agents (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    created_by TEXT NOT NULL REFERENCES users (id),
    project_id TEXT REFERENCES projects (id),
    name TEXT NOT NULL,
    description TEXT,
    model TEXT,
    configuration TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX agents_tenant ON agents (tenant_id, created_at, id);
CREATE INDEX agents_live ON agents (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX agents_project ON agents (project_id);
CREATE INDEX agents_creator ON agents (created_by);
CREATE INDEX agents_deleted ON agents (deleted_at) WHERE deleted_at IS NOT NULL;

-- What a client called a thing before it knew the id. No table of things holds such a name.
CREATE TABLE temp_ids (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL,
    temp_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, user_id, temp_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX temp_ids_expiry ON temp_ids (expires_at);
