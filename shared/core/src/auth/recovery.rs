//! Changing a password, and getting back in without one.

use serde_json::json;

use super::accounts::{
    CHANGE_PASSWORD, END_EMAIL_CHANGE, OWN, RESET_HOLDER, RESET_LINK, RESET_PASSWORD,
};
use super::link::{self, Asked};
use super::password::{self, MAX_CHARS};
use super::store::{END_CHALLENGES, END_SESSIONS};
use crate::audit::Entry;
use crate::crypto::fingerprint;
use crate::fields::Fields;
use crate::guard::exact_limit::RESET_RECIPIENT;
use crate::guard::identity::Credential;
use crate::guard::lockout::{CONFIRM, LOGIN};
use crate::http::{Actor, Code, Context, Error, Interrupt, Reply};
use crate::mail::{self, Mail, Template};
use crate::port::Platform;
use crate::sql::Value;
use crate::time::HOUR;

/// How long the link to reset a password works. Not shorter than the window of
/// [`RESET_RECIPIENT`]: whoever is refused another mail has one that works.
const RESET_LIFE: i64 = HOUR;

/// The caller, once their own password was right.
pub(super) struct Confirmed {
    pub(super) actor: Actor,
    pub(super) email: String,
    pub(super) password_hash: String,
}

/// Asks the caller for their password again, before what a stolen session must not do. It is
/// guarded like sign-in. After a success [`CONFIRM`]`.forgive` belongs in the handler's batch.
///
/// # Errors
/// `PASSWORD_WRONG` with the field, `ACCOUNT_LOCKED`, or `STATE_CONFLICT` where there is none.
pub(super) async fn confirm<P: Platform>(
    cx: &Context<'_, P>,
    field: &'static str,
    given: &str,
) -> Result<Confirmed, Interrupt> {
    let user = match cx.credential() {
        Credential::Member(claims) => claims.user.clone(),
        _ => return Err(Error::new(Code::AuthRequired).into()),
    };
    let mut statements = Vec::from(CONFIRM.hit(cx.client, &user, cx.now));
    statements.push(OWN.bind([user.as_str().into()]));
    let (actor, rows) = cx.load_guarded(statements).await?;
    let attempt = CONFIRM.judge(&rows, cx.now)?;
    let row = rows.last().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::SessionEnded))?;
    let (email, stored) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
    if stored == password::UNUSABLE {
        let none = "This account has no password; set one by the link that \
                    /api/v1/auth/password/forgot sends.";
        return Err(Error::new(Code::StateConflict).with_message(none).into());
    }
    if !password::verify(cx.ready()?, given, Some(&stored))? {
        let error = attempt.failed(Code::PasswordWrong, cx.now);
        return Err(error.with_field(field).into());
    }
    Ok(Confirmed {
        actor,
        email,
        password_hash: stored,
    })
}

/// Replaces the caller's password; every other session of theirs ends.
pub(super) async fn change<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let current = fields.text("current_password", 1, MAX_CHARS)?;
    let wanted = password::read(&mut fields)?;
    fields.finish()?;

    let own = confirm(cx, "current_password", &current).await?;
    password::check(cx, &wanted, &own.email).await?;
    let hash = password::hash(cx.ready()?, &wanted, cx.random()?)?;
    let user = own.actor.user.as_str();
    let notice = notice(cx, Template::PasswordChanged, user, &own.email)?;
    let entry = Entry::by(&own.actor, "auth.password_changed", user);
    let mut writes = Vec::from(CONFIRM.forgive(cx.client, user));
    writes.extend([
        CHANGE_PASSWORD.bind([
            user.into(),
            hash.into(),
            own.password_hash.as_str().into(),
            cx.now.into(),
        ]),
        END_CHALLENGES.bind([user.into()]),
        END_SESSIONS.bind([
            user.into(),
            cx.now.into(),
            "password_changed".into(),
            own.actor.session.as_deref().into(),
        ]),
        END_EMAIL_CHANGE.bind([user.into(), cx.now.into()]),
        notice.queue(cx.now),
        entry.append(cx)?,
    ]);
    if let Err(error) = cx.batch(&writes).await {
        let rows = cx.query(OWN.bind([user.into()])).await?;
        let now = rows.first().map(|row| row.text(1)).transpose()?;
        let faster = now.is_none_or(|hash| hash != own.password_hash);
        let conflict = || Error::new(Code::StateConflict);
        return Err(if faster { conflict() } else { error }.into());
    }
    mail::soon(cx, &notice.id);
    Ok(Reply::ok(&json!({"status": "changed"})))
}

/// Sends a link to set a new password. Every address gets the same answer after the same work.
pub(super) async fn forgot<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let asked = Asked {
        template: Template::ResetPassword,
        recipient: RESET_RECIPIENT,
        put: &RESET_LINK,
        life: RESET_LIFE,
        message: "If this address has an account, a link to set a new password is on its way.",
    };
    link::send(cx, asked).await
}

/// Sets a new password by the link of a mail. Every session ends, and the address counts as
/// confirmed.
pub(super) async fn reset<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let token = fingerprint(&fields.text("token", 1, 200)?);
    let wanted = password::read(&mut fields)?;
    fields.finish()?;

    let spent = || Error::new(Code::TokenSpent).with_field("token");
    let holder = || RESET_HOLDER.bind([token.as_str().into(), cx.now.into()]);
    let rows = cx.query(holder()).await?;
    let row = rows.first().ok_or_else(spent)?;
    let (user, email) = (row.text(0)?, row.text(1)?);
    // A password that is refused leaves the link as it is.
    password::check(cx, &wanted, email).await?;
    let hash = password::hash(cx.ready()?, &wanted, cx.random()?)?;
    let notice = notice(cx, Template::PasswordChanged, user, email)?;
    let entry = Entry {
        tenant: None,
        actor: user,
        action: "auth.password_reset",
        target: user,
    };
    let written = cx
        .batch(&[
            // Whoever has the mailbox need not wait because of their own wrong guesses.
            LOGIN.forget(cx.client, email),
            // Nor because of others': what they guessed at is no longer the password.
            LOGIN.account.forget(email),
            RESET_PASSWORD.bind([
                token.as_str().into(),
                cx.now.into(),
                hash.into(),
                user.into(),
            ]),
            END_CHALLENGES.bind([user.into()]),
            END_SESSIONS.bind([
                user.into(),
                cx.now.into(),
                "password_reset".into(),
                Value::Null,
            ]),
            END_EMAIL_CHANGE.bind([user.into(), cx.now.into()]),
            notice.queue(cx.now),
            entry.append(cx)?,
        ])
        .await;
    if let Err(error) = written {
        let faster = cx.query(holder()).await?.is_empty();
        return Err(if faster { spent() } else { error }.into());
    }
    mail::soon(cx, &notice.id);
    Ok(Reply::ok(&json!({"status": "changed"})))
}

/// A mail without a secret, about what was done.
pub(super) fn notice<'m, P: Platform>(
    cx: &Context<'_, P>,
    template: Template,
    user: &'m str,
    recipient: &'m str,
) -> Result<Mail<'m>, Error> {
    Ok(Mail {
        id: cx.new_id("mai")?,
        recipient,
        template,
        subject_id: user,
        nonce: "",
    })
}
