//! Lockout: who guesses a secret wrong too often has to wait, ever longer (OWASP Authentication
//! Cheat Sheet; requirements ).
//!
//! An attempt is counted before the secret is looked at, in the database, so parallel attempts
//! cannot outrun the count: of any number at once, [`Lockout::threshold`] are evaluated. Three
//! counters stand in one order, and each counts only what the one before let through:
//!
//! 1. the source over all accounts: who is refused here locks nobody's account,
//! 2. the account as seen from this source, with the cooldown that grows,
//! 3. the account over all sources, far higher, against guessing from many places.
//!
//! So a stranger locks an account for their own network, and not for its owner.

use super::exact_limit::Rule;
use crate::crypto::{base64url, digest};
use crate::http::{Code, Error};
use crate::port::DatabaseError;
use crate::sql::{Row, Statement};
use crate::time::{DAY, HOUR, MINUTE, Millis, SECOND};

crate::queries! {
    /// `?1` key, `?2` now, `?3` when it is forgotten, `?4` key of the source's limit, `?5` that
    /// limit, `?6` threshold, `?7` to `?10` the cooldowns. A row comes back unless the source is
    /// over its limit. While locked only the count goes on, so waiting is never made longer.
    HIT: SystemQuery = "lockout.hit", "
        INSERT INTO failed_auth_attempts AS f (id, failures, lockouts, locked_until, expires_at)
        SELECT ?1, 1, 0, 0, CAST(?3 AS BIGINT) FROM exact_limits WHERE id = ?4 AND hits <= ?5
        ON CONFLICT (id) DO UPDATE SET
            failures = CASE
                WHEN f.expires_at <= ?2 OR f.failures >= ?6 AND f.locked_until <= ?2 THEN 1
                ELSE f.failures + 1 END,
            lockouts = CASE
                WHEN f.expires_at <= ?2 THEN 0
                WHEN f.failures + 1 = ?6 THEN f.lockouts + 1
                ELSE f.lockouts END,
            locked_until = CASE
                WHEN f.expires_at <= ?2 THEN 0
                WHEN f.failures + 1 = ?6 THEN ?2 + CASE f.lockouts
                    WHEN 0 THEN CAST(?7 AS BIGINT) WHEN 1 THEN CAST(?8 AS BIGINT)
                    WHEN 2 THEN CAST(?9 AS BIGINT) ELSE CAST(?10 AS BIGINT) END
                ELSE f.locked_until END,
            expires_at = CASE
                WHEN f.expires_at > ?2 AND f.failures >= ?6 AND f.locked_until > ?2
                    THEN f.expires_at
                ELSE excluded.expires_at END
        RETURNING failures, locked_until";
    /// `?1` key, `?2` now, `?3` end of a window that starts now, `?4` key of [`HIT`], `?5`
    /// threshold, `?6` key of the source's limit, `?7` that limit. A row comes back unless one
    /// of the two refused.
    HIT_ACCOUNT: SystemQuery = "lockout.hit_account", "
        INSERT INTO exact_limits AS l (id, hits, window_ends_at)
        SELECT ?1, 1, CAST(?3 AS BIGINT) FROM failed_auth_attempts f, exact_limits s
        WHERE f.id = ?4 AND f.failures <= ?5 AND s.id = ?6 AND s.hits <= ?7
        ON CONFLICT (id) DO UPDATE SET
            hits = CASE WHEN l.window_ends_at <= ?2 THEN 1 ELSE l.hits + 1 END,
            window_ends_at = CASE WHEN l.window_ends_at <= ?2
                THEN excluded.window_ends_at ELSE l.window_ends_at END
        RETURNING hits, window_ends_at";
    /// `?1` key.
    FORGIVE: SystemQuery = "lockout.forgive", "DELETE FROM failed_auth_attempts WHERE id = ?1";
}

/// After so long without an attempt everything is forgotten, the number of lockouts too.
const MEMORY: i64 = DAY;

/// One secret that may be guessed at.
#[derive(Debug, Clone, Copy)]
pub struct Lockout {
    /// What is guarded; part of the key.
    pub name: &'static str,
    /// Attempts evaluated before the account is locked for the source.
    pub threshold: i64,
    /// How long, in milliseconds: the first time, the second, the third, and every later time.
    pub cooldowns: [i64; 4],
    /// Attempts of one source over all accounts.
    pub source: Rule,
    /// Attempts on one account over all sources.
    pub account: Rule,
}

/// Passwords at sign-in.
pub const LOGIN: Lockout = Lockout {
    name: "login",
    threshold: 3,
    cooldowns: [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR],
    source: Rule {
        name: "login.source",
        hits: 100,
        window: 15 * MINUTE,
    },
    account: Rule {
        name: "login.account",
        hits: 100,
        window: HOUR,
    },
};

/// The own password, asked again of somebody who is signed in; counted by user.
pub const CONFIRM: Lockout = Lockout {
    name: "confirm",
    source: Rule {
        name: "confirm.source",
        ..LOGIN.source
    },
    account: Rule {
        name: "confirm.account",
        ..LOGIN.account
    },
    ..LOGIN
};

/// Codes of second factors and recovery codes, all together. It counts for the user wherever
/// the attempts come from: whoever gets here has the first factor right, so no stranger can lock
/// an owner out. Both arguments of [`Lockout::hit`] are the user's id.
pub const MFA: Lockout = Lockout {
    name: "mfa",
    source: Rule {
        name: "mfa.source",
        ..LOGIN.source
    },
    account: Rule {
        name: "mfa.account",
        ..LOGIN.account
    },
    ..LOGIN
};

/// An attempt that may be evaluated.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Attempt {
    lockout: Lockout,
    /// Set when a failure of this attempt is the one that locks.
    locks_until: Option<Millis>,
}

impl Lockout {
    fn key(&self, source: &str, account: &str) -> String {
        // A hash: neither addresses nor e-mail addresses stand in the table.
        base64url(&digest(&[
            self.name.as_bytes(),
            super::client::source(source).as_bytes(),
            account.as_bytes(),
        ]))
    }

    /// The statements that count one attempt of `source` at `account`; they stand first in their
    /// batch, and their rows go to [`Self::judge`].
    pub fn hit(&self, source: &str, account: &str, now: Millis) -> [Statement; 3] {
        let (key, source_key) = (self.key(source, account), self.source.key(source));
        let [first, second, third, later] = self.cooldowns;
        [
            self.source.hit(source, now),
            HIT.bind([
                key.as_str().into(),
                now.into(),
                now.plus(MEMORY).into(),
                source_key.as_str().into(),
                self.source.hits.into(),
                self.threshold.into(),
                first.into(),
                second.into(),
                third.into(),
                later.into(),
            ]),
            HIT_ACCOUNT.bind([
                self.account.key(account).into(),
                now.into(),
                now.plus(self.account.window).into(),
                key.into(),
                self.threshold.into(),
                source_key.into(),
                self.source.hits.into(),
            ]),
        ]
    }

    /// Whether the counted attempt may be evaluated.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the source tried too many accounts, `ACCOUNT_LOCKED` when it or all
    /// sources together tried this one too often; both with `Retry-After`.
    pub fn judge(&self, rows: &[Vec<Row>], now: Millis) -> Result<Attempt, Error> {
        let [source, pair, account, ..] = rows else {
            return Err(missing().into());
        };
        self.source.judge(source, now)?;
        let pair = pair.first().ok_or_else(missing)?;
        let (failures, locked_until) = (pair.int(0)?, Millis(pair.int(1)?));
        if failures > self.threshold {
            return Err(self.locked(locked_until, now));
        }
        let account = account.first().ok_or_else(missing)?;
        if account.int(0)? > self.account.hits {
            return Err(self.locked(Millis(account.int(1)?), now));
        }
        let locks_until = (failures == self.threshold).then_some(locked_until);
        Ok(Attempt {
            lockout: *self,
            locks_until,
        })
    }

    fn locked(&self, until: Millis, now: Millis) -> Error {
        Error::new(Code::AccountLocked)
            .with_limit(self.name, self.threshold)
            .with_retry_after(wait_seconds(until, now))
    }

    /// The statements that a success writes: guesses before it no longer count, and it gives its
    /// own hits back. In the order of [`Self::hit`], so that two batches never wait for each
    /// other's rows.
    pub fn forgive(&self, source: &str, account: &str) -> [Statement; 3] {
        [
            self.source.refund(source),
            self.forget(source, account),
            self.account.refund(account),
        ]
    }
}

impl Lockout {
    /// The statement that ends a lockout, for somebody who has proven who they are otherwise.
    pub fn forget(&self, source: &str, account: &str) -> Statement {
        FORGIVE.bind([self.key(source, account).into()])
    }
}

impl Attempt {
    /// The answer to a wrong secret: `wrong`, or that this was the last attempt.
    pub fn failed(self, wrong: Code, now: Millis) -> Error {
        self.locks_until.map_or_else(
            || Error::new(wrong),
            |until| self.lockout.locked(until, now),
        )
    }
}

fn missing() -> DatabaseError {
    DatabaseError::Shape("no attempt counted".to_owned())
}

/// Whole seconds from now to `until`, at least one, for `Retry-After`.
pub(super) fn wait_seconds(until: Millis, now: Millis) -> u32 {
    let wait = until.since(now).div_euclid(SECOND).saturating_add(1);
    u32::try_from(wait.max(1)).unwrap_or(u32::MAX)
}
