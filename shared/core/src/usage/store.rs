//! The rows of usage and the statements that keep them.
//!
//! Ingest is one batch. The events come as JSON parameters, because D1 binds a hundred parameters
//! at most, and each statement gets no more of them than it needs: what passes into D1 costs more
//! than what SQLite does with it. In order: lock the tenant (PostgreSQL only), admit the batch to
//! the month if the key holds and the plan's quota has room for what is new, fold the new events
//! into the hours, insert them. The admission looks up once what is stored already and leaves it in
//! the month's row for the fold; both later statements ask for the batch in that row, so a wrong key or a
//! full quota stores nothing.

/// The tenant, by what the caller proved. `key`: `?1` id of the key, `?2` hash of its secret. `tenant`: `?1`
/// tenant, `?2` the reservation whose places the batch `?5` has just taken, or an empty text.
macro_rules! tenant {
    (key) => {
        "(SELECT tenant_id FROM api_keys WHERE id = ?1 AND secret_hash = ?2)"
    };
    (tenant) => {
        "(SELECT t.id FROM tenants t WHERE t.id = ?1 AND t.deleted_at IS NULL AND (?2 = ''
            OR EXISTS (SELECT 1 FROM usage_reservations r WHERE r.id = ?2 AND r.tenant_id = ?1 AND r.token = ?5)))"
    };
}

/// Who is let in, as tables and conditions. A key by the same rules as `judge_key` in guard/identity.rs,
/// because the batch writes before Rust has judged; a tenant was named by who may.
macro_rules! let_in {
    (key) => {
        "api_keys k
            CROSS JOIN tenants t
            CROSS JOIN plans p
            CROSS JOIN users o
            CROSS JOIN memberships m"
    };
    (tenant) => {
        "tenants t CROSS JOIN plans p"
    };
    (if key) => {
        concat!(
            "k.id = ?1 AND k.secret_hash = ?2 AND t.id = k.tenant_id AND p.id = t.plan_id
                AND o.id = k.user_id AND m.tenant_id = k.tenant_id AND m.user_id = k.user_id
                AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?7)
                AND (k.scopes & ?8) <> 0 AND o.disabled_at IS NULL AND t.deleted_at IS NULL
                AND ",
            crate::member_holds!("?9", "?10", "?11", "?12", "?14"),
            "
                AND k.environment = 'live' AND (k.networks IS NULL OR k.networks = ?13)"
        )
    };
    (if tenant) => {
        concat!("t.id = ", tenant!(tenant), " AND p.id = t.plan_id")
    };
}

/// What lets a batch pass whatever the quota says: places that were reserved for it.
macro_rules! held {
    (key) => {
        ""
    };
    (tenant) => {
        " OR ?2 <> ''"
    };
}

/// The elements of the JSON array `?3` as `j.item` and `j.position`, from 0. Without the limit,
/// SQLite would fold the subquery into the statement and write each element out as text again for
/// every field that is read of it.
macro_rules! items {
    (sqlite) => {
        "(SELECT value AS item, key AS position FROM json_each(?3) LIMIT 9007199254740991) j"
    };
    (postgres) => {
        "(SELECT item, ordinal - 1 AS position
            FROM jsonb_array_elements(CAST(CAST(?3 AS TEXT) AS jsonb)) WITH ORDINALITY AS x (item, ordinal)) j"
    };
}

pub(crate) use items;

/// Positions as a JSON array, `[]` for none.
macro_rules! positions {
    (sqlite) => {
        "json_group_array(j.position)"
    };
    (postgres) => {
        "CAST(COALESCE(jsonb_agg(j.position), '[]') AS TEXT)"
    };
}

/// The elements of a JSON array as `value`.
macro_rules! each {
    (sqlite, $array:literal) => {
        concat!("json_each(", $array, ")")
    };
    (postgres, $array:literal) => {
        concat!("jsonb_array_elements(CAST(", $array, " AS jsonb))")
    };
}

/// The month's row while the batch `?5` is the one that was admitted to the month `?4`.
macro_rules! admitted {
    ($who:ident) => {
        concat!(
            "u.tenant_id = ",
            tenant!($who),
            " AND u.month = ?4 AND u.batch = ?5"
        )
    };
}

// CROSS JOIN holds SQLite to the order, which starts with what is looked up once; it would otherwise read
// all events of the tenant, and put what is found into a table before it uses it.
macro_rules! admit {
    ($who:ident, $dialect:ident) => {
        concat!(
            "INSERT INTO usage_months (tenant_id, month, events, batch, known)
            SELECT t.id, ?4, CAST(?6 AS BIGINT) - n.known, ?5, n.positions
            FROM (SELECT COUNT(*) AS known, ",
            positions!($dialect),
            " AS positions
                FROM ",
            items!($dialect),
            " CROSS JOIN usage_events e
                WHERE e.tenant_id = ",
            tenant!($who),
            " AND e.source = j.item->>0 AND e.event_id = j.item->>1) n
            CROSS JOIN ",
            let_in!($who),
            "
            WHERE ",
            let_in!(if $who),
            "
                AND (n.known = ?6 OR ?6 - n.known
                    <= COALESCE(t.monthly_events, p.monthly_events, 9007199254740991)",
            held!($who),
            ")
            ON CONFLICT (tenant_id, month) DO UPDATE SET
                events = usage_months.events + excluded.events,
                batch = excluded.batch, known = excluded.known
            WHERE excluded.events = 0 OR usage_months.events + excluded.events <= COALESCE((
                SELECT COALESCE(t.monthly_events, p.monthly_events)
                FROM tenants t JOIN plans p ON p.id = t.plan_id
                WHERE t.id = usage_months.tenant_id), 9007199254740991)",
            held!($who),
            "
            RETURNING known, events AS used, (
                SELECT COALESCE(t.monthly_events, p.monthly_events)
                FROM tenants t JOIN plans p ON p.id = t.plan_id
                WHERE t.id = usage_months.tenant_id) AS quota"
        )
    };
}

macro_rules! roll_up {
    ($who:ident, $dialect:ident) => {
        concat!(
            "INSERT INTO usage_hourly (tenant_id, meter, hour, quantity, events)
            SELECT u.tenant_id, j.item->>0, CAST(j.item->>1 AS BIGINT),
                CAST(j.item->>2 AS BIGINT), CAST(j.item->>3 AS BIGINT)
            FROM usage_months u CROSS JOIN ",
            items!($dialect),
            " WHERE ",
            admitted!($who),
            " AND u.known = '[]'
            UNION ALL
            SELECT u.tenant_id, j.item->>0, CAST(j.item->>1 AS BIGINT),
                CAST(SUM(CAST(i.value->>1 AS BIGINT)) AS BIGINT),
                CAST(SUM(COALESCE(CAST(i.value->>2 AS BIGINT), 1)) AS BIGINT)
            FROM usage_months u CROSS JOIN ",
            items!($dialect),
            " CROSS JOIN ",
            each!($dialect, "j.item->4"),
            " i WHERE ",
            admitted!($who),
            " AND u.known <> '[]' AND CAST(i.value->>0 AS BIGINT) NOT IN (
                    SELECT CAST(p.value AS BIGINT)
                    FROM usage_months u CROSS JOIN ",
            each!($dialect, "u.known"),
            " p WHERE ",
            admitted!($who),
            ")
            GROUP BY u.tenant_id, j.position, j.item
            ON CONFLICT (tenant_id, meter, hour) DO UPDATE SET
                quantity = usage_hourly.quantity + excluded.quantity,
                events = usage_hourly.events + excluded.events"
        )
    };
}

macro_rules! insert {
    ($who:ident, $dialect:ident, $columns:literal, $values:literal) => {
        concat!(
            "INSERT INTO usage_events
                (tenant_id, source, event_id, meter, quantity, subject, occurred_at, received_at",
            $columns,
            ")
            SELECT u.tenant_id, j.item->>0, j.item->>1, j.item->>2, CAST(j.item->>3 AS BIGINT),
                j.item->>4, CAST(j.item->>5 AS BIGINT), ?6",
            $values,
            "
            FROM usage_months u CROSS JOIN ",
            items!($dialect),
            " WHERE ",
            admitted!($who),
            " ON CONFLICT (tenant_id, source, event_id) DO NOTHING"
        )
    };
    ($who:ident, $dialect:ident) => {
        insert!($who, $dialect, "", "")
    };
    ($who:ident, $dialect:ident, whole) => {
        insert!($who, $dialect, ", properties, corrects", ", j.item->>6, j.item->>7")
    };
}

crate::queries! {
    /// `?1`, `?2` key. Two batches of one tenant run one after the other, so that each sees every event of
    /// the other: PostgreSQL would otherwise count an event twice that comes in two months at once.
    /// SQLite and D1 have one writer.
    LOCK: CredentialQuery = "usage.lock_tenant",
        concat!("SELECT id FROM tenants WHERE id = ", tenant!(key)),
        postgres = concat!("SELECT id FROM tenants WHERE id = ", tenant!(key), " FOR NO KEY UPDATE");
    /// `?1`, `?2` key, `?3` events as `[source, id]`, each once, `?4` month, `?5` batch, `?6` number of
    /// events, `?7` now, `?8` bit of the scope, `?9` to `?12` roles that may, `?13` the networks
    /// that Rust has judged, if the key is bound to any, `?14` bit of the permission. A row comes back when there
    /// is room, which a batch with nothing new always has: after a downgrade it is a repetition all
    /// the same. It holds the positions of the events that are known, and how the quota stands.
    ADMIT: CredentialQuery = "usage.admit", admit!(key, sqlite), postgres = admit!(key, postgres);
    /// `?1`, `?2` key, `?3` sums as `[meter, hour, quantity, events, [[position, quantity]]]`,
    /// `?4` month, `?5` batch. The sums hold as they are unless some of the events are known. A
    /// correction is `[position, quantity, 0]`: it is no event of its own.
    ROLL_UP: CredentialQuery = "usage.roll_up", roll_up!(key, sqlite),
        postgres = roll_up!(key, postgres);
    /// `?1`, `?2` key, `?3` events as `[source, id, meter, quantity, subject, occurred_at]`,
    /// `?4` month, `?5` batch, `?6` now.
    INSERT: CredentialQuery = "usage.insert", insert!(key, sqlite), postgres = insert!(key, postgres);
    /// The same with `properties` and `corrects` at the end of each: what few events have costs those
    /// without nothing.
    INSERT_WHOLE: CredentialQuery = "usage.insert_whole", insert!(key, sqlite, whole),
        postgres = insert!(key, postgres, whole);
    /// `?1` tenant. As [`LOCK`].
    LOCK_NAMED: TenantQuery = "usage.lock_named", "SELECT t.id FROM tenants t WHERE t.id = ?1",
        postgres = "SELECT t.id FROM tenants t WHERE t.id = ?1 FOR NO KEY UPDATE";
    /// `?1` tenant, `?2` reservation or an empty text, and as [`ADMIT`] to `?6`.
    ADMIT_NAMED: TenantQuery = "usage.admit_named", admit!(tenant, sqlite),
        postgres = admit!(tenant, postgres);
    /// `?1` tenant, `?2` reservation or an empty text, and as [`ROLL_UP`].
    ROLL_UP_NAMED: TenantQuery = "usage.roll_up_named", roll_up!(tenant, sqlite),
        postgres = roll_up!(tenant, postgres);
    /// `?1` tenant, `?2` reservation or an empty text, and as [`INSERT_WHOLE`].
    INSERT_NAMED: TenantQuery = "usage.insert_named", insert!(tenant, sqlite, whole),
        postgres = insert!(tenant, postgres, whole);
    /// `?1` tenant, `?2` month: events counted, how many are allowed, and the plan.
    QUOTA: TenantQuery = "usage.quota", "
        SELECT COALESCE(u.events, 0) AS used, COALESCE(t.monthly_events, p.monthly_events) AS quota,
            t.plan_id
        FROM tenants t JOIN plans p ON p.id = t.plan_id
        LEFT JOIN usage_months u ON u.tenant_id = t.id AND u.month = ?2
        WHERE t.id = ?1 AND t.deleted_at IS NULL";
    /// `?1` tenant, `?2` and `?3` first moment and the one after the last, `?4` to `?6` the place after which
    /// to go on, `?7` most.
    EVENTS: TenantQuery = "usage.events", "
        SELECT e.source, e.event_id, e.meter, e.quantity, e.subject, e.occurred_at, e.received_at,
            e.properties, e.corrects, (SELECT COUNT(*) FROM usage_events c
                WHERE c.tenant_id = ?1 AND c.source = e.source AND c.corrects = e.event_id) AS corrections
        FROM usage_events e
        WHERE e.tenant_id = ?1 AND e.occurred_at >= ?2 AND e.occurred_at < ?3
            AND (e.occurred_at, e.source, e.event_id) < (?4, ?5, ?6)
        ORDER BY e.occurred_at DESC, e.source DESC, e.event_id DESC LIMIT ?7";
}
