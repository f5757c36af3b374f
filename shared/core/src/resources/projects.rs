//! Projects.

use super::model::{Acts, Children, Column, Resource, Rule};
use super::store::{AGENTS_OF_PROJECT, statements};
use crate::tenancy::Permission;

pub(super) static PROJECTS: Resource = Resource {
    name: "projects",
    one: "project",
    prefix: "prj",
    acts: Acts {
        create: "project.create",
        update: "project.update",
        delete: "project.delete",
        restore: "project.restore",
    },
    all: Permission::ProjectsAll,
    columns: &[
        Column {
            field: "name",
            shown: "name",
            rule: Rule::Name(200),
        },
        Column {
            field: "description",
            shown: "description",
            rule: Rule::Text(2_000),
        },
        Column {
            field: "metadata",
            shown: "metadata",
            rule: Rule::Free,
        },
    ],
    parent: None,
    children: Some(Children {
        name: "agents",
        count: &AGENTS_OF_PROJECT,
    }),
    sql: SQL,
};

statements! {
    table: "projects", most: "max_projects",
    columns: { "name" = "?6", "description" = "?7", "metadata" = "?8" },
    created_if: "", updated_if: "",
    deleted_if: "AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.tenant_id = ?1
        AND a.project_id = ?5 AND a.deleted_at IS NULL)",
    restored_if: "",
    purged_if: "AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.project_id = projects.id)",
}
