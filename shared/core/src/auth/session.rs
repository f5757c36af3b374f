//! Sessions: login, refresh, logout, and who is signed in.

use serde_json::json;

use super::password::{self, MAX_CHARS};
use super::refresh::Refresh;
use super::register::email;
use super::store::{
    ACCOUNT, Account, END_SESSION, INSERT_SESSION, PROFILE, ROTATE, SESSION, Session,
};
use super::token::{ACCESS_SECONDS, Subject, issue_access};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::guard::exact_limit::{LOGIN_ACCOUNT, LOGIN_SOURCE};
use crate::http::{Code, Context, Error, Interrupt, Reply, Response};
use crate::port::{DatabaseError, Level, Platform};
use crate::sql::Statement;
use crate::tenancy::TenantId;
use crate::time::{DAY, Millis, SECOND};

/// A session that is not refreshed for so long ends.
const REFRESH_LIFE: i64 = 7 * DAY;
/// How long the token before the current one still gets the same successor: enough for a lost
/// answer and parallel tabs, too short to share a session unseen (docs/decisions/0004).
const GRACE: i64 = 10 * SECOND;

/// Starts a session. Wrong password and unknown address are one answer, in the same time.
pub(super) async fn login<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let email = email(&mut fields)?;
    let password = fields.text("password", 1, MAX_CHARS)?;
    fields.finish()?;

    let rows = cx
        .batch(&[
            LOGIN_SOURCE.hit(cx.client, cx.now),
            LOGIN_ACCOUNT.hit(&email, cx.now),
            ACCOUNT.bind([email.as_str().into()]),
        ])
        .await?;
    let [source, account_hits, found] = rows.as_slice() else {
        return Err(DatabaseError::Shape("three results were expected".to_owned()).into());
    };
    LOGIN_SOURCE.judge(source, cx.now)?;
    LOGIN_ACCOUNT.judge(account_hits, cx.now)?;
    let account = found.first().map(Account::from_row).transpose()?;
    let stored = account
        .as_ref()
        .map(|account| account.password_hash.as_str());
    let right = password::verify(&password, stored)?;
    let account = account
        .filter(|account| right && !account.disabled)
        .ok_or_else(|| Error::new(Code::CredentialsInvalid))?;
    if !account.verified {
        return Err(Error::new(Code::EmailUnverified).into());
    }

    let who = SignIn {
        user: &account.user,
        tenant: &account.tenant,
        role: &account.role,
    };
    let forgiven = vec![
        LOGIN_ACCOUNT.forgive(&email),
        LOGIN_SOURCE.refund(cx.client),
    ];
    Ok(start(cx, &who, forgiven).await?)
}

/// Somebody who has proven who they are.
pub(super) struct SignIn<'a> {
    pub(super) user: &'a str,
    pub(super) tenant: &'a str,
    pub(super) role: &'a str,
}

/// Starts a session and gives its tokens. `also` is written in the same batch. Every way to sign
/// in ends here.
pub(super) async fn start<P: Platform>(
    cx: &Context<'_, P>,
    who: &SignIn<'_>,
    also: Vec<Statement>,
) -> Result<Reply, Error> {
    let session = cx.new_id("ses")?;
    let mut writes = also;
    writes.push(INSERT_SESSION.bind(
        &TenantId::proven(who.tenant),
        [
            session.as_str().into(),
            who.user.into(),
            cx.now.into(),
            cx.now.plus(REFRESH_LIFE).into(),
        ],
    ));
    writes.push(audit(cx, who, "auth.login", &session)?);
    cx.batch(&writes).await?;
    let subject = Subject {
        user: who.user,
        tenant: who.tenant,
        session: &session,
        role: who.role,
    };
    let refresh = Refresh {
        session: session.clone(),
        counter: 0,
    };
    tokens(cx, &subject, &refresh)
}

fn audit<P: Platform>(
    cx: &Context<'_, P>,
    who: &SignIn<'_>,
    action: &'static str,
    session: &str,
) -> Result<Statement, Error> {
    let entry = Entry {
        tenant: Some(who.tenant),
        actor: who.user,
        action,
        target: session,
    };
    entry.append(cx)
}

/// Exchanges a refresh token for its successor and a new access token.
pub(super) async fn refresh<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let text = fields.text("refresh_token", 1, 200)?;
    fields.finish()?;
    let presented = cx
        .ready()?
        .keys
        .open(&text)
        .ok_or_else(|| Error::new(Code::TokenInvalid))?;

    let rows = cx
        .batch(&[
            ROTATE.bind([
                presented.session.as_str().into(),
                presented.counter.into(),
                cx.now.into(),
                cx.now.plus(REFRESH_LIFE).into(),
            ]),
            SESSION.bind([presented.session.as_str().into()]),
        ])
        .await?;
    let [rotated, found] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let session = found.first().map(Session::from_row).transpose()?;
    let session = session.ok_or_else(|| Error::new(Code::SessionEnded))?;
    if session.ended || session.expires_at <= cx.now.0 {
        return Err(Error::new(Code::SessionEnded).into());
    }
    let successor = presented.next();
    let in_grace =
        session.counter == successor.counter && cx.now.since(Millis(session.refreshed_at)) <= GRACE;
    if rotated.is_empty() && !in_grace {
        return Err(end_reused(cx, &session, &presented).await?.into());
    }
    let subject = Subject {
        user: &session.user,
        tenant: &session.tenant,
        session: &presented.session,
        role: &session.role,
    };
    Ok(tokens(cx, &subject, &successor)?)
}

/// A token that was replaced long ago is in two hands: the session ends for both.
async fn end_reused<P: Platform>(
    cx: &Context<'_, P>,
    session: &Session,
    presented: &Refresh,
) -> Result<Error, Error> {
    let who = SignIn {
        user: &session.user,
        tenant: &session.tenant,
        role: &session.role,
    };
    cx.batch(&[
        END_SESSION.bind([
            presented.session.as_str().into(),
            cx.now.into(),
            "refresh_reuse_detected".into(),
        ]),
        audit(cx, &who, "refresh_reuse_detected", &presented.session)?,
    ])
    .await?;
    cx.log(
        Level::Warn,
        "auth.refresh_reuse_detected",
        &[("session", json!(presented.session))],
    );
    Ok(Error::new(Code::SessionEnded))
}

/// Ends the caller's session; ending it twice is no error.
pub(super) async fn logout<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let session = actor.session.unwrap_or_default();
    let who = SignIn {
        user: &actor.user,
        tenant: actor.tenant.as_str(),
        role: actor.role.name(),
    };
    cx.batch(&[
        END_SESSION.bind([session.as_str().into(), cx.now.into(), "logout".into()]),
        audit(cx, &who, "auth.logout", &session)?,
    ])
    .await?;
    Ok(Reply::ok(&json!({"status": "signed_out"})))
}

/// The caller's account, tenant and plan, as they are now.
pub(super) async fn me<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let user = match cx.credential() {
        crate::guard::identity::Credential::Member(claims) => claims.user.clone(),
        _ => return Err(Error::new(Code::AuthRequired).into()),
    };
    let (actor, rows) = cx
        .load(|tenant| vec![PROFILE.bind(tenant, [user.into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::SessionEnded))?;
    Ok(Reply::ok(&json!({
        "id": row.text(0)?,
        "email": row.text(1)?,
        "emailVerifiedAt": row.opt_int(2)?.map(|time| Millis(time).rfc3339()),
        "createdAt": Millis(row.int(3)?).rfc3339(),
        "role": row.text(4)?,
        "tenant": {"id": actor.tenant.as_str(), "name": row.text(5)?, "plan": row.text(6)?},
        "mfaEnabled": false,
    })))
}

/// The public keys, for services that verify access tokens themselves.
pub(super) fn jwks<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let keys = cx.ready()?.keys.jwks().to_string();
    let mut response = Response::new(200, "application/jwk-set+json", keys);
    response
        .headers
        .push(("cache-control", "public, max-age=300".to_owned()));
    Ok(Reply::Raw(response))
}

fn tokens<P: Platform>(
    cx: &Context<'_, P>,
    subject: &Subject<'_>,
    refresh: &Refresh,
) -> Result<Reply, Error> {
    let ready = cx.ready()?;
    let access = issue_access(ready, subject, cx.new_id("jwt")?, cx.now)?;
    Ok(Reply::ok(&json!({
        "access_token": access,
        "refresh_token": ready.keys.seal(refresh),
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "session_id": refresh.session,
    })))
}
