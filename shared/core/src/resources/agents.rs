//! Agents.

use super::model::{Acts, Column, Parent, Resource, Rule};
use super::store::{LIVE_PROJECT, statements};
use crate::tenancy::Permission;

pub(super) static AGENTS: Resource = Resource {
    name: "agents",
    one: "agent",
    prefix: "agt",
    acts: Acts {
        create: "agent.create",
        update: "agent.update",
        delete: "agent.delete",
        restore: "agent.restore",
    },
    all: Permission::AgentsAll,
    columns: &[
        Column {
            field: "name",
            shown: "name",
            rule: Rule::Name(200),
        },
        Column {
            field: "project_id",
            shown: "projectId",
            rule: Rule::Id("prj"),
        },
        Column {
            field: "description",
            shown: "description",
            rule: Rule::Text(2_000),
        },
        Column {
            field: "model",
            shown: "model",
            rule: Rule::Text(100),
        },
        Column {
            field: "configuration",
            shown: "configuration",
            rule: Rule::Free,
        },
        Column {
            field: "metadata",
            shown: "metadata",
            rule: Rule::Free,
        },
    ],
    parent: Some(Parent {
        column: 1,
        find: &LIVE_PROJECT,
    }),
    children: None,
    sql: SQL,
};

statements! {
    table: "agents", most: "max_agents",
    columns: {
        "name" = "?6", "project_id" = "?7", "description" = "?8", "model" = "?9",
        "configuration" = "?10", "metadata" = "?11"
    },
    created_if: "AND (CAST(?7 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM projects q
        WHERE q.tenant_id = ?1 AND q.id = ?7 AND q.deleted_at IS NULL))",
    updated_if: "AND (CAST(?12 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM projects q
        WHERE q.tenant_id = ?1 AND q.id = ?12 AND q.deleted_at IS NULL))",
    deleted_if: "",
    restored_if: "AND (project_id IS NULL OR EXISTS (SELECT 1 FROM projects q
        WHERE q.tenant_id = ?1 AND q.id = agents.project_id AND q.deleted_at IS NULL))",
    purged_if: "",
}
