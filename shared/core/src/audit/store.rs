//! The statements of the chain.

macro_rules! seal {
    ($seals:literal) => {
        concat!(
            "INSERT INTO audit_seals (position, audit_id, hash, mac)
            SELECT CAST(j.value->>0 AS BIGINT), j.value->>1, j.value->>2, j.value->>3 FROM ",
            $seals,
            " j"
        )
    };
}

macro_rules! sealed {
    ($seals:literal) => {
        concat!(
            "DELETE FROM audit_pending WHERE audit_id IN (SELECT j.value->>1 FROM ",
            $seals,
            " j)"
        )
    };
}

crate::queries! {
    /// The last link.
    HEAD: SystemQuery = "audit.head",
        "SELECT position, hash FROM audit_seals WHERE position > 0 ORDER BY position DESC LIMIT 1";
    /// `?1` most. Entries that are not sealed yet, those from before the chain first. CROSS JOIN
    /// holds SQLite to this order; it would otherwise read the whole log.
    PENDING: SystemQuery = "audit.pending", concat!("SELECT ", crate::audit_columns!(), "
        FROM audit_pending p CROSS JOIN audit_log l
        WHERE l.id = p.audit_id AND NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.audit_id = p.audit_id)
        ORDER BY CASE WHEN l.mac IS NULL THEN 0 ELSE 1 END, l.id LIMIT ?1");
    /// `?1` a list of `[position, entry, hash, MAC]`. Positions are unique: where another sealer
    /// was faster, this fails, and with it the batch.
    SEAL: SystemQuery = "audit.seal", seal!("json_each(?1)"),
        postgres = seal!("jsonb_array_elements(CAST(CAST(?1 AS TEXT) AS jsonb))");
    /// `?1` the same list.
    SEALED: SystemQuery = "audit.sealed", sealed!("json_each(?1)"),
        postgres = sealed!("jsonb_array_elements(CAST(CAST(?1 AS TEXT) AS jsonb))");
    /// `?1` the first position, `?2` most: links in order, with their entries.
    CHAIN: SystemQuery = "audit.chain", concat!("
        SELECT s.position, s.audit_id, s.hash, s.mac AS seal_mac, ", crate::audit_columns!(), "
        FROM audit_seals s LEFT JOIN audit_log l ON l.id = s.audit_id
        WHERE s.position >= ?1 ORDER BY s.position LIMIT ?2");
    /// `?1` id after which to go on, `?2` most: entries, and where they are sealed.
    ENTRIES: SystemQuery = "audit.entries", "
        SELECT l.id, l.created_at, s.position
        FROM audit_log l LEFT JOIN audit_seals s ON s.audit_id = l.id
        WHERE l.id > ?1 ORDER BY l.id LIMIT ?2";
    /// Entries that were written, and are gone before they were sealed.
    GONE: SystemQuery = "audit.gone", "
        SELECT p.audit_id FROM audit_pending p
        WHERE NOT EXISTS (SELECT 1 FROM audit_log l WHERE l.id = p.audit_id)
        ORDER BY p.audit_id LIMIT 1";
    /// `?1` position.
    HASH_AT: SystemQuery = "audit.hash_at", "SELECT hash FROM audit_seals WHERE position = ?1";
}
