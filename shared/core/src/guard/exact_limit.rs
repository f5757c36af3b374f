//! The exact limit: one upsert in SQL, for what must not be guessed more often than said.
//!
//! Two hundred parallel requests against a limit of one hundred let exactly one hundred
//! through, because the database counts them one by one.

use super::lockout::wait_seconds;
use crate::crypto::{base64url, digest};
use crate::http::{Code, Error};
use crate::port::DatabaseError;
use crate::sql::{Row, Statement};
use crate::time::{MINUTE, Millis};

crate::queries! {
    /// `?1` key, `?2` now, `?3` end of a window that starts now. Returns hits and the end.
    HIT: SystemQuery = "limit.hit", "
        INSERT INTO exact_limits (id, hits, window_ends_at) VALUES (?1, 1, ?3)
        ON CONFLICT (id) DO UPDATE SET
            hits = CASE WHEN exact_limits.window_ends_at <= ?2 THEN 1 ELSE exact_limits.hits + 1 END,
            window_ends_at = CASE WHEN exact_limits.window_ends_at <= ?2
                THEN excluded.window_ends_at ELSE exact_limits.window_ends_at END
        RETURNING hits, window_ends_at";
    /// As [`HIT`], but only if the limit with key `?4` is not above `?5`.
    HIT_AFTER: SystemQuery = "limit.hit_after", "
        INSERT INTO exact_limits AS l (id, hits, window_ends_at)
        SELECT ?1, 1, CAST(?3 AS BIGINT) FROM exact_limits WHERE id = ?4 AND hits <= ?5
        ON CONFLICT (id) DO UPDATE SET
            hits = CASE WHEN l.window_ends_at <= ?2 THEN 1 ELSE l.hits + 1 END,
            window_ends_at = CASE WHEN l.window_ends_at <= ?2
                THEN excluded.window_ends_at ELSE l.window_ends_at END
        RETURNING hits, window_ends_at";
    /// `?1` key. A success gives its own hit back.
    REFUND: SystemQuery = "limit.refund", "
        UPDATE exact_limits SET hits = hits - 1
        WHERE id = ?1 AND hits > 0";
    /// `?1` key.
    FORGET: SystemQuery = "limit.forget", "DELETE FROM exact_limits WHERE id = ?1";
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

/// Codes mailed to one account, which prove its second factor.
pub const MFA_MAIL: Rule = Rule {
    name: "mfa.mail",
    hits: 3,
    window: 10 * MINUTE,
};
/// Accounts registered from one source.
pub const REGISTER_SOURCE: Rule = Rule {
    name: "register.source",
    hits: 300,
    window: 60 * MINUTE,
};
/// Mails to one address because somebody registered it. The window is not longer than the links
/// live, so whoever is refused still has a mail whose link works.
pub const REGISTER_RECIPIENT: Rule = Rule {
    name: "register.recipient",
    hits: 5,
    window: 60 * MINUTE,
};
/// Mails to one address because somebody asked for a new link.
pub const RESEND_RECIPIENT: Rule = Rule {
    name: "resend.recipient",
    hits: 3,
    window: 60 * MINUTE,
};
/// Mails to one address because somebody forgot its password.
pub const RESET_RECIPIENT: Rule = Rule {
    name: "reset.recipient",
    hits: 3,
    window: 60 * MINUTE,
};
/// Mails that one source had sent to any address without being signed in.
pub const MAIL_SOURCE: Rule = Rule {
    name: "mail.source",
    hits: 100,
    window: 60 * MINUTE,
};
/// Changes of address that one user asks for; each sends a mail to the old address.
pub const EMAIL_CHANGE_USER: Rule = Rule {
    name: "email_change.user",
    hits: 5,
    window: 24 * 60 * MINUTE,
};
/// Mails to one address because somebody wanted to have it, by all users.
pub const EMAIL_CHANGE_RECIPIENT: Rule = Rule {
    name: "email_change.recipient",
    hits: 3,
    window: 24 * 60 * MINUTE,
};

/// Mails with invitations that one tenant sends. Anybody may have a tenant, so it bounds what can
/// be sent to strangers.
pub const INVITE_TENANT: Rule = Rule {
    name: "invite.tenant",
    hits: 50,
    window: 24 * 60 * MINUTE,
};
/// Mails with invitations to one address, by all tenants.
pub const INVITE_RECIPIENT: Rule = Rule {
    name: "invite.recipient",
    hits: 5,
    window: 24 * 60 * MINUTE,
};
/// Organisations that one user creates.
pub const ORGANIZATIONS_USER: Rule = Rule {
    name: "organizations.user",
    hits: 10,
    window: 24 * 60 * MINUTE,
};

/// Requests to an issuer for keys when there are none: isolates that start at the same time.
pub const JWKS_FIRST: Rule = Rule {
    name: "jwks.first",
    hits: 20,
    window: MINUTE,
};
/// The same because a token names a key that is not among those there are, which anybody can do.
pub const JWKS_AGAIN: Rule = Rule {
    name: "jwks.again",
    hits: 1,
    window: MINUTE,
};

impl Rule {
    pub(super) fn key(&self, subject: &str) -> String {
        // A hash: neither addresses nor e-mail addresses stand in the table.
        // An e-mail address is no IP address, so only sources are shortened.
        let subject = super::client::source(subject);
        base64url(&digest(&[self.name.as_bytes(), subject.as_bytes()]))
    }

    /// Key and hits of `subject`'s row, for a statement that asks for itself whether the hit that
    /// its batch counted is within the limit.
    pub fn bound(&self, subject: &str) -> (String, i64) {
        (self.key(subject), self.hits)
    }

    /// The statement that counts one hit of `subject`, an account or a client's address; its rows go to [`Self::judge`].
    pub fn hit(&self, subject: &str, now: Millis) -> Statement {
        HIT.bind([
            self.key(subject).into(),
            now.into(),
            now.plus(self.window).into(),
        ])
    }

    /// The same, if the hit of `gate` for `other`, counted before it in the same batch, was
    /// within its limit: whom `gate` refuses uses up nothing of `subject`'s.
    pub fn hit_after(&self, subject: &str, gate: &Self, other: &str, now: Millis) -> Statement {
        HIT_AFTER.bind([
            self.key(subject).into(),
            now.into(),
            now.plus(self.window).into(),
            gate.key(other).into(),
            gate.hits.into(),
        ])
    }

    /// The statement that takes one hit of `subject` back, so that only failures count.
    pub fn refund(&self, subject: &str) -> Statement {
        REFUND.bind([self.key(subject).into()])
    }

    /// The statement that takes all hits of `subject` back.
    pub fn forget(&self, subject: &str) -> Statement {
        FORGET.bind([self.key(subject).into()])
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
        Err(self.refusal(wait_seconds(Millis(row.int(1)?), now)))
    }

    /// The refusal of a hit that was not, for so many seconds.
    pub fn refusal(&self, seconds: u32) -> Error {
        Error::new(Code::RateLimited)
            .with_limit(self.name, self.hits)
            .with_retry_after(seconds)
    }
}
