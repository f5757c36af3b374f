//! Accepting an invitation.

use serde_json::json;

use super::store::{ACCEPT, FIND, JOIN, RECORD_ACCEPTED};
use crate::audit::Entry;
use crate::crypto::fingerprint;
use crate::fields::Fields;
use crate::guard::identity::Credential;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::Platform;
use crate::sql::Row;
use crate::tenancy::{Held, LOCK, TenantId};

/// Makes the caller a member, once, if the invitation went to the address they have confirmed.
/// The session stays where it is; `POST /api/v1/auth/switch` moves it.
pub(in super::super) async fn accept<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let token = fields.text("token", 1, 200)?;
    fields.finish()?;
    let Credential::Member(claims) = cx.credential() else {
        return Err(Error::new(Code::AuthRequired).into());
    };
    let (hash, user) = (fingerprint(&token), claims.user.as_str());
    let (actor, rows) = cx
        .load(|_| vec![FIND.bind([hash.as_str().into(), user.into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(spent)?;
    check(cx, row)?;

    let tenant = TenantId::proven(row.text(0)?);
    let id = row.text(1)?;
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: &actor.user,
        action: "invitation.accept",
        target: id,
    };
    let held = Held::read(row, 2, 10)?;
    let mut after = held.told();
    if let Some(after) = after.as_object_mut() {
        after.insert("user".to_owned(), json!(actor.user));
    }
    let joined = json!({"before": null, "after": after});
    let mut record = entry.record_change(cx, &RECORD_ACCEPTED, &tenant, Some(&joined))?;
    record.statement.params.push(hash.into());
    let recorded = record.id.as_str();
    let join = [
        id.into(),
        recorded.into(),
        actor.user.as_str().into(),
        cx.now.into(),
    ];
    let rows = cx
        .batch(&[
            LOCK.bind(&tenant, []),
            record.statement,
            JOIN.bind(&tenant, join),
            ACCEPT.bind(&tenant, [id.into(), recorded.into(), cx.now.into()]),
        ])
        .await?;
    if rows.get(1).is_none_or(Vec::is_empty) {
        return Err(spent().into());
    }
    Ok(Reply::ok(&json!({
        "organization": {"id": tenant.as_str(), "name": row.text(6)?},
        "role": held.name(),
    })))
}

/// One answer for a token that was never made, was used, revoked, replaced, or has expired.
fn spent() -> Error {
    Error::new(Code::TokenSpent).with_field("token")
}

fn check<P: Platform>(cx: &Context<'_, P>, row: &Row) -> Result<(), Error> {
    let used = row.opt_int(4)?.is_some() || row.opt_int(5)?.is_some();
    if used || row.int(3)? <= cx.now.0 || row.opt_int(7)?.is_some() {
        return Err(spent());
    }
    if row.int(8)? == 0 {
        let rule = "This invitation is for another address; sign in with that one.";
        return Err(Error::new(Code::Forbidden).with_message(rule));
    }
    if row.opt_text(9)?.is_some() {
        let rule = "You are a member of this organization already.";
        return Err(Error::new(Code::StateConflict).with_message(rule));
    }
    Ok(())
}
