-- Requests as they were answered: docs/decisions/0020-request-tracking.md. A row stands for one request, or for all
-- of an hour that are alike. Its id is made of everything that it says besides the numbers. No tenant and no user is
-- referenced: a row is written after the answer, and stays until its time is over.
CREATE TABLE usage_logs (
    started_at INTEGER NOT NULL,
    id TEXT NOT NULL,
    tenant_id TEXT,
    actor TEXT,
    route TEXT NOT NULL,
    method TEXT NOT NULL,
    status INTEGER NOT NULL,
    error_code TEXT,
    request_id TEXT,
    requests INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    latency_max_ms INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    PRIMARY KEY (started_at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_logs_tenant ON usage_logs (tenant_id, started_at, id) WHERE tenant_id IS NOT NULL;
