-- Undoes 0009_teams.sql.
DROP TABLE team_members;
DROP TABLE teams;
