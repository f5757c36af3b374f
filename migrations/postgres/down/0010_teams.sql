-- Undoes 0010_teams.sql.
DROP TABLE team_members;
DROP TABLE teams;
