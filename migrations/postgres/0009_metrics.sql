-- Counters of all instances: docs/metrics.md.

CREATE TABLE metrics (
    name TEXT COLLATE "C" NOT NULL,
    labels TEXT COLLATE "C" NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (name, labels)
);
