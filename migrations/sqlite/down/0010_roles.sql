-- Undoes 0010_roles.sql. Who had a role that a tenant made held a part of what its base holds, which the
-- schema before cannot say: they become clients, who hold the least, and open invitations to such a role end.
ALTER TABLE plans DROP COLUMN features;
UPDATE invitations SET revoked_at = created_at
    WHERE role_id IS NOT NULL AND accepted_at IS NULL AND revoked_at IS NULL;
DROP INDEX invitations_role;
ALTER TABLE invitations DROP COLUMN role_id;
UPDATE memberships SET role = 'client' WHERE role_id IS NOT NULL;
DROP INDEX memberships_role;
ALTER TABLE memberships DROP COLUMN role_id;
DROP TABLE roles;
