//! The rows of requests.

macro_rules! add {
    ($given:literal) => {
        concat!(
            "INSERT INTO usage_logs (started_at, id, tenant_id, actor, route, method, error_code, request_id,
                status, requests, latency_ms, request_bytes, response_bytes, latency_max_ms)
            SELECT CAST(j.value->>0 AS BIGINT), j.value->>1, j.value->>2, j.value->>3, j.value->>4,
                j.value->>5, j.value->>6, j.value->>7, CAST(j.value->>8 AS BIGINT),
                CAST(j.value->>9 AS BIGINT), CAST(j.value->>10 AS BIGINT), CAST(j.value->>11 AS BIGINT),
                CAST(j.value->>12 AS BIGINT), CAST(j.value->>13 AS BIGINT)
            FROM ",
            $given,
            " j WHERE 1 = 1 ORDER BY 1, 2
            ON CONFLICT (started_at, id) DO UPDATE SET
                requests = usage_logs.requests + excluded.requests,
                latency_ms = usage_logs.latency_ms + excluded.latency_ms,
                latency_max_ms = CASE WHEN excluded.latency_max_ms > usage_logs.latency_max_ms
                    THEN excluded.latency_max_ms ELSE usage_logs.latency_max_ms END,
                request_bytes = usage_logs.request_bytes + excluded.request_bytes,
                response_bytes = usage_logs.response_bytes + excluded.response_bytes"
        )
    };
}

crate::queries! {
    /// `?1` JSON: arrays of the columns in their order, each id once. They are written in one order, so that two
    /// instances cannot wait for each other's rows.
    ADD: SystemQuery = "tracking.add", add!("json_each(?1)"),
        postgres = add!("jsonb_array_elements(CAST(CAST(?1 AS TEXT) AS jsonb))");
}
