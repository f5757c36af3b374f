//! Judging a code: one lockout for all factors of a user, then the factors one by one.

use super::email;
use super::recovery;
use super::seal::{self, NONCE};
use super::store::{
    CLAIM_BY_SESSION, CLAIM_EMAIL, CLAIM_RECOVERY, CLAIM_TOTP, COUNT_TRY, FACTORS, Factor, Kind,
    RECOVERY_CODE,
};
use super::totp;
use crate::app::Ready;
use crate::audit::Entry;
use crate::crypto::same;
use crate::fields::Fields;
use crate::guard::lockout::{self, MFA};
use crate::http::{Code, Context, Error};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement, Value};
use crate::time::Millis;

/// What somebody gave to prove a factor.
#[derive(Debug)]
pub(super) enum Answer {
    /// Six digits, of an app or a mail.
    Code(String),
    /// One of the recovery codes.
    Recovery(String),
}

impl Answer {
    /// The fields `code` and `recovery_code`, of which one may be there.
    pub(super) fn read(fields: &mut Fields) -> Result<Option<Self>, Error> {
        let code = fields.opt_text("code", 1, 20)?;
        let recovery = fields.opt_text("recovery_code", 1, 40)?;
        match (code, recovery) {
            (None, None) => Ok(None),
            (Some(code), None) => Ok(Some(Self::Code(code.replace([' ', '-'], "")))),
            (None, Some(code)) => Ok(Some(Self::Recovery(code))),
            (Some(_), Some(_)) => {
                let one = "Send a code or a recovery code, not both.";
                Err(Error::invalid("recovery_code", one))
            }
        }
    }

    /// Statements that count this answer and read what judges it; they stand first in their
    /// batch, and their rows go to [`judge`].
    pub(super) fn statements(&self, user: &str, now: Millis) -> Vec<Statement> {
        let hash = match self {
            Self::Code(_) => Value::Null,
            Self::Recovery(code) => recovery::hash(user, code).into(),
        };
        let mut statements = Vec::from(MFA.hit(user, user, now));
        statements.extend([
            COUNT_TRY.bind([user.into()]),
            FACTORS.bind([user.into()]),
            RECOVERY_CODE.bind([user.into(), hash]),
        ]);
        statements
    }
}

/// A right answer, not spent yet.
#[derive(Debug)]
pub(super) enum Proof {
    Totp {
        step: i64,
        resealed: Option<String>,
    },
    Email {
        hash: String,
    },
    Recovery {
        hash: String,
    },
    /// The session itself is fresh and proved a factor.
    Session,
}

impl Proof {
    /// The statement that spends it: `mark` is on the row afterwards, or nothing has changed.
    pub(super) fn claim(&self, user: &str, mark: &str, now: Millis) -> Statement {
        let (user, mark): (Value, Value) = (user.into(), mark.into());
        match self {
            Self::Totp { step, resealed } => {
                CLAIM_TOTP.bind([user, mark, (*step).into(), resealed.clone().into()])
            }
            Self::Email { hash } => {
                let tries = email::MAX_TRIES.into();
                CLAIM_EMAIL.bind([user, mark, hash.as_str().into(), now.into(), tries])
            }
            Self::Recovery { hash } => {
                CLAIM_RECOVERY.bind([user, mark, hash.as_str().into(), now.into()])
            }
            Self::Session => CLAIM_BY_SESSION.bind([user, mark]),
        }
    }
}

/// An answer that was counted and may be looked at.
#[derive(Debug)]
pub(super) struct Attempt {
    counted: lockout::Attempt,
    factors: Vec<Row>,
    recovery: Vec<Row>,
}

/// Whether the counted answer may be looked at; takes the rows of [`Answer::statements`].
///
/// # Errors
/// `ACCOUNT_LOCKED` with `Retry-After`.
pub(super) fn judge(rows: &[Vec<Row>], now: Millis) -> Result<Attempt, Error> {
    let counted = MFA.judge(rows, now)?;
    let [_, _, _, _, factors, recovery, ..] = rows else {
        return Err(DatabaseError::Shape("six results were expected".to_owned()).into());
    };
    Ok(Attempt {
        counted,
        factors: factors.clone(),
        recovery: recovery.clone(),
    })
}

impl Attempt {
    /// The factors of the user, those that are not on yet included.
    pub(super) fn factors(&self) -> Result<Vec<Factor>, Error> {
        Ok(Factor::all(&self.factors)?)
    }

    /// What the answer proves by the factors that are on.
    pub(super) fn proof<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        user: &str,
        answer: &Answer,
    ) -> Result<Option<Proof>, Error> {
        let Answer::Code(code) = answer else {
            let hash = self.recovery.first().map(|row| row.text(0)).transpose()?;
            let hash = hash.map(str::to_owned);
            return Ok(hash.map(|hash| Proof::Recovery { hash }));
        };
        for factor in self.factors()?.iter().filter(|factor| factor.enabled) {
            if let Some(proof) = by_factor(cx.ready()?, user, factor, code, cx.now, cx.random()?)? {
                return Ok(Some(proof));
            }
        }
        Ok(None)
    }

    /// The answer to a wrong code, recorded: `wrong`, or the lock when it was the last attempt.
    pub(super) async fn failed<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        user: &str,
        tenant: &str,
        wrong: Error,
    ) -> Result<Error, Error> {
        let counted = self.counted.failed(wrong.code(), cx.now);
        let (action, error) = if counted.code() == Code::AccountLocked {
            ("auth.mfa_locked", counted)
        } else {
            ("auth.mfa_failed", wrong)
        };
        let entry = Entry {
            tenant: Some(tenant),
            actor: user,
            action,
            target: user,
        };
        cx.query(entry.append(cx)?).await?;
        Ok(error)
    }
}

/// What a code proves by one factor, whether that is on or not.
pub(super) fn by_factor(
    ready: &Ready,
    user: &str,
    factor: &Factor,
    code: &str,
    now: Millis,
    nonce: [u8; NONCE],
) -> Result<Option<Proof>, Error> {
    let Some(kept) = factor.secret.as_deref() else {
        return Ok(None);
    };
    match factor.kind {
        Kind::Totp => {
            let keys = &ready.keys.mfa;
            let opened = seal::open(keys, user, kept)?;
            let step = totp::step_of(&opened.secret, code, now, factor.last_step);
            let resealed = match (step, opened.stale) {
                (Some(_), true) => Some(seal::seal(keys, user, &opened.secret, nonce)?),
                _ => None,
            };
            Ok(step.map(|step| Proof::Totp { step, resealed }))
        }
        Kind::Email => {
            let alive = factor.code_expires_at.is_some_and(|end| end > now.0)
                && factor.tries <= email::MAX_TRIES;
            let mut hashes = email::hashes(ready, user, code).into_iter();
            let right = hashes.find(|hash| same(hash.as_bytes(), kept.as_bytes()));
            Ok(right.filter(|_| alive).map(|hash| Proof::Email { hash }))
        }
    }
}
