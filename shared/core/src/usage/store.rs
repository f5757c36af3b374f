//! The rows of usage and the statements that keep them.
//!
//! Ingest is one batch. The events come as one JSON parameter of arrays
//! `[source, id, meter, quantity, subject, occurred_at, hour]`, because D1 binds a hundred
//! parameters at most. In order: lock the tenant (events are deduplicated per tenant, so the lock
//! of a month would let the same events in twice where two months meet), open the month (which
//! marks the batch), admit the batch if the plan's quota has room for what is new, tell which
//! events are known, fold the new ones into the hours, insert them. Every statement from the
//! admission on asks for the mark of the one before, so a wrong key or a full quota stores nothing.

/// The row of the key that the caller proved: `?1` id, `?2` hash of its secret.
macro_rules! tenant_of_key {
    () => {
        "(SELECT tenant_id FROM api_keys WHERE id = ?1 AND secret_hash = ?2)"
    };
}

/// Events in the parameter `?3` that are not stored yet.
macro_rules! fresh {
    ($events:literal) => {
        concat!(
            " FROM ",
            $events,
            " j WHERE NOT EXISTS (SELECT 1 FROM usage_events e WHERE e.tenant_id = ",
            tenant_of_key!(),
            " AND e.source = j.value->>0 AND e.event_id = j.value->>1)"
        )
    };
}

/// The same while the batch `?5` is admitted to the month `?4`.
macro_rules! admitted {
    () => {
        concat!(
            " AND EXISTS (SELECT 1 FROM usage_months u WHERE u.tenant_id = ",
            tenant_of_key!(),
            " AND u.month = ?4 AND u.admitted = ?5)"
        )
    };
}

macro_rules! admit {
    ($events:literal) => {
        concat!(
            "UPDATE usage_months SET events = events + n.fresh, admitted = ?5
            FROM (SELECT COUNT(*) AS fresh",
            fresh!($events),
            ") n
            WHERE tenant_id = ",
            tenant_of_key!(),
            " AND month = ?4 AND batch = ?5
                AND (n.fresh = 0 OR events + n.fresh <= COALESCE((
                    SELECT p.monthly_events FROM tenants t JOIN plans p ON p.id = t.plan_id
                    WHERE t.id = usage_months.tenant_id), 9007199254740991))
            RETURNING events"
        )
    };
}

// CROSS JOIN holds SQLite to this order; it would otherwise read all events of the tenant first.
macro_rules! known {
    ($events:literal) => {
        concat!(
            "SELECT e.source, e.event_id FROM ",
            $events,
            " j CROSS JOIN usage_events e
            WHERE e.tenant_id = ",
            tenant_of_key!(),
            " AND e.source = j.value->>0 AND e.event_id = j.value->>1"
        )
    };
}

macro_rules! roll_up {
    ($events:literal) => {
        concat!(
            "INSERT INTO usage_hourly (tenant_id, meter, hour, quantity, events)
            SELECT ",
            tenant_of_key!(),
            ", j.value->>2, CAST(j.value->>6 AS BIGINT),
                CAST(SUM(CAST(j.value->>3 AS BIGINT)) AS BIGINT), COUNT(*)",
            fresh!($events),
            admitted!(),
            "
            GROUP BY j.value->>2, CAST(j.value->>6 AS BIGINT)
            ON CONFLICT (tenant_id, meter, hour) DO UPDATE SET
                quantity = usage_hourly.quantity + excluded.quantity,
                events = usage_hourly.events + excluded.events"
        )
    };
}

macro_rules! insert {
    ($events:literal) => {
        concat!(
            "INSERT INTO usage_events
                (tenant_id, source, event_id, meter, quantity, subject, occurred_at, received_at)
            SELECT ", tenant_of_key!(), ", j.value->>0, j.value->>1, j.value->>2,
                CAST(j.value->>3 AS BIGINT), j.value->>4, CAST(j.value->>5 AS BIGINT), ?6
            FROM ", $events, " j WHERE 1 = 1", admitted!(), "
            ON CONFLICT (tenant_id, source, event_id) DO NOTHING"
        )
    };
}

crate::queries! {
    /// `?1`, `?2` key. One batch of a tenant after the other, whatever month its clock is in. SQLite
    /// and D1 have one writer, so there it is only a read.
    LOCK: CredentialQuery = "usage.lock_tenant",
        concat!("SELECT id FROM tenants WHERE id = ", tenant_of_key!()),
        postgres = concat!("SELECT id FROM tenants WHERE id = ", tenant_of_key!(), " FOR NO KEY UPDATE");
    /// `?1`, `?2` key, `?3` month, `?4` batch, `?5` now, `?6` bit of the scope, `?7` to `?10`
    /// roles that may, `?11` the networks that Rust has judged, if the key is bound to any, `?12` bit
    /// of the permission. The
    /// same rules as `judge_key` in guard/identity.rs, because the batch writes before Rust has
    /// judged.
    OPEN: CredentialQuery = "usage.open_month", concat!("
        INSERT INTO usage_months (tenant_id, month, events, batch)
        SELECT k.tenant_id, ?3, 0, ?4
        FROM api_keys k
        JOIN tenants t ON t.id = k.tenant_id
        JOIN users u ON u.id = k.user_id
        JOIN memberships m ON m.tenant_id = k.tenant_id AND m.user_id = k.user_id
        WHERE k.id = ?1 AND k.secret_hash = ?2 AND k.revoked_at IS NULL
            AND (k.expires_at IS NULL OR k.expires_at > ?5) AND (k.scopes & ?6) <> 0
            AND u.disabled_at IS NULL AND t.deleted_at IS NULL
            AND ", crate::member_holds!("?7", "?8", "?9", "?10", "?12"), "
            AND k.environment = 'live' AND (k.networks IS NULL OR k.networks = ?11)
        ON CONFLICT (tenant_id, month) DO UPDATE SET batch = excluded.batch");
    /// `?1`, `?2` key, `?3` events, `?4` month, `?5` batch. A row comes back when there is room,
    /// which a batch with nothing new always has: after a downgrade it is a repetition all the same.
    ADMIT: CredentialQuery = "usage.admit", admit!("json_each(?3)"),
        postgres = admit!("jsonb_array_elements(CAST(CAST(?3 AS TEXT) AS jsonb))");
    /// `?1`, `?2` key, `?3` events.
    KNOWN: CredentialQuery = "usage.known", known!("json_each(?3)"),
        postgres = known!("jsonb_array_elements(CAST(CAST(?3 AS TEXT) AS jsonb))");
    /// `?1`, `?2` key, `?3` events, `?4` month, `?5` batch.
    ROLL_UP: CredentialQuery = "usage.roll_up", roll_up!("json_each(?3)"),
        postgres = roll_up!("jsonb_array_elements(CAST(CAST(?3 AS TEXT) AS jsonb))");
    /// `?1`, `?2` key, `?3` events, `?4` month, `?5` batch, `?6` now.
    INSERT: CredentialQuery = "usage.insert", insert!("json_each(?3)"),
        postgres = insert!("jsonb_array_elements(CAST(CAST(?3 AS TEXT) AS jsonb))");
    /// `?1` tenant, `?2` month: events counted and how many the plan allows.
    QUOTA: TenantQuery = "usage.quota", "
        SELECT COALESCE(u.events, 0), p.monthly_events
        FROM tenants t JOIN plans p ON p.id = t.plan_id
        LEFT JOIN usage_months u ON u.tenant_id = t.id AND u.month = ?2
        WHERE t.id = ?1";
    /// `?1` tenant, `?2` first hour, `?3` hour after the last.
    TOTALS: TenantQuery = "usage.totals", "
        SELECT meter, CAST(SUM(quantity) AS BIGINT), CAST(SUM(events) AS BIGINT)
        FROM usage_hourly WHERE tenant_id = ?1 AND hour >= ?2 AND hour < ?3
        GROUP BY meter ORDER BY meter";
}
