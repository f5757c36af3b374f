-- Roles that a tenant makes, and what each plan has. A membership keeps one of the four roles, on which
-- its own role is based; the build before knows only that one, so make roles when all functions are new.

CREATE TABLE roles (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    name TEXT COLLATE "C" NOT NULL,
    base TEXT COLLATE "C" NOT NULL CHECK (base IN ('admin', 'agent', 'client')),
    permissions BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant_id, name)
);

ALTER TABLE memberships ADD COLUMN role_id TEXT COLLATE "C" REFERENCES roles (id);
CREATE INDEX memberships_role ON memberships (role_id);
ALTER TABLE invitations ADD COLUMN role_id TEXT COLLATE "C" REFERENCES roles (id) ON DELETE SET NULL;
CREATE INDEX invitations_role ON invitations (role_id);

-- Names with a blank between them.
ALTER TABLE plans ADD COLUMN features TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE plans SET features = 'custom_roles teams' WHERE id <> 'FREE';
