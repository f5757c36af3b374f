//! What was taken in already: a place for each consumer and event, which falls free after a while.

use crate::sql::Statement;
use crate::time::Millis;

crate::queries! {
    /// `?1` place, `?2` who takes it, `?3` until when, `?4` now. A row comes back for the first, and
    /// for the next after its time.
    MARK: SystemQuery = "inbox.mark", "
        INSERT INTO inbox (id, holder, expires_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
        WHERE inbox.expires_at <= ?4
        RETURNING id";
}

/// Takes the place of `consumer` for `event`. A row comes back, and `holder` stands there, if nobody
/// has had it until `now`; a repetition gets none. The effect belongs into the same batch.
pub(crate) fn mark(place: &str, holder: &str, until: Millis, now: Millis) -> Statement {
    MARK.bind([place.into(), holder.into(), until.into(), now.into()])
}
