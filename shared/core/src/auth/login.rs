//! Sign-in by password.

use super::accounts::{ACCOUNT, Account, REHASH};
use super::mfa;
use super::password::{self, MAX_CHARS};
use super::register::email;
use super::session::{Keep, SignIn, start};
use crate::fields::Fields;
use crate::guard::lockout::LOGIN;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};

/// Starts a session. A wrong password, an unknown address, and one that is not confirmed or is
/// disabled are one answer, in the same time.
pub(super) async fn login<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let email = email(&mut fields)?;
    let password = fields.text("password", 1, MAX_CHARS)?;
    let keep = Keep::read(&mut fields)?;
    fields.finish()?;
    match attempt(cx, &email, &password, keep).await {
        // The password was changed in this very moment: the second look finds the new one.
        Err(error) if error.code() == Code::Internal => {
            Ok(attempt(cx, &email, &password, keep).await?)
        }
        outcome => Ok(outcome?),
    }
}

async fn attempt<P: Platform>(
    cx: &Context<'_, P>,
    email: &str,
    password: &str,
    keep: Keep,
) -> Result<Reply, Error> {
    let mut reads = Vec::from(LOGIN.hit(cx.client, email, cx.now));
    reads.push(ACCOUNT.bind([email.into()]));
    reads.push(mfa::FACTORS_BY_EMAIL.bind([email.into()]));
    let rows = cx.batch(&reads).await?;
    // Judged before the password is looked at: who is locked out pays for no hash.
    let attempt = LOGIN.judge(&rows, cx.now)?;
    let [.., account, factors] = rows.as_slice() else {
        return Err(DatabaseError::Shape("five results were expected".to_owned()).into());
    };
    let account = account.first().map(Account::from_row).transpose()?;
    let stored = account
        .as_ref()
        .map(|account| account.password_hash.as_str());
    let right = password::verify(cx.ready()?, password, stored)?;
    let Some(account) = account.filter(|account| right && account.verified && !account.disabled)
    else {
        return Err(attempt.failed(Code::CredentialsInvalid, cx.now));
    };

    let who = SignIn {
        user: &account.user,
        tenant: &account.tenant,
        role: &account.role,
        amr: "pwd",
        keep,
    };
    let mut also = Vec::from(LOGIN.forgive(cx.client, email));
    if password::is_outdated(&account.password_hash) {
        also.push(REHASH.bind([
            account.user.as_str().into(),
            password::hash(cx.ready()?, password, cx.random()?)?.into(),
            account.password_hash.as_str().into(),
        ]));
    }
    let factors = mfa::kinds(factors)?;
    if factors.is_empty() {
        return start(cx, &who, account.as_of, also).await;
    }
    mfa::ask(cx, &who, &factors, account.as_of, also).await
}
