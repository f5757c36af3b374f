-- Undoes 0011_teams.sql.
DROP TABLE team_members;
DROP TABLE teams;
