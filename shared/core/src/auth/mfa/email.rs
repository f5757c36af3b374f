//! Codes by mail: six digits, ten minutes, five tries, one use.
//!
//! Whoever reads somebody's mail can reset their password too. So mail is a second factor only
//! for those who turned it on, and never a way around an authenticator app.

use serde_json::json;

use super::challenge::{Ticket, Waiting, token};
use super::store::{CHALLENGE, FACTORS, Factor, Kind, NEW_EMAIL_CODE};
use crate::app::Ready;
use crate::audit::Entry;
use crate::crypto::{base64url, hmac_sha256};
use crate::fields::Fields;
use crate::guard::exact_limit::MFA_MAIL;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::mail::{self, Template};
use crate::port::Platform;
use crate::sql::Statement;
use crate::time::{Millis, SECOND};

/// How long a code works, in seconds.
pub(super) const LIFE_SECONDS: i64 = 600;
/// Answers that a code bears, right or wrong.
pub(super) const MAX_TRIES: i64 = 5;

/// How a code is kept: by a key, for a million codes are soon tried against a plain hash. One for
/// each key that still counts, that of new codes first.
pub(super) fn hashes(ready: &Ready, user: &str, code: &str) -> Vec<String> {
    let parts = [b"mfa\0", user.as_bytes(), b"\0", code.as_bytes()];
    let hash = |key: &[u8; 32]| base64url(&hmac_sha256(key, &parts));
    ready.keys.mail.iter().map(hash).collect()
}

/// A code on its way.
pub(super) struct Sent {
    pub(super) hash: String,
    pub(super) expires_at: Millis,
    /// Queues the mail, once the hash is in its place.
    pub(super) mail: Statement,
    pub(super) mail_id: String,
}

/// Draws a code and makes the mail that brings it.
///
/// # Errors
/// `RATE_LIMITED` when there were too many.
pub(super) async fn draw<P: Platform>(
    cx: &Context<'_, P>,
    user: &str,
    address: &str,
) -> Result<Sent, Error> {
    let rows = cx.query(MFA_MAIL.hit(user, cx.now)).await?;
    MFA_MAIL.judge(&rows, cx.now)?;
    make(cx, user, address)
}

fn make<P: Platform>(cx: &Context<'_, P>, user: &str, address: &str) -> Result<Sent, Error> {
    let ready = cx.ready()?;
    let nonce = mail::nonce(ready, &cx.new_id("mtk")?);
    let mail = mail::Mail {
        id: cx.new_id("mai")?,
        recipient: address,
        template: Template::MfaCode,
        subject_id: user,
        nonce: &nonce,
    };
    let token = mail::token(ready, mail.template, user, &nonce);
    let hash = hashes(ready, user, &mail::code(&token));
    let hash = hash.into_iter().next().unwrap_or_default();
    Ok(Sent {
        expires_at: cx.now.plus(LIFE_SECONDS.saturating_mul(SECOND)),
        mail: mail.queue_if_code(&hash, cx.now),
        mail_id: mail.id,
        hash,
    })
}

/// Mails a code for a sign-in that waits for its second step.
pub(in crate::auth) async fn send<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let token = token(cx, &mut fields)?;
    fields.finish()?;
    let ticket = Ticket::open(&cx.ready()?.keys, &token, cx.now)?;
    let user = ticket.user.as_str();
    let rows = cx
        .batch(&[
            MFA_MAIL.hit(user, cx.now),
            FACTORS.bind([user.into()]),
            CHALLENGE.bind([ticket.id.as_str().into(), user.into(), cx.now.into()]),
        ])
        .await?;
    let rows_of = |index: usize| rows.get(index).map_or(&[][..], Vec::as_slice);
    MFA_MAIL.judge(rows_of(0), cx.now)?;
    let waiting = Waiting::from_rows(rows.last())?;
    let on = |factor: &Factor| factor.kind == Kind::Email && factor.enabled;
    if !Factor::all(rows_of(1))?.iter().any(on) {
        let off = "Codes by mail are not turned on for this account.";
        return Err(Error::new(Code::StateConflict).with_message(off).into());
    }
    let code = make(cx, user, &waiting.email)?;
    let entry = Entry {
        tenant: Some(&waiting.tenant),
        actor: user,
        action: "auth.mfa_code_sent",
        target: user,
    };
    cx.batch(&[
        NEW_EMAIL_CODE.bind([user.into(), code.hash.into(), code.expires_at.into()]),
        code.mail,
        entry.append(cx)?,
    ])
    .await?;
    mail::soon(cx, &code.mail_id);
    Ok(Reply::json(
        202,
        &json!({"status": "sent", "expires_in": LIFE_SECONDS}),
    ))
}
