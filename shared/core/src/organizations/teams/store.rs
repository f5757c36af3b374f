//! The statements of teams. As with members, a record is written first if the change is allowed,
//! and what follows asks for it, all under the tenant's lock.

macro_rules! shown {
    () => {
        "SELECT t.id, t.name, t.created_at, t.updated_at,
            (SELECT COUNT(*) FROM team_members x WHERE x.team_id = t.id) AS members"
    };
}

crate::queries! {
    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most, `?5` the user who asks,
    /// `?6` to `?9` the roles that see all teams, `?10` bit of that permission. The same rule as in
    /// guard/policy.rs, because a page is counted before Rust has judged.
    LIST: TenantQuery = "teams.list", concat!(shown!(), "
        FROM teams t WHERE t.tenant_id = ?1 AND (t.created_at, t.id) < (?2, ?3)
            AND (EXISTS (SELECT 1 FROM team_members x WHERE x.team_id = t.id AND x.user_id = ?5)
                OR EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = ?1 AND m.user_id = ?5
                    AND ", crate::member_holds!("?6", "?7", "?8", "?9", "?10"), "))
        ORDER BY t.created_at DESC, t.id DESC LIMIT ?4");
    /// `?1` tenant, `?2` team, `?3` user: in the last column whether they are in it.
    GET: TenantQuery = "teams.get", concat!(shown!(), ",
            (SELECT COUNT(*) FROM team_members x WHERE x.team_id = t.id AND x.user_id = ?3) AS mine
        FROM teams t WHERE t.tenant_id = ?1 AND t.id = ?2");
    /// `?1` tenant, `?2` team, `?3` actor, `?4` and `?5` how they were judged, `?6` name, `?7` now,
    /// `?8` most teams.
    INSERT: TenantQuery = "teams.insert", concat!("
        INSERT INTO teams (tenant_id, id, name, created_at, updated_at)
        SELECT ?1, ?2, ?6, CAST(?7 AS BIGINT), CAST(?7 AS BIGINT) FROM tenants t
        WHERE t.id = ?1 AND ", crate::still_judged!("?4", "?5"), "
            AND NOT EXISTS (SELECT 1 FROM teams o WHERE o.tenant_id = ?1 AND o.name = ?6)
            AND (SELECT COUNT(*) FROM teams o WHERE o.tenant_id = ?1) < ?8
        RETURNING id");
    /// A team that was just inserted.
    RECORD_CREATED: TenantQuery = "teams.record_created",
        crate::record_where!("FROM teams t WHERE t.tenant_id = ?1 AND t.id = ?5");
    /// `?11` and `?12` how the actor was judged, `?13` the name after, which no other team has.
    RECORD_RENAMED: TenantQuery = "teams.record_renamed", crate::record_where!("
        FROM teams t WHERE t.tenant_id = ?1 AND t.id = ?5 AND ", crate::still_judged!("?11", "?12"), "
            AND NOT EXISTS (SELECT 1 FROM teams o
                WHERE o.tenant_id = ?1 AND o.name = ?13 AND o.id <> ?5)");
    /// `?1` tenant, `?2` team, `?3` record, `?4` name, `?5` now.
    RENAME: TenantQuery = "teams.rename", crate::while_recorded!(
        "UPDATE teams SET name = ?4, updated_at = ?5 WHERE tenant_id = ?1 AND id = ?2");
    /// `?11` and `?12` how the actor was judged.
    RECORD_DELETED: TenantQuery = "teams.record_deleted", crate::record_where!("
        FROM teams t WHERE t.tenant_id = ?1 AND t.id = ?5 AND ", crate::still_judged!("?11", "?12"));
    /// `?1` tenant, `?2` team, `?3` record. Who is in it goes with it.
    DELETE: TenantQuery = "teams.delete",
        crate::while_recorded!("DELETE FROM teams WHERE tenant_id = ?1 AND id = ?2");

    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most, `?5` team.
    MEMBERS: TenantQuery = "teams.members", concat!("
        SELECT x.user_id, u.email, m.role, x.created_at, ", crate::own_role_columns!("m"), "
        FROM team_members x
        JOIN memberships m ON m.tenant_id = x.tenant_id AND m.user_id = x.user_id
        JOIN users u ON u.id = x.user_id
        ", crate::join_own_role!("m"), "
        WHERE x.tenant_id = ?1 AND x.team_id = ?5 AND (x.created_at, x.user_id) < (?2, ?3)
        ORDER BY x.created_at DESC, x.user_id DESC LIMIT ?4");
    /// `?1` tenant, `?2` team, `?3` user: whether there is such a team, such a member of the
    /// tenant, and whether they are in it.
    PLACE: TenantQuery = "teams.place", "
        SELECT (SELECT COUNT(*) FROM teams t WHERE t.tenant_id = ?1 AND t.id = ?2) AS team,
            (SELECT COUNT(*) FROM memberships m WHERE m.tenant_id = ?1 AND m.user_id = ?3) AS member,
            (SELECT COUNT(*) FROM team_members x
                WHERE x.tenant_id = ?1 AND x.team_id = ?2 AND x.user_id = ?3) AS inside";
    /// `?11` and `?12` how the actor was judged, `?13` user: a member of the tenant who is not in
    /// the team `?5`.
    RECORD_ADDED: TenantQuery = "teams.record_added", crate::record_where!("
        FROM teams t JOIN memberships m ON m.tenant_id = t.tenant_id AND m.user_id = ?13
        WHERE t.tenant_id = ?1 AND t.id = ?5 AND ", crate::still_judged!("?11", "?12"), "
            AND NOT EXISTS (SELECT 1 FROM team_members x
                WHERE x.team_id = ?5 AND x.user_id = ?13)");
    /// `?1` tenant, `?2` team, `?3` record, `?4` user, `?5` now.
    ADD: TenantQuery = "teams.add", "
        INSERT INTO team_members (tenant_id, team_id, user_id, created_at)
        SELECT ?1, ?2, ?4, ?5 FROM audit_log WHERE id = ?3 AND tenant_id = ?1";
    /// `?11` and `?12` how the actor was judged, `?13` user, who is in the team `?5`.
    RECORD_TAKEN_OUT: TenantQuery = "teams.record_taken_out", crate::record_where!("
        FROM team_members x WHERE x.tenant_id = ?1 AND x.team_id = ?5 AND x.user_id = ?13 AND ",
            crate::still_judged!("?11", "?12"));
    /// `?1` tenant, `?2` team, `?3` record, `?4` user.
    TAKE_OUT: TenantQuery = "teams.take_out", crate::while_recorded!(
        "DELETE FROM team_members WHERE tenant_id = ?1 AND team_id = ?2 AND user_id = ?4");
}
