//! The rows of the outbox, from their writing to their end.

use crate::port::DatabaseError;
use crate::sql::Row;

crate::queries! {
    /// As [`crate::publish_where!`], in any case.
    PUBLISH: TenantQuery = "outbox.publish", crate::publish_where!("");
    /// `?1` now, `?2` end of the lease, `?3` most. Whoever gets a row back passes it on.
    LEASE: SystemQuery = "outbox.lease", "
        UPDATE outbox SET claimed_until = ?2, attempts = attempts + 1
        WHERE id IN (SELECT id FROM outbox
            WHERE claimed_until <= ?1 AND relayed_at IS NULL ORDER BY claimed_until LIMIT ?3)
            AND claimed_until <= ?1 AND relayed_at IS NULL
        RETURNING id, topic, attempts";
    /// `?1` id, `?2` fence, `?3` now. First in its batch: no row comes back, and the rest does
    /// nothing, when somebody else has the event by now.
    RELAYED: SystemQuery = "outbox.relayed", "
        UPDATE outbox SET relayed_at = ?3, last_error = NULL
        WHERE id = ?1 AND attempts = ?2 AND relayed_at IS NULL RETURNING id";
    /// `?1` id, `?2` fence, `?3` when to try again, `?4` why.
    FAILED: SystemQuery = "outbox.failed", "
        UPDATE outbox SET claimed_until = ?3, last_error = ?4
        WHERE id = ?1 AND attempts = ?2 AND relayed_at IS NULL";
    /// `?1` event, `?2` now, `?3` template, `?4` the place in the inbox, `?5` who holds it. A mail to
    /// each founder whose address is confirmed, if the batch holds the place; that a payment was made, to
    /// whoever has made it.
    MAILS: SystemQuery = "mail.queue_for_event", "
        INSERT INTO mails (id, recipient, template, subject_id, nonce, created_at, leased_until, detail)
        SELECT 'mai_' || substr(o.id, 5) || substr(u.id, 5), u.email, ?3, o.tenant_id, o.id, ?2, ?2, o.payload
        FROM outbox o
        LEFT JOIN payments p ON p.paid_event = o.id
        JOIN memberships m ON m.tenant_id = o.tenant_id
            AND CASE WHEN p.id IS NULL THEN m.role = 'founder' ELSE m.user_id = p.user_id END
        JOIN users u ON u.id = m.user_id
        WHERE o.id = ?1 AND u.email_verified_at IS NOT NULL AND u.disabled_at IS NULL
            AND EXISTS (SELECT 1 FROM inbox i WHERE i.id = ?4 AND i.holder = ?5)
        ON CONFLICT (id) DO NOTHING RETURNING id";
}

/// An event that is being passed on ([`LEASE`]).
#[derive(Debug)]
pub(super) struct Leased {
    pub(super) id: String,
    pub(super) topic: String,
    /// How often it was leased: whoever has the latest number may mark it.
    pub(super) fence: i64,
}

impl Leased {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.text(0)?.to_owned(),
            topic: row.text(1)?.to_owned(),
            fence: row.int(2)?,
        })
    }
}
