//! A user's own sessions: the list, ending them, and signing out.

use serde_json::{Value as Json, json};

use super::cookie;
use super::session::audit;
use super::store::{END_SESSION, END_SESSIONS, LIST_SESSIONS, OWN_SESSION};
use super::token::assurance;
use crate::fields::Fields;
use crate::guard::identity::Credential;
use crate::http::{Actor, Code, Context, Error, Interrupt, Page, Reply};
use crate::id::is_id;
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement, Value};
use crate::time::Millis;

/// The caller's sessions that still live, newest first, in every tenant.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let user = caller(cx)?;
    let [time, id, most] = page.params();
    let (actor, rows) = cx
        .load(|_| vec![LIST_SESSIONS.bind([user.into(), time, id, most, cx.now.into()])])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let current = actor.session.as_deref();
    Ok(page.reply(
        rows,
        |row| Ok((row.int(2)?, row.text(0)?.to_owned())),
        |row| show(row, current),
    )?)
}

/// The user of the access token; what is read for them is handed out only when they are let in.
fn caller<'c, P: Platform>(cx: &'c Context<'_, P>) -> Result<&'c str, Error> {
    match cx.credential() {
        Credential::Member(claims) => Ok(&claims.user),
        _ => Err(Error::new(Code::AuthRequired)),
    }
}

fn show(row: &Row, current: Option<&str>) -> Result<Json, DatabaseError> {
    let time = |index: usize| row.int(index).map(|time| Millis(time).rfc3339());
    let browser = row.opt_text(5)?;
    let amr = row.text(7)?;
    Ok(json!({
        "id": row.text(0)?,
        "tenantId": row.text(1)?,
        "createdAt": time(2)?,
        // A client in use refreshes at least every 15 minutes: no write for every request.
        "lastSeenAt": time(3)?,
        "expiresAt": time(4)?,
        "device": device(browser.unwrap_or_default()),
        "userAgent": browser,
        "network": row.opt_text(6)?,
        "amr": amr.split(' ').collect::<Vec<_>>(),
        "aal": assurance(amr),
        "current": current == row.opt_text(0)?,
    }))
}

/// A label for people, from what the browser calls itself. Order matters: browsers name each
/// other.
fn device(user_agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(part, _)| user_agent.contains(part));
        found.map(|(_, label)| *label)
    };
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    }
}

/// Ends one of the caller's sessions; ending it twice is no error.
pub(super) async fn end<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let id = cx.param();
    if !is_id("ses", id) {
        return Err(Error::new(Code::NotFound).into());
    }
    let user = caller(cx)?;
    let (actor, rows) = cx
        .load(|_| vec![OWN_SESSION.bind([user.into(), id.into()])])
        .await?;
    if rows.first().is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::NotFound).into());
    }
    cx.batch(&[
        END_SESSION.bind([id.into(), cx.now.into(), "revoked".into()]),
        recorded(cx, &actor, "auth.session_ended", id)?,
    ])
    .await?;
    Ok(Reply::ok(&json!({"status": "ended"})))
}

/// Signs out: this session, all others, or all. Doing so twice is no error.
pub(super) async fn logout<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let scope = scope(cx.request.body)?;
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let session = actor.session.as_deref().unwrap_or_default();
    let all_but = |stays: Value| {
        END_SESSIONS.bind([
            actor.user.as_str().into(),
            cx.now.into(),
            "logout".into(),
            stays,
        ])
    };
    let ending = match scope {
        Scope::Local => END_SESSION.bind([session.into(), cx.now.into(), "logout".into()]),
        Scope::Others => all_but(session.into()),
        Scope::Global => all_but(Value::Null),
    };
    cx.batch(&[ending, recorded(cx, &actor, scope.action(), session)?])
        .await?;
    let reply = Reply::ok(&json!({"status": "signed_out"}));
    Ok(match scope {
        Scope::Others => reply,
        Scope::Local | Scope::Global => cookie::clear(reply),
    })
}

/// A CSRF token of the caller's session, for pages that have lost theirs.
pub(super) async fn csrf<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let session = actor.session.unwrap_or_default();
    let token = cookie::csrf_token(&cx.ready()?.keys, &session, cx.random()?);
    let reply = Reply::ok(&json!({"csrf_token": token}));
    Ok(cookie::set_csrf(reply, &token, cx.config()?.session_idle))
}

fn recorded<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    action: &'static str,
    session: &str,
) -> Result<Statement, Error> {
    audit(cx, actor.tenant.as_str(), &actor.user, action, session)
}

/// Which sessions a sign-out ends.
#[derive(Clone, Copy)]
enum Scope {
    Local,
    Others,
    Global,
}

impl Scope {
    const fn action(self) -> &'static str {
        match self {
            Self::Local => "auth.logout",
            Self::Others => "auth.logout_others",
            Self::Global => "auth.logout_all",
        }
    }
}

fn scope(body: &[u8]) -> Result<Scope, Error> {
    if body.is_empty() {
        return Ok(Scope::Local);
    }
    let mut fields = Fields::parse(body)?;
    let scope = fields.opt_text("scope", 1, 20)?;
    fields.finish()?;
    match scope.as_deref() {
        None | Some("local") => Ok(Scope::Local),
        Some("others") => Ok(Scope::Others),
        Some("global") => Ok(Scope::Global),
        Some(_) => Err(Error::invalid("scope", "Must be local, others or global.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_labels() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36";
        assert_eq!(device(chrome), "Chrome on Linux");
        assert_eq!(device("curl/8.5.0"), "curl");
        assert_eq!(device(""), "Unknown device");
    }
}
