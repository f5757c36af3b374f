//! Proof anew, before what a stolen session must not do: closing the account, another address, another
//! way in.

use super::answer::Proof;
use super::fresh::{Given, both, refused};
use super::store::{FACTORS, Factor, OWNER, Owner};
use crate::auth::password;
use crate::guard::identity::Credential;
use crate::guard::lockout::{CONFIRM, MFA};
use crate::http::{Actor, Code, Context, Error, Interrupt};
use crate::port::Platform;
use crate::sql::{Row, Statement, Value};
use crate::time::Millis;

impl Owner {
    /// Whether a password leads into the account at all; who came through another provider has
    /// none until they set one.
    fn has_password(&self) -> bool {
        self.password_hash != password::UNUSABLE
    }

    /// The password that must be right, or nothing where a sign-in just now stands for it.
    fn password_of<'g>(&self, given: &'g Given, now: Millis) -> Result<Option<&'g str>, Error> {
        if self.has_password() {
            let missing = || Error::invalid("password", "Is required.");
            return given.password.as_deref().ok_or_else(missing).map(Some);
        }
        if self.is_fresh(now) {
            return Ok(None);
        }
        let how = "Sign in anew through your provider, at most ten minutes before.";
        Err(refused(how))
    }
}

/// A caller who has proven anew, in this request, that the account is theirs.
pub(in crate::auth) struct Again {
    pub(in crate::auth) actor: Actor,
    pub(in crate::auth) email: String,
    /// Whether a password was counted and right.
    password: bool,
    proof: Option<Proof>,
}

impl Again {
    /// Demands what a stolen session has not: the password, or where the account has none a
    /// sign-in just now; and where a second factor is on, a code, unless the session proved one
    /// just now. What was proven is spent in the handler's batch, by [`Self::spend`].
    ///
    /// # Errors
    /// `VALIDATION` or `REAUTH_REQUIRED` for what is missing; `PASSWORD_WRONG`,
    /// `MFA_CODE_INVALID` or `ACCOUNT_LOCKED`.
    pub(in crate::auth) async fn demand<P: Platform>(
        cx: &Context<'_, P>,
        given: &Given,
    ) -> Result<Self, Interrupt> {
        let Credential::Member(claims) = cx.credential() else {
            return Err(Error::new(Code::AuthRequired).into());
        };
        let (user, session) = (claims.user.as_str(), claims.session.as_str());
        // Counted before it is looked at, in the round trip that reads what it is compared with.
        let mut statements = Vec::new();
        if given.password.is_some() {
            statements.extend(CONFIRM.hit(cx.client, user, cx.now));
        }
        let own = statements.len();
        statements.push(OWNER.bind([user.into(), session.into()]));
        statements.push(FACTORS.bind([user.into()]));
        let (actor, rows) = cx.load_guarded(statements).await?;
        let (counted, own) = rows.split_at_checked(own).unwrap_or((&rows, &[]));
        let owner = Owner::from_rows(own.first().map_or(&[], Vec::as_slice))?;
        let factors = Factor::all(own.get(1).map_or(&[], Vec::as_slice))?;
        let on = factors.iter().any(|factor| factor.enabled);

        if on && !(owner.is_fresh(cx.now) && owner.amr.contains(' ')) {
            let how = "Send a code of your second factor as well.";
            let answer = given.answer.as_ref();
            let answer = answer.ok_or_else(|| refused(how).with_field("code"))?;
            let password = owner.password_of(given, cx.now)?;
            if password.is_some() {
                let _ = CONFIRM.judge(counted, cx.now)?;
            }
            let proof = both(cx, &actor, &owner, password, answer).await?;
            return Ok(Self::new(actor, owner, password.is_some(), Some(proof)));
        }
        let password = owner.password_of(given, cx.now)?;
        if let Some(password) = password {
            let attempt = CONFIRM.judge(counted, cx.now)?;
            if !password::verify(cx.ready()?, password, Some(&owner.password_hash))? {
                let wrong = attempt.failed(Code::PasswordWrong, cx.now);
                return Err(wrong.with_field("password").into());
            }
        }
        Ok(Self::new(actor, owner, password.is_some(), None))
    }

    fn new(actor: Actor, owner: Owner, password: bool, proof: Option<Proof>) -> Self {
        Self {
            actor,
            email: owner.email,
            password,
            proof,
        }
    }

    /// Statements that make wrong guesses before count no more; what was proven stays unspent.
    pub(in crate::auth) fn forgive<P: Platform>(&self, cx: &Context<'_, P>) -> Vec<Statement> {
        let user = self.actor.user.as_str();
        let mut statements = Vec::new();
        if self.password {
            statements.extend(CONFIRM.forgive(cx.client, user));
        }
        if self.proof.is_some() {
            statements.extend(MFA.forgive(user, user));
        }
        statements
    }

    /// Statements for the start of the handler's batch: [`Self::forgive`], and the code, if one
    /// was asked for, is spent. The change that follows asks for [`Self::mark`].
    pub(in crate::auth) fn spend<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        mark: &str,
    ) -> Vec<Statement> {
        let mut statements = self.forgive(cx);
        if let Some(proof) = &self.proof {
            statements.push(proof.claim(&self.actor.user, mark, cx.now));
        }
        statements
    }

    /// Spends what was proven for something that a later request does.
    ///
    /// # Errors
    /// As [`Self::spent`].
    pub(in crate::auth) async fn spend_alone<P: Platform>(
        &self,
        cx: &Context<'_, P>,
    ) -> Result<(), Error> {
        let statements = self.spend(cx, &cx.new_id("mfp")?);
        if statements.is_empty() {
            return Ok(());
        }
        self.spent(&cx.batch(&statements).await?)
    }

    /// What the code was spent for, NULL where none was asked for.
    pub(in crate::auth) fn mark(&self, mark: &str) -> Value {
        self.proof.as_ref().map(|_| mark).into()
    }

    /// Whether the code was spent; `rows` are those of [`Self::spend`].
    ///
    /// # Errors
    /// `MFA_CODE_INVALID` when a parallel request was faster.
    pub(in crate::auth) fn spent(&self, rows: &[Vec<Row>]) -> Result<(), Error> {
        if self.proof.is_some() && rows.last().is_none_or(Vec::is_empty) {
            return Err(Error::new(Code::MfaCodeInvalid));
        }
        Ok(())
    }
}
