//! Moving a session to another organisation of its user.

use super::refresh::Refresh;
use super::session::{Keep, tokens};
use super::store::{RECORD_SWITCHED, ROLE_IN, SWITCH};
use super::token::Subject;
use crate::audit::Entry;
use crate::fields::Fields;
use crate::guard::identity::Credential;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::id::is_id;
use crate::port::{DatabaseError, Platform};
use crate::tenancy::TenantId;

/// Moves the session and gives it new tokens; the access token before stops at once. An
/// organisation that the caller is no member of does not exist for them.
pub(super) async fn switch<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let wanted = fields.text("tenant_id", 1, 64)?;
    fields.finish()?;
    if !is_id("ten", &wanted) {
        return Err(Error::new(Code::NotFound).into());
    }
    let Credential::Member(claims) = cx.credential() else {
        return Err(Error::new(Code::AuthRequired).into());
    };
    let user = claims.user.as_str();
    let (actor, rows) = cx
        .load(|_| vec![ROLE_IN.bind([user.into(), wanted.as_str().into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let role = row.ok_or_else(|| Error::new(Code::NotFound))?.text(0)?;

    let session = claims.session.as_str();
    let tenant = TenantId::proven(wanted.as_str());
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: &actor.user,
        action: "auth.switch",
        target: session,
    };
    let end = cx.now.plus(cx.config()?.session_idle);
    let rows = cx
        .batch(&[
            SWITCH.bind([
                session.into(),
                user.into(),
                actor.tenant.as_str().into(),
                tenant.as_str().into(),
                cx.now.into(),
                end.into(),
            ]),
            entry.record(cx, &RECORD_SWITCHED, &tenant)?.statement,
        ])
        .await?;
    let moved = rows.first().ok_or_else(|| {
        let none = "two results were expected".to_owned();
        DatabaseError::Shape(none)
    })?;
    // No row: meanwhile it ended, or moved elsewhere.
    let row = moved
        .first()
        .ok_or_else(|| Error::new(Code::SessionEnded))?;
    let subject = Subject {
        user,
        tenant: tenant.as_str(),
        session,
        role,
        amr: row.text(1)?,
    };
    let refresh = Refresh {
        session: session.to_owned(),
        counter: row.int(0)?,
    };
    Ok(tokens(cx, &subject, &refresh, Keep::of(cx))?)
}
