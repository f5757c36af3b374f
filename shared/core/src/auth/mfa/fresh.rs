//! Proof that the person at the keyboard is still the one who signed in.

use super::answer::{Answer, Proof, judge};
use super::store::Owner;
use crate::auth::password::{self, MAX_CHARS};
use crate::auth::session::EXCHANGED;
use crate::fields::Fields;
use crate::guard::lockout::MFA;
use crate::http::{Actor, Code, Context, Error};
use crate::port::Platform;
use crate::time::{MINUTE, Millis};

/// How long after its sign-in a session counts as fresh.
const FRESH: i64 = 10 * MINUTE;

/// What a request gives besides its session.
pub(in crate::auth) struct Given {
    pub(super) password: Option<String>,
    pub(super) answer: Option<Answer>,
}

impl Given {
    /// The fields `password`, `code` and `recovery_code`.
    pub(in crate::auth) fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            password: fields.opt_text("password", 1, MAX_CHARS)?,
            answer: Answer::read(fields)?,
        })
    }
}

impl Owner {
    /// Whether somebody signed in just now. Who exchanges a token has not: whoever has got hold
    /// of one can do that again and again until it runs out.
    pub(super) fn is_fresh(&self, now: Millis) -> bool {
        self.amr != EXCHANGED && now.since(Millis(self.signed_in_at)) <= FRESH
    }
}

pub(super) fn refused(how: &str) -> Error {
    Error::new(Code::ReauthRequired).with_message(how)
}

/// Demands a fresh session, or the password again. For users without a second factor.
///
/// # Errors
/// `REAUTH_REQUIRED`; `CREDENTIALS_INVALID` or `ACCOUNT_LOCKED` for a wrong password.
pub(super) async fn first<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    owner: &Owner,
    given: &Given,
) -> Result<(), Error> {
    if owner.is_fresh(cx.now) {
        return Ok(());
    }
    let how = "Send your password, or sign in anew, at most ten minutes before.";
    let password = given.password.as_deref().ok_or_else(|| refused(how))?;
    let nothing = Answer::Code(String::new());
    let rows = cx.batch(&nothing.statements(&actor.user, cx.now)).await?;
    let attempt = judge(&rows, cx.now)?;
    if password::verify(cx.ready()?, password, Some(&owner.password_hash))? {
        cx.batch(&MFA.forgive(&actor.user, &actor.user)).await?;
        return Ok(());
    }
    let wrong = Error::new(Code::CredentialsInvalid).with_field("password");
    Err(attempt
        .failed(cx, &actor.user, actor.tenant.as_str(), wrong)
        .await?)
}

/// Demands a session that proved two factors just now, or the password with a code.
///
/// # Errors
/// As [`first`], and `MFA_CODE_INVALID`.
pub(super) async fn second<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    owner: &Owner,
    given: &Given,
) -> Result<Proof, Error> {
    if owner.is_fresh(cx.now) && owner.amr.contains(' ') {
        return Ok(Proof::Session);
    }
    let (Some(password), Some(answer)) = (&given.password, &given.answer) else {
        let how = "Sign in again with your second factor, or send your password with a code.";
        return Err(refused(how));
    };
    both(cx, actor, owner, Some(password), answer).await
}

/// Judges a code and, where one was given, the password with it, so that no answer tells which of
/// them was wrong.
pub(super) async fn both<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    owner: &Owner,
    password: Option<&str>,
    answer: &Answer,
) -> Result<Proof, Error> {
    let user = actor.user.as_str();
    let rows = cx.batch(&answer.statements(user, cx.now)).await?;
    let attempt = judge(&rows, cx.now)?;
    let right = match password {
        Some(password) => password::verify(cx.ready()?, password, Some(&owner.password_hash))?,
        None => true,
    };
    match attempt.proof(cx, user, answer)? {
        Some(proof) if right => Ok(proof),
        _ => {
            let wrong =
                Error::new(Code::MfaCodeInvalid).with_message("The password or the code is wrong.");
            let tenant = actor.tenant.as_str();
            Err(attempt.failed(cx, user, tenant, wrong).await?)
        }
    }
}

/// Spends a proof by itself.
///
/// # Errors
/// `MFA_CODE_INVALID` when a parallel request was faster.
pub(super) async fn spend<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    proof: &Proof,
) -> Result<(), Error> {
    let user = actor.user.as_str();
    let mark = cx.new_id("mfp")?;
    let mut writes = Vec::from(MFA.forgive(user, user));
    writes.push(proof.claim(user, &mark, cx.now));
    let rows = cx.batch(&writes).await?;
    if rows.last().is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::MfaCodeInvalid));
    }
    Ok(())
}
