//! The exact limit: one upsert in SQL, for what must not be guessed more often than said.
//!
//! Two hundred parallel requests against a limit of one hundred let exactly one hundred
//! through, because the database counts them one by one.

use crate::crypto::{base64url, digest};
use crate::http::{Code, Error};
use crate::port::DatabaseError;
use crate::sql::{Row, Statement};
use crate::time::{MINUTE, Millis, SECOND};

crate::queries! {
    /// `?1` key, `?2` now, `?3` end of a window that starts now. Returns hits and the end.
    HIT: SystemQuery = "limit.hit", "
        INSERT INTO exact_limits (id, hits, window_ends_at) VALUES (?1, 1, ?3)
        ON CONFLICT (id) DO UPDATE SET
            hits = CASE WHEN exact_limits.window_ends_at <= ?2 THEN 1 ELSE exact_limits.hits + 1 END,
            window_ends_at = CASE WHEN exact_limits.window_ends_at <= ?2
                THEN excluded.window_ends_at ELSE exact_limits.window_ends_at END
        RETURNING hits, window_ends_at";
    /// `?1` key. A success gives its own hit back.
    REFUND: SystemQuery = "limit.refund", "UPDATE exact_limits SET hits = hits - 1 WHERE id = ?1";
    /// `?1` key. After a success the guesses before it no longer count.
    FORGIVE: SystemQuery = "limit.forgive", "DELETE FROM exact_limits WHERE id = ?1";
}

/// One rule: so many hits in so long a time.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What is limited; part of the key.
    pub name: &'static str,
    /// Hits allowed in a window.
    pub hits: i64,
    /// Length of the window, in milliseconds, from its first hit.
    pub window: i64,
}

/// Passwords tried for one account.
pub const LOGIN_ACCOUNT: Rule = Rule {
    name: "login.account",
    hits: 10,
    window: 15 * MINUTE,
};
/// Wrong passwords from one source.
pub const LOGIN_SOURCE: Rule = Rule {
    name: "login.source",
    hits: 100,
    window: 15 * MINUTE,
};
/// Accounts registered from one source.
pub const REGISTER_SOURCE: Rule = Rule {
    name: "register.source",
    hits: 300,
    window: 60 * MINUTE,
};

impl Rule {
    fn key(&self, subject: &str) -> String {
        // A hash: neither addresses nor e-mail addresses stand in the table.
        base64url(&digest(&[self.name.as_bytes(), subject.as_bytes()]))
    }

    /// The statement that counts one hit of `subject`; its rows go to [`Self::judge`].
    pub fn hit(&self, subject: &str, now: Millis) -> Statement {
        HIT.bind([
            self.key(subject).into(),
            now.into(),
            now.plus(self.window).into(),
        ])
    }

    /// The statement that takes one hit of `subject` back, so that only failures count.
    pub fn refund(&self, subject: &str) -> Statement {
        REFUND.bind([self.key(subject).into()])
    }

    /// The statement that forgets the hits of `subject`.
    pub fn forgive(&self, subject: &str) -> Statement {
        FORGIVE.bind([self.key(subject).into()])
    }

    /// Whether the counted hit was within the limit.
    ///
    /// # Errors
    /// `RATE_LIMITED` with `Retry-After` when it was not.
    pub fn judge(&self, rows: &[Row], now: Millis) -> Result<(), Error> {
        let row = rows
            .first()
            .ok_or_else(|| DatabaseError::Shape("no hit counted".to_owned()))?;
        if row.int(0)? <= self.hits {
            return Ok(());
        }
        let wait = Millis(row.int(1)?)
            .since(now)
            .div_euclid(SECOND)
            .saturating_add(1);
        let seconds = u32::try_from(wait.max(1)).unwrap_or(u32::MAX);
        Err(Error::new(Code::RateLimited).with_retry_after(seconds))
    }
}
