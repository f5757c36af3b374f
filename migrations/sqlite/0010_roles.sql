-- Roles that a tenant makes, and what each plan has. A membership keeps one of the four roles, on which
-- its own role is based; the build before knows only that one, so make roles when all functions are new.

CREATE TABLE roles (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    base TEXT NOT NULL CHECK (base IN ('admin', 'agent', 'client')),
    permissions INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant_id, name)
) STRICT;

ALTER TABLE memberships ADD COLUMN role_id TEXT REFERENCES roles (id);
CREATE INDEX memberships_role ON memberships (role_id);
ALTER TABLE invitations ADD COLUMN role_id TEXT REFERENCES roles (id) ON DELETE SET NULL;
CREATE INDEX invitations_role ON invitations (role_id);

-- Names with a blank between them.
ALTER TABLE plans ADD COLUMN features TEXT NOT NULL DEFAULT '';
UPDATE plans SET features = 'custom_roles teams' WHERE id <> 'FREE';
