-- What the outbox's relay needs: a version of the payload, and a lease whose count is the fence. `relayed_at`
-- says that an event was passed on.
ALTER TABLE outbox ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE outbox ADD COLUMN claimed_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN last_error TEXT;
CREATE INDEX outbox_due ON outbox (claimed_until) WHERE relayed_at IS NULL;
CREATE INDEX outbox_relayed ON outbox (relayed_at) WHERE relayed_at IS NOT NULL;

-- What a consumer has done already, until it may be forgotten: `consumer:event`.
CREATE TABLE inbox (
    id TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_expiry ON inbox (expires_at);

-- What a mail tells besides what its template says: the payload of its event.
ALTER TABLE mails ADD COLUMN detail TEXT;
