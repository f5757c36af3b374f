//! Sessions: start, refresh, logout, and who is signed in.

use serde_json::json;

use super::cookie;
use super::refresh::Refresh;
use super::store::{END_SESSION, INSERT_SESSION, MEMBERSHIPS, PROFILE, ROTATE, SESSION, Session};
use super::token::{ACCESS_SECONDS, Subject, issue_access};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::guard::client::network;
use crate::http::{Code, Context, Error, Interrupt, Reply, Response};
use crate::port::{DatabaseError, Level, Platform};
use crate::sql::{Statement, Value};
use crate::tenancy::{Held, TenantId};
use crate::time::{Millis, SECOND};

/// How long the token before the current one still gets the same successor: enough for a lost
/// answer and parallel tabs, too short to share a session unseen (docs/decisions/0004).
const GRACE: i64 = 10 * SECOND;

/// Where the client keeps the tokens of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// In the answer's body, for programs.
    Body,
    /// In cookies, out of reach of scripts, for browsers.
    Cookies,
}

impl Keep {
    /// The field `mode`: `bearer` (the default) or `cookie`.
    pub(super) fn read(fields: &mut Fields) -> Result<Self, Error> {
        match fields.opt_text("mode", 1, 20)?.as_deref() {
            None | Some("bearer") => Ok(Self::Body),
            Some("cookie") => Ok(Self::Cookies),
            Some(_) => Err(Error::invalid("mode", "Must be bearer or cookie.")),
        }
    }

    /// Where a signed-in caller keeps them: tokens that come in no header came in a cookie.
    pub(super) fn of<P: Platform>(cx: &Context<'_, P>) -> Self {
        let headers = ["authorization", "x-api-key"];
        let shown = |name: &&str| cx.request.headers.header(name).is_some();
        if headers.iter().any(shown) {
            Self::Body
        } else {
            Self::Cookies
        }
    }
}

/// How a session was proven that began with another issuer's token: by no sign-in that we saw, so
/// it never counts as fresh.
pub(super) const EXCHANGED: &str = "ext";

/// Somebody who has proven who they are.
pub(super) struct SignIn<'a> {
    pub(super) user: &'a str,
    pub(super) tenant: &'a str,
    pub(super) role: &'a str,
    /// By what: RFC 8176 names, blanks between them.
    pub(super) amr: &'a str,
    pub(super) keep: Keep,
}

/// Starts a session and gives its tokens. `also` is written in the same batch. Every way to sign
/// in ends here, or in [`super::mfa::ask`] where the user has a second factor.
///
/// # Errors
/// `INTERNAL` when the user is not as they were at `as_of` any more: look again.
pub(super) async fn start<P: Platform>(
    cx: &Context<'_, P>,
    who: &SignIn<'_>,
    as_of: Millis,
    also: Vec<Statement>,
) -> Result<Reply, Error> {
    let session = cx.new_id("ses")?;
    let values = session_values(cx, who, &session)?;
    let mut writes = also;
    let mut insert = INSERT_SESSION.bind(&TenantId::proven(who.tenant), values);
    insert.params.push(as_of.into());
    writes.push(insert);
    writes.push(audit(cx, who.tenant, who.user, "auth.login", &session)?);
    cx.batch(&writes).await?;
    hand_out(cx, who, &session)
}

/// What a new session's row holds, after its tenant.
pub(super) fn session_values<P: Platform>(
    cx: &Context<'_, P>,
    who: &SignIn<'_>,
    session: &str,
) -> Result<[Value; 8], Error> {
    let config = cx.config()?;
    let idle = config.session_idle.min(config.session_max);
    Ok([
        session.into(),
        who.user.into(),
        cx.now.into(),
        cx.now.plus(idle).into(),
        cx.now.plus(config.session_max).into(),
        who.amr.into(),
        user_agent(cx).into(),
        network(cx.client).into(),
    ])
}

/// The first tokens of a session that was written.
pub(super) fn hand_out<P: Platform>(
    cx: &Context<'_, P>,
    who: &SignIn<'_>,
    session: &str,
) -> Result<Reply, Error> {
    let subject = Subject {
        user: who.user,
        tenant: who.tenant,
        session,
        role: who.role,
        amr: who.amr,
    };
    let refresh = Refresh {
        session: session.to_owned(),
        counter: 0,
    };
    tokens(cx, &subject, &refresh, who.keep)
}

/// What the browser calls itself, shortened; shown to its owner in the list of sessions.
fn user_agent<P: Platform>(cx: &Context<'_, P>) -> Option<String> {
    let text = cx.request.headers.header("user-agent")?;
    let plain = text.chars().filter(|c| !c.is_control()).take(200);
    Some(plain.collect())
}

/// The statement that records what happened to a session.
pub(super) fn audit<P: Platform>(
    cx: &Context<'_, P>,
    tenant: &str,
    user: &str,
    action: &'static str,
    session: &str,
) -> Result<Statement, Error> {
    let entry = Entry {
        tenant: Some(tenant),
        actor: user,
        action,
        target: session,
    };
    entry.append(cx)
}

/// Exchanges a refresh token for its successor and a new access token.
pub(super) async fn refresh<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let ready = cx.ready()?;
    let (text, keep) = presented(cx)?;
    let presented = ready
        .keys
        .open(&text)
        .ok_or_else(|| Error::new(Code::TokenInvalid))?;
    if keep == Keep::Cookies {
        let origins = &ready.config.cors_origins;
        cookie::check_csrf(&ready.keys, cx.request.headers, &presented.session, origins)?;
    }

    let rows = cx
        .batch(&[
            ROTATE.bind([
                presented.session.as_str().into(),
                presented.counter.into(),
                cx.now.into(),
                cx.now.plus(ready.config.session_idle).into(),
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
        amr: &session.amr,
    };
    Ok(tokens(cx, &subject, &successor, keep)?)
}

/// The refresh token of the body, or else of the cookie.
fn presented<P: Platform>(cx: &Context<'_, P>) -> Result<(String, Keep), Error> {
    let in_cookie = cookie::read(cx.request.headers, cookie::REFRESH);
    if let (true, Some(text)) = (cx.request.body.is_empty(), in_cookie) {
        return Ok((text, Keep::Cookies));
    }
    let mut fields = Fields::parse(cx.request.body)?;
    let text = fields.text("refresh_token", 1, 200)?;
    fields.finish()?;
    Ok((text, Keep::Body))
}

/// A token that was replaced long ago is in two hands: the session ends for both.
async fn end_reused<P: Platform>(
    cx: &Context<'_, P>,
    session: &Session,
    presented: &Refresh,
) -> Result<Error, Error> {
    cx.batch(&[
        END_SESSION.bind([
            presented.session.as_str().into(),
            cx.now.into(),
            "refresh_reuse_detected".into(),
        ]),
        audit(
            cx,
            &session.tenant,
            &session.user,
            "refresh_reuse_detected",
            &presented.session,
        )?,
    ])
    .await?;
    cx.log(
        Level::Warn,
        "auth.refresh_reuse_detected",
        &[("session", json!(presented.session))],
    );
    Ok(Error::new(Code::SessionEnded))
}

/// The caller's account, tenant and plan, as they are now.
pub(super) async fn me<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let user = match cx.credential() {
        crate::guard::identity::Credential::Member(claims) => claims.user.clone(),
        _ => return Err(Error::new(Code::AuthRequired).into()),
    };
    let (actor, rows) = cx
        .load(|tenant| {
            let user = user.as_str();
            vec![
                PROFILE.bind(tenant, [user.into()]),
                MEMBERSHIPS.bind([user.into()]),
            ]
        })
        .await?;
    let memberships = rows.get(1).map_or(&[][..], Vec::as_slice);
    let memberships: Vec<_> = memberships
        .iter()
        .map(|row| {
            let held = Held::read(row, 2, 3)?;
            Ok(json!({"id": row.text(0)?, "name": row.text(1)?, "role": held.name()}))
        })
        .collect::<Result<_, DatabaseError>>()?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::SessionEnded))?;
    Ok(Reply::ok(&json!({
        "id": row.text(0)?,
        "email": row.text(1)?,
        "emailVerifiedAt": row.opt_int(2)?.map(|time| Millis(time).rfc3339()),
        "createdAt": Millis(row.int(3)?).rfc3339(),
        "role": actor.held.name(),
        "base": actor.held.rank.name(),
        "tenant": {"id": actor.tenant.as_str(), "name": row.text(4)?, "plan": actor.plan},
        "permissions": actor.permissions.names(),
        "memberships": memberships,
        "mfaEnabled": row.int(5)? > 0,
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

pub(super) fn tokens<P: Platform>(
    cx: &Context<'_, P>,
    subject: &Subject<'_>,
    refresh: &Refresh,
    keep: Keep,
) -> Result<Reply, Error> {
    let ready = cx.ready()?;
    let access = issue_access(ready, subject, cx.new_id("jwt")?, cx.now)?;
    let refresh_token = ready.keys.seal(refresh);
    if keep == Keep::Cookies {
        let csrf = cookie::csrf_token(&ready.keys, &refresh.session, cx.random()?);
        let shown = json!({
            "session_id": refresh.session,
            "csrf_token": csrf,
            "expires_in": ACCESS_SECONDS,
        });
        let idle = ready.config.session_idle;
        let reply = Reply::ok(&shown);
        return Ok(cookie::set(reply, &access, &refresh_token, &csrf, idle));
    }
    Ok(Reply::ok(&json!({
        "access_token": access,
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "session_id": refresh.session,
    })))
}
