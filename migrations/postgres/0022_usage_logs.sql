-- Requests as they were answered: docs/decisions/0020-request-tracking.md. A row stands for one request, or for all
-- of an hour that are alike. Its id is made of everything that it says besides the numbers. No tenant and no user is
-- referenced: a row is written after the answer, and stays until its time is over.
CREATE TABLE usage_logs (
    started_at BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C",
    actor TEXT COLLATE "C",
    route TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    status BIGINT NOT NULL,
    error_code TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    requests BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    latency_max_ms BIGINT NOT NULL,
    request_bytes BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    PRIMARY KEY (started_at, id)
);
CREATE INDEX usage_logs_tenant ON usage_logs (tenant_id, started_at, id) WHERE tenant_id IS NOT NULL;
