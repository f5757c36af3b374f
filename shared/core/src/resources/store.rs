//! The statements of a resource, made from its table and columns, and those that resources share.
//!
//! A change is one batch under the tenant's lock: its record is written first, and only if the
//! change is allowed; the change asks for the record. So parallel changes are judged one after the
//! other, and what was not done is not recorded. A creation is the other way round, because its
//! new row proves it.

use crate::sql::TenantQuery;

/// The statements of a resource.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) get: &'static TenantQuery,
    pub(super) by_temp: &'static TenantQuery,
    pub(super) list: &'static TenantQuery,
    pub(super) list_all: &'static TenantQuery,
    pub(super) insert: &'static TenantQuery,
    pub(super) record_created: &'static TenantQuery,
    pub(super) update: &'static TenantQuery,
    pub(super) record_updated: &'static TenantQuery,
    pub(super) mark: &'static TenantQuery,
    pub(super) record_deleted: &'static TenantQuery,
    pub(super) record_restored: &'static TenantQuery,
    pub(super) room: &'static TenantQuery,
}

/// What a row shows, in the order that `Resource::show` reads.
macro_rules! shown {
    ($($column:literal),+) => {
        concat!("id, version, created_by, created_at, updated_at, deleted_at" $(, ", ", $column)+)
    };
}

/// Whether the plan has room for one more: the number that is there is below the tenant's own, or the plan's.
macro_rules! room {
    ($table:literal, $most:literal) => {
        concat!(
            "(COALESCE(t.",
            $most,
            ", p.",
            $most,
            ", 9007199254740991) > (SELECT COUNT(*) FROM ",
            $table,
            " c WHERE c.tenant_id = ?1 AND c.deleted_at IS NULL))"
        )
    };
}

/// Deleted ones that a tenant may have besides as many as its plan allows: whoever creates and deletes in
/// turn would otherwise fill the database, as deleted ones stay for a month.
macro_rules! most_deleted {
    () => {
        1000
    };
}

/// The statements of one table, with `SQL`, which lists them.
///
/// `columns` gives each own column its parameter, from `?6` on. The conditions are more SQL, each
/// beginning with `AND`, or empty: `created_if` with the parameters of the columns, `updated_if`
/// with `?12` for the parent, `deleted_if` with `?5` for the id, `restored_if` and `purged_if` with
/// none.
macro_rules! statements {
    (
        table: $table:literal, most: $most:literal,
        columns: { $($column:literal = $place:literal),+ },
        created_if: $created_if:literal, updated_if: $updated_if:literal,
        deleted_if: $deleted_if:literal, restored_if: $restored_if:literal,
        purged_if: $purged_if:literal $(,)?
    ) => {
        crate::queries! {
            /// `?1` tenant, `?2` id; deleted ones too.
            GET: TenantQuery = concat!($table, ".get"), concat!(
                "SELECT ", crate::resources::store::shown!($($column),+), " FROM ", $table,
                " WHERE tenant_id = ?1 AND id = ?2");
            /// `?1` tenant, `?2` user, or NULL and `?3` their API key, `?4` temporary id, `?5` now.
            BY_TEMP: TenantQuery = concat!($table, ".by_temp_id"), concat!(
                "SELECT ", crate::resources::store::shown!($($column),+), " FROM ", $table,
                " WHERE tenant_id = ?1 AND id = (SELECT x.resource_id FROM temp_ids x
                    WHERE x.tenant_id = ?1 AND x.temp_id = ?4 AND x.expires_at > ?5
                        AND x.resource = '", $table, "' AND x.user_id = COALESCE(CAST(?2 AS TEXT),
                            (SELECT k.user_id FROM api_keys k WHERE k.id = ?3)))");
            /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most.
            LIST: TenantQuery = concat!($table, ".list"), concat!(
                "SELECT ", crate::resources::store::shown!($($column),+), " FROM ", $table,
                " WHERE tenant_id = ?1 AND (created_at, id) < (?2, ?3) AND deleted_at IS NULL
                ORDER BY created_at DESC, id DESC LIMIT ?4");
            /// The same with deleted ones.
            LIST_ALL: TenantQuery = concat!($table, ".list_all"), concat!(
                "SELECT ", crate::resources::store::shown!($($column),+), " FROM ", $table,
                " WHERE tenant_id = ?1 AND (created_at, id) < (?2, ?3)
                ORDER BY created_at DESC, id DESC LIMIT ?4");
            /// `?1` tenant, `?2` id, `?3` user, `?4` now, `?5` temporary id or NULL, then the own
            /// columns. Only while the plan allows one more, the temporary id is new, and not too many
            /// deleted ones are kept.
            INSERT: TenantQuery = concat!($table, ".insert"), concat!(
                "INSERT INTO ", $table, " (tenant_id, id, created_by, created_at, updated_at, version",
                $(", ", $column,)+ ") SELECT t.id, ?2, ?3, ?4, ?4, 1", $(", ", $place,)+
                " FROM tenants t JOIN plans p ON p.id = t.plan_id WHERE t.id = ?1 AND ",
                crate::resources::store::room!($table, $most),
                " AND NOT EXISTS (SELECT 1 FROM temp_ids x WHERE x.tenant_id = ?1
                    AND x.user_id = ?3 AND x.temp_id = CAST(?5 AS TEXT) AND x.expires_at > ?4)
                AND (COALESCE(t.", $most, ", p.", $most, ", 9007199254740991) + ",
                crate::resources::store::most_deleted!(),
                " > (SELECT COUNT(*) FROM ", $table, " d WHERE d.tenant_id = ?1)) ",
                $created_if, " RETURNING id");
            /// One that was just inserted.
            RECORD_CREATED: TenantQuery = concat!($table, ".record_created"), crate::record_where!(
                "FROM ", $table, " WHERE tenant_id = ?1 AND id = ?5");
            /// `?11` its version, `?12` what it is to belong to, where it may to something.
            RECORD_UPDATED: TenantQuery = concat!($table, ".record_updated"), crate::record_where!(
                "FROM ", $table, " WHERE tenant_id = ?1 AND id = ?5 AND version = ?11
                    AND deleted_at IS NULL ", $updated_if);
            /// `?1` tenant, `?2` id, `?3` record, `?4` now, `?5` its version, then the own columns.
            UPDATE: TenantQuery = concat!($table, ".update"), concat!(
                crate::while_recorded!("UPDATE ", $table, " SET version = version + 1, updated_at = ?4",
                    $(", ", $column, " = ", $place,)+
                    " WHERE tenant_id = ?1 AND id = ?2 AND version = ?5"),
                " RETURNING ", crate::resources::store::shown!($($column),+));
            /// `?11` its version, or NULL for any.
            RECORD_DELETED: TenantQuery = concat!($table, ".record_deleted"), crate::record_where!(
                "FROM ", $table, " WHERE tenant_id = ?1 AND id = ?5 AND deleted_at IS NULL
                    AND (CAST(?11 AS BIGINT) IS NULL OR version = ?11) ", $deleted_if);
            /// `?11` its version, or NULL for any. The plan must have room, as for a new one.
            RECORD_RESTORED: TenantQuery = concat!($table, ".record_restored"), crate::record_where!(
                "FROM ", $table, " WHERE tenant_id = ?1 AND id = ?5 AND deleted_at IS NOT NULL
                    AND (CAST(?11 AS BIGINT) IS NULL OR version = ?11)
                    AND EXISTS (SELECT 1 FROM tenants t JOIN plans p ON p.id = t.plan_id
                        WHERE t.id = ?1 AND ", crate::resources::store::room!($table, $most), ") ",
                $restored_if);
            /// `?1` tenant, `?2` id, `?3` record, `?4` now, `?5` when it was deleted, or NULL.
            MARK: TenantQuery = concat!($table, ".mark"), concat!(
                crate::while_recorded!("UPDATE ", $table, " SET version = version + 1,
                        updated_at = ?4, deleted_at = ?5
                    WHERE tenant_id = ?1 AND id = ?2"),
                " RETURNING ", crate::resources::store::shown!($($column),+));
            /// `?1` tenant, `?2` user, `?3` temporary id or NULL, `?4` now. What the plan allows,
            /// what is there, what the temporary id stands for, and what is kept with the deleted.
            ROOM: TenantQuery = concat!($table, ".room"), concat!(
                "SELECT COALESCE(t.", $most, ", p.", $most, ") AS most, (SELECT COUNT(*) FROM ", $table, " c
                        WHERE c.tenant_id = ?1 AND c.deleted_at IS NULL) AS live,
                    (SELECT x.resource FROM temp_ids x WHERE x.tenant_id = ?1 AND x.user_id = ?2
                        AND x.temp_id = CAST(?3 AS TEXT) AND x.expires_at > ?4) AS taken,
                    (SELECT COUNT(*) FROM ", $table, " d WHERE d.tenant_id = ?1) AS kept
                FROM tenants t JOIN plans p ON p.id = t.plan_id WHERE t.id = ?1");
            /// `?1` moment, `?2` most: those that were deleted before it.
            PURGE: SystemQuery = concat!($table, ".purge"), concat!(
                "DELETE FROM ", $table, " WHERE id IN (SELECT id FROM ", $table,
                " WHERE deleted_at <= ?1 ", $purged_if, " LIMIT ?2) AND deleted_at <= ?1 ",
                $purged_if, " RETURNING 1");
        }

        pub(super) const SQL: crate::resources::store::Sql = crate::resources::store::Sql {
            get: &GET,
            by_temp: &BY_TEMP,
            list: &LIST,
            list_all: &LIST_ALL,
            insert: &INSERT,
            record_created: &RECORD_CREATED,
            update: &UPDATE,
            record_updated: &RECORD_UPDATED,
            mark: &MARK,
            record_deleted: &RECORD_DELETED,
            record_restored: &RECORD_RESTORED,
            room: &ROOM,
        };
    };
}

pub(super) use {most_deleted, room, shown, statements};

crate::queries! {
    /// `?1` tenant, `?2` user, `?3` temporary id, `?4` resource, `?5` its id, `?6` now, `?7` end,
    /// `?8` the record of the creation. One that has expired makes room.
    KEEP_TEMP: TenantQuery = "temp_ids.keep", "
        INSERT INTO temp_ids (tenant_id, user_id, temp_id, resource, resource_id, created_at, expires_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
        WHERE EXISTS (SELECT 1 FROM audit_log WHERE id = ?8 AND tenant_id = ?1)
        ON CONFLICT (tenant_id, user_id, temp_id) DO UPDATE SET resource = excluded.resource,
            resource_id = excluded.resource_id, created_at = excluded.created_at,
            expires_at = excluded.expires_at";
    /// `?1` tenant, `?2` id.
    LIVE_PROJECT: TenantQuery = "projects.live", "
        SELECT id FROM projects WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL";
    /// `?1` tenant, `?2` project.
    AGENTS_OF_PROJECT: TenantQuery = "agents.of_project", "
        SELECT COUNT(*) AS agents FROM agents
        WHERE tenant_id = ?1 AND project_id = ?2 AND deleted_at IS NULL";
    /// `?1` moment, `?2` most.
    EXPIRE_TEMP: SystemQuery = "temp_ids.expire", "
        DELETE FROM temp_ids WHERE (tenant_id, user_id, temp_id) IN
            (SELECT tenant_id, user_id, temp_id FROM temp_ids WHERE expires_at <= ?1 LIMIT ?2)
            AND expires_at <= ?1 RETURNING 1";
}
