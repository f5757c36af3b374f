-- Undoes 0004_identities.sql.
DROP TABLE identities;
