-- Undoes 0009_resources.sql: projects and agents are gone.
DROP TABLE temp_ids;
DROP TABLE agents;
DROP TABLE projects;
ALTER TABLE plans DROP COLUMN max_agents;
ALTER TABLE plans DROP COLUMN max_projects;
