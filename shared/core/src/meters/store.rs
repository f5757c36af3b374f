//! Totals, definitions of meters and their queries.

use crate::usage::store::items;

/// What a meter measures, `?2` being its name: its definition, or the sum of the quantities of events of that name.
macro_rules! definition {
    () => {
        "(SELECT COALESCE(MAX(m.event_type), ?2) AS event_type, MAX(m.property) AS property,
                COALESCE(MAX(m.aggregation), 'sum') AS aggregation
            FROM meters m WHERE m.tenant_id = ?1 AND m.meter = ?2) d"
    };
}

/// A number in the properties of `e`, NULL for what is none.
macro_rules! number {
    (sqlite) => {
        "CASE WHEN typeof(e.properties->>d.property) = 'integer'
            THEN e.properties->>d.property END"
    };
    (postgres) => {
        "CASE WHEN jsonb_typeof(CAST(e.properties AS jsonb)->d.property) = 'number'
            THEN CAST(CAST(e.properties AS jsonb)->>d.property AS BIGINT) END"
    };
}

/// A property of `e` as text.
macro_rules! property {
    (sqlite, $name:literal) => {
        concat!("CAST(e.properties->>", $name, " AS TEXT)")
    };
    (postgres, $name:literal) => {
        concat!("CAST(e.properties AS jsonb)->>", $name)
    };
}

// The hours of the rollup. A meter that they cannot answer gets no row, and neither does a query that must go by events.
macro_rules! by_hours {
    ($dialect:ident) => {
        concat!(
            "SELECT j.position, CAST(SUM(h.quantity) AS BIGINT) AS total, CAST(SUM(h.events) AS BIGINT) AS events
            FROM ",
            definition!(),
            " CROSS JOIN ",
            items!($dialect),
            " CROSS JOIN usage_hourly h
            WHERE CAST(?4 AS BIGINT) = 0 AND d.property IS NULL AND d.aggregation IN ('sum', 'count')
                AND h.tenant_id = ?1 AND h.meter = d.event_type
                AND h.hour >= CAST(j.item->>0 AS BIGINT) AND h.hour < CAST(j.item->>1 AS BIGINT)
            GROUP BY j.position"
        )
    };
}

// Every event of a window, what it says to the meter, and whether it is a reading: no correction, and not corrected.
// `ranks` tells the latest reading. The bound is asked once, before anything is read.
macro_rules! by_events {
    ($dialect:ident) => {
        concat!(
            "SELECT r.position, r.grouped, CAST(SUM(r.value) AS BIGINT) AS total,
                CAST(SUM(r.counted) AS BIGINT) AS events,
                MAX(CASE WHEN r.reading = 1 THEN r.value END) AS most,
                COUNT(DISTINCT CASE WHEN r.reading = 1 THEN r.label END) AS labels,
                MAX(CASE WHEN r.reading = 1 AND r.ranks = 1 THEN r.value END) AS latest
            FROM (SELECT x.position, x.grouped, x.value, x.label, x.counted, x.reading,
                    ROW_NUMBER() OVER (PARTITION BY x.position, x.grouped ORDER BY x.reading DESC,
                        x.occurred_at DESC, x.received_at DESC, x.source DESC, x.event_id DESC) AS ranks
                FROM (SELECT j.position, e.occurred_at, e.received_at, e.source, e.event_id,
                        CASE WHEN CAST(?6 AS TEXT) = '' THEN '' WHEN ?6 = 'subject' THEN COALESCE(e.subject, '')
                            ELSE COALESCE(",
            property!($dialect, "CAST(?6 AS TEXT)"),
            ", '') END AS grouped,
                        CASE WHEN d.property IS NULL THEN e.quantity ELSE ",
            number!($dialect),
            " END AS value,
                        CASE WHEN d.property IS NULL THEN e.subject ELSE ",
            property!($dialect, "d.property"),
            " END AS label,
                        CASE WHEN e.corrects IS NULL THEN 1 ELSE 0 END AS counted,
                        CASE WHEN e.corrects IS NULL AND NOT EXISTS (SELECT 1 FROM usage_events c
                            WHERE c.tenant_id = ?1 AND c.source = e.source AND c.corrects = e.event_id)
                            THEN 1 ELSE 0 END AS reading
                    FROM ",
            definition!(),
            " CROSS JOIN ",
            items!($dialect),
            " CROSS JOIN usage_events e
                    WHERE (CAST(?4 AS BIGINT) = 1 OR d.property IS NOT NULL
                            OR d.aggregation NOT IN ('sum', 'count'))
                        AND e.tenant_id = ?1 AND e.meter = d.event_type
                        AND e.occurred_at >= CAST(j.item->>0 AS BIGINT)
                        AND e.occurred_at < CAST(j.item->>1 AS BIGINT)
                        AND (CAST(?5 AS TEXT) IS NULL OR e.subject = ?5)
                        AND (SELECT COUNT(*) FROM (SELECT 1 AS one FROM usage_events b
                            WHERE b.tenant_id = ?1 AND b.occurred_at >= ?7 AND b.occurred_at < ?8
                            LIMIT ?9) o) < ?9) x
                WHERE x.value IS NOT NULL OR x.label IS NOT NULL) r
            GROUP BY r.position, r.grouped ORDER BY r.position, r.grouped LIMIT ?10"
        )
    };
}

/// Sums of windows, by meter.
macro_rules! history {
    ($dialect:ident) => {
        concat!(
            "SELECT j.position, h.meter, CAST(SUM(h.quantity) AS BIGINT) AS total,
                CAST(SUM(h.events) AS BIGINT) AS events
            FROM ",
            items!($dialect),
            " CROSS JOIN usage_hourly h
            WHERE h.tenant_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR h.meter = ?2)
                AND h.hour >= CAST(j.item->>0 AS BIGINT) AND h.hour < CAST(j.item->>1 AS BIGINT)
            GROUP BY j.position, h.meter ORDER BY j.position, h.meter"
        )
    };
}

/// What a definition shows, in the order that `definition::show` reads.
macro_rules! shown {
    () => {
        "meter, event_type, aggregation, property, group_by, unit, created_at, updated_at"
    };
}

crate::queries! {
    /// `?1` tenant, `?2` first hour, `?3` hour after the last.
    TOTALS: TenantQuery = "usage.totals", "
        SELECT meter, CAST(SUM(quantity) AS BIGINT) AS total, CAST(SUM(events) AS BIGINT) AS events
        FROM usage_hourly WHERE tenant_id = ?1 AND hour >= ?2 AND hour < ?3
        GROUP BY meter ORDER BY meter";
    /// `?1` tenant, `?2` meter or NULL for all, `?3` windows as `[from, to]`.
    HISTORY: TenantQuery = "usage.history", history!(sqlite), postgres = history!(postgres);
    /// `?1` tenant, `?2` first month, `?3` last month: events that were counted against the quota.
    MONTHS: TenantQuery = "usage.months", "
        SELECT month, events FROM usage_months WHERE tenant_id = ?1 AND month >= ?2 AND month <= ?3";
    /// `?1` tenant, `?2` first month, `?3` last month.
    REACHED: TenantQuery = "usage.reached", "
        SELECT period, threshold, reached_at FROM usage_thresholds
        WHERE tenant_id = ?1 AND meter = 'events' AND period >= ?2 AND period <= ?3
        ORDER BY period, threshold";
    /// `?1` tenant, `?2` first month: whether there is anything before it.
    OLDER: TenantQuery = "usage.older", "
        SELECT month FROM usage_months WHERE tenant_id = ?1 AND month < ?2 LIMIT 1";
    /// `?1` tenant, `?2` meter, `?3` windows as `[from, to]`, `?4` 1 for a query that must go by events.
    BY_HOURS: TenantQuery = "meters.by_hours", by_hours!(sqlite), postgres = by_hours!(postgres);
    /// To `?4` as [`BY_HOURS`]; `?5` subject or NULL, `?6` what to group by or an empty text, `?7` and `?8` first
    /// moment and the one after the last, `?9` events that are too many to read, `?10` most rows.
    BY_EVENTS: TenantQuery = "meters.by_events", by_events!(sqlite), postgres = by_events!(postgres);
    /// `?1` tenant, `?2` and `?3` first moment and the one after the last, `?4` most: events there, so
    /// far as they are counted.
    EVENTS_THERE: TenantQuery = "meters.events_there", "
        SELECT COUNT(*) AS events FROM (SELECT 1 AS one FROM usage_events
            WHERE tenant_id = ?1 AND occurred_at >= ?2 AND occurred_at < ?3 LIMIT ?4) o";
    /// `?1` tenant, `?2` meter.
    GET: TenantQuery = "meters.get", concat!("SELECT ", shown!(), "
        FROM meters WHERE tenant_id = ?1 AND meter = ?2");
    /// `?1` tenant.
    LIST: TenantQuery = "meters.list", concat!("SELECT ", shown!(), "
        FROM meters WHERE tenant_id = ?1 ORDER BY meter");
    /// `?1` tenant, `?2` meter, `?3` event type, `?4` aggregation, `?5` property, `?6` what to group by, `?7`
    /// unit, `?8` now, `?9` most that a tenant may have.
    SET: TenantQuery = "meters.set", concat!("
        INSERT INTO meters (tenant_id, meter, event_type, aggregation, property, group_by, unit,
            created_at, updated_at)
        SELECT t.id, ?2, ?3, ?4, CAST(?5 AS TEXT), ?6, CAST(?7 AS TEXT), ?8, ?8 FROM tenants t
        WHERE t.id = ?1 AND (EXISTS (SELECT 1 FROM meters m WHERE m.tenant_id = ?1 AND m.meter = ?2)
            OR (SELECT COUNT(*) FROM meters m WHERE m.tenant_id = ?1) < ?9)
        ON CONFLICT (tenant_id, meter) DO UPDATE SET event_type = excluded.event_type,
            aggregation = excluded.aggregation, property = excluded.property,
            group_by = excluded.group_by, unit = excluded.unit, updated_at = excluded.updated_at
        RETURNING ", shown!());
    /// One that was just set.
    RECORD_SET: TenantQuery = "meters.record_set",
        crate::record_where!("FROM meters WHERE tenant_id = ?1 AND meter = ?5");
    /// One that is there to be deleted.
    RECORD_DELETED: TenantQuery = "meters.record_deleted",
        crate::record_where!("FROM meters WHERE tenant_id = ?1 AND meter = ?5");
    /// `?1` tenant, `?2` meter.
    DELETE: TenantQuery = "meters.delete",
        "DELETE FROM meters WHERE tenant_id = ?1 AND meter = ?2 RETURNING meter";
    /// `?1` tenant, `?2` month, `?3` now. The plan; of each limit what holds, the tenant's own and what is
    /// used; features and rate limits of the plan and the tenant's own.
    ENTITLEMENTS: TenantQuery = "entitlements.get", "
        SELECT t.plan_id, COALESCE(t.monthly_events, p.monthly_events) AS events_most,
            t.monthly_events AS events_own, COALESCE((SELECT u.events FROM usage_months u
                WHERE u.tenant_id = ?1 AND u.month = ?2), 0) AS events_used,
            COALESCE(t.max_api_keys, p.max_api_keys) AS keys_most, t.max_api_keys AS keys_own,
            (SELECT COUNT(*) FROM api_keys k WHERE k.tenant_id = ?1 AND k.revoked_at IS NULL
                AND k.replaced_by IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?3)) AS keys_used,
            COALESCE(t.max_projects, p.max_projects) AS projects_most, t.max_projects AS projects_own,
            (SELECT COUNT(*) FROM projects c
                WHERE c.tenant_id = ?1 AND c.deleted_at IS NULL) AS projects_used,
            COALESCE(t.max_agents, p.max_agents) AS agents_most, t.max_agents AS agents_own,
            (SELECT COUNT(*) FROM agents c
                WHERE c.tenant_id = ?1 AND c.deleted_at IS NULL) AS agents_used,
            p.features AS plan_features, t.features AS own_features,
            p.rate_limits AS plan_limits, t.rate_limits AS own_limits
        FROM tenants t JOIN plans p ON p.id = t.plan_id WHERE t.id = ?1";
    /// `?1` tenant, `?2` what, `?3` most or NULL for the plan's, `?4` the word for a feature or an empty text,
    /// `?5` now. A feature's word takes the place of the one before.
    OVERRIDE: TenantQuery = "entitlements.override", "
        UPDATE tenants SET
            monthly_events = CASE WHEN ?2 = 'events' THEN CAST(?3 AS BIGINT) ELSE monthly_events END,
            max_api_keys = CASE WHEN ?2 = 'api_keys' THEN CAST(?3 AS BIGINT) ELSE max_api_keys END,
            max_projects = CASE WHEN ?2 = 'projects' THEN CAST(?3 AS BIGINT) ELSE max_projects END,
            max_agents = CASE WHEN ?2 = 'agents' THEN CAST(?3 AS BIGINT) ELSE max_agents END,
            features = NULLIF(TRIM(REPLACE(REPLACE(' ' || COALESCE(features, '') || ' ',
                ' -' || ?2 || ' ', ' '), ' ' || ?2 || ' ', ' ') || ?4), ''),
            updated_at = ?5
        WHERE id = ?1";
    /// `?1` tenant, `?2` month, `?3` events, `?4` id, `?5` most open reservations. A row comes back while
    /// there is room.
    HOLD: TenantQuery = "usage.hold", "
        INSERT INTO usage_months (tenant_id, month, events, batch, known)
        SELECT t.id, ?2, CAST(?3 AS BIGINT), ?4, '[]' FROM tenants t JOIN plans p ON p.id = t.plan_id
        WHERE t.id = ?1 AND ?3 <= COALESCE(t.monthly_events, p.monthly_events, 9007199254740991)
            AND (SELECT COUNT(*) FROM usage_reservations r
                WHERE r.tenant_id = ?1 AND r.state = 'open') < ?5
        ON CONFLICT (tenant_id, month) DO UPDATE SET
            events = usage_months.events + excluded.events, batch = excluded.batch, known = '[]'
        WHERE usage_months.events + excluded.events <= COALESCE((
            SELECT COALESCE(t.monthly_events, p.monthly_events)
            FROM tenants t JOIN plans p ON p.id = t.plan_id
            WHERE t.id = usage_months.tenant_id), 9007199254740991)
        RETURNING events AS used, (SELECT COALESCE(t.monthly_events, p.monthly_events)
            FROM tenants t JOIN plans p ON p.id = t.plan_id
            WHERE t.id = usage_months.tenant_id) AS quota";
    /// `?1` tenant, `?2` month, `?3` events, `?4` id, `?5` end, `?6` now. What [`HOLD`] has held.
    KEEP_HELD: TenantQuery = "usage.keep_held", "
        INSERT INTO usage_reservations
            (tenant_id, id, month, events, state, token, expires_at, created_at, updated_at)
        SELECT u.tenant_id, ?4, ?2, CAST(?3 AS BIGINT), 'open', ?4, CAST(?5 AS BIGINT),
            CAST(?6 AS BIGINT), CAST(?6 AS BIGINT)
        FROM usage_months u WHERE u.tenant_id = ?1 AND u.month = ?2 AND u.batch = ?4";
    /// `?1` tenant, `?2` id, `?3` batch, `?4` now, `?5` events that are to be stored.
    TAKE: TenantQuery = "usage.take", "
        UPDATE usage_reservations SET state = 'finalised', token = ?3, updated_at = ?4
        WHERE tenant_id = ?1 AND id = ?2 AND state = 'open' AND expires_at > ?4 AND events >= ?5
        RETURNING events";
    /// `?1` tenant, `?2` id, `?3` batch. All places of what [`TAKE`] has taken: the events are counted anew.
    GIVE_BACK: TenantQuery = "usage.give_back", "
        UPDATE usage_months SET events = events - (SELECT r.events FROM usage_reservations r
            WHERE r.tenant_id = ?1 AND r.id = ?2 AND r.token = ?3)
        WHERE tenant_id = ?1 AND month = (SELECT r.month FROM usage_reservations r
            WHERE r.tenant_id = ?1 AND r.id = ?2 AND r.token = ?3)";
    /// `?1` tenant, `?2` id.
    RESERVATION: TenantQuery = "usage.reservation", "
        SELECT state, events, expires_at FROM usage_reservations WHERE tenant_id = ?1 AND id = ?2";
    /// `?1` now, `?2` batch, `?3` most.
    EXPIRE: SystemQuery = "usage.expire", "
        UPDATE usage_reservations SET state = 'expired', token = ?2, updated_at = ?1
        WHERE id IN (SELECT id FROM usage_reservations
                WHERE state = 'open' AND expires_at <= ?1 ORDER BY expires_at LIMIT ?3)
            AND state = 'open'
        RETURNING id";
    /// `?1` batch. The places of what [`EXPIRE`] has ended.
    RETURN: SystemQuery = "usage.return", "
        UPDATE usage_months SET events = events - (
            SELECT CAST(SUM(r.events) AS BIGINT) FROM usage_reservations r
            WHERE r.token = ?1 AND r.tenant_id = usage_months.tenant_id
                AND r.month = usage_months.month)
        WHERE (tenant_id, month) IN
            (SELECT r.tenant_id, r.month FROM usage_reservations r WHERE r.token = ?1)";
    /// `?1` month, `?2` most: thresholds that were passed and not told of.
    DUE: SystemQuery = "usage.thresholds_due", "
        SELECT u.tenant_id, x.threshold, u.events AS used,
            COALESCE(t.monthly_events, p.monthly_events) AS quota
        FROM usage_months u
        JOIN tenants t ON t.id = u.tenant_id
        JOIN plans p ON p.id = t.plan_id
        CROSS JOIN (SELECT 80 AS threshold UNION ALL SELECT 100 AS threshold) x
        WHERE u.month = ?1 AND t.deleted_at IS NULL
            AND COALESCE(t.monthly_events, p.monthly_events) > 0
            AND u.events * 100 >= x.threshold * COALESCE(t.monthly_events, p.monthly_events)
            AND NOT EXISTS (SELECT 1 FROM usage_thresholds h WHERE h.tenant_id = u.tenant_id
                AND h.meter = 'events' AND h.period = u.month AND h.threshold = x.threshold)
        ORDER BY u.tenant_id, x.threshold LIMIT ?2";
    /// `?1` tenant, `?2` month, `?3` threshold, `?4` used, `?5` quota, `?6` now, `?7` event. A row comes back
    /// for the first one.
    MARK: TenantQuery = "usage.mark_threshold", "
        INSERT INTO usage_thresholds
            (tenant_id, meter, period, threshold, used, quota, reached_at, event_id)
        VALUES (?1, 'events', ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (tenant_id, meter, period, threshold) DO NOTHING RETURNING threshold";
    /// For what [`MARK`] has marked with the event.
    PUBLISH: TenantQuery = "usage.publish_threshold", crate::publish_where!(
        "FROM usage_thresholds WHERE tenant_id = ?1 AND event_id = ?2");
}
