//! The rows of counters, and what else the page shows.

macro_rules! add {
    ($given:literal) => {
        concat!(
            "INSERT INTO metrics (name, labels, value)
            SELECT j.value->>0, j.value->>1, CAST(j.value->>2 AS BIGINT) FROM ",
            $given,
            " j WHERE 1 = 1
            ON CONFLICT (name, labels) DO UPDATE SET value = metrics.value + excluded.value"
        )
    };
}

crate::queries! {
    /// `?1` JSON: arrays `[name, labels, amount]`, each series once.
    ADD: SystemQuery = "metrics.add", add!("json_each(?1)"),
        postgres = add!("jsonb_array_elements(CAST(CAST(?1 AS TEXT) AS jsonb))");
    /// As many rows as the program has series.
    ALL: SystemQuery = "metrics.all", "SELECT name, labels, value FROM metrics ORDER BY name, labels";
    /// `?1` now. What waits: jobs queued and running, mails that are due, events of Stripe that are
    /// open, audit entries without a link, events of the outbox and when the oldest was written. Each asks for a column of the
    /// partial index that holds just these rows.
    BACKLOG: SystemQuery = "metrics.backlog", "
        SELECT
            (SELECT COUNT(*) FROM jobs
                WHERE finished_at IS NULL AND leased_until >= 0 AND state = 'queued') AS queued,
            (SELECT COUNT(*) FROM jobs
                WHERE finished_at IS NULL AND leased_until >= 0 AND state = 'running') AS running,
            (SELECT COUNT(*) FROM mails
                WHERE sent_at IS NULL AND failed_at IS NULL AND leased_until <= ?1) AS mails,
            (SELECT COUNT(*) FROM stripe_inbox WHERE done_at IS NULL AND received_at >= 0) AS events,
            (SELECT COUNT(*) FROM audit_pending) AS unsealed,
            (SELECT COUNT(*) FROM outbox WHERE relayed_at IS NULL AND created_at >= 0) AS outbox,
            (SELECT MIN(created_at) FROM outbox WHERE relayed_at IS NULL AND created_at >= 0) AS oldest";
}
