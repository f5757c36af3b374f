//! Listing members, changing their roles, removing them, and leaving.

use serde_json::{Value as Json, json};

use super::store::{
    CHANGE, END_INVITATIONS, END_KEYS, END_REFRESH, END_SESSIONS, GET, LIST, RECORD_CHANGED,
    RECORD_REMOVED, REMOVE, TAKE_TURNS,
};
use crate::audit::{Entry, Record};
use crate::auth::token::ACCESS_SECONDS;
use crate::fields::Fields;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Code, Context, Error, Interrupt, Page, Reply};
use crate::id::is_id;
use crate::organizations::role_of;
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement, TenantQuery, Value};
use crate::tenancy::{LOCK, Permissions, Role};
use crate::time::{Millis, SECOND};

/// The members, newest first.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (_, rows) = cx
        .load(|tenant| vec![LIST.bind(tenant, page.params())])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(rows, |row| Ok((row.int(3)?, row.text(0)?.to_owned())), show)?)
}

/// Gives a member another role. It holds on the member's next request.
pub(in super::super) async fn change<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let wanted = fields.text("role", 1, 20)?;
    fields.finish()?;
    let wanted = role_of(&wanted, "role")?;

    let (actor, member) = one(cx).await?;
    allow(&actor, Action::Change, Resource::Member(member.role))?;
    let granted = Resource::Role(wanted, Permissions::of(wanted));
    allow(&actor, Action::Grant, granted)?;
    let after = json!({"role": wanted.name()});
    let mut record = record(
        cx,
        &actor,
        &RECORD_CHANGED,
        "member.change",
        &member,
        &after,
    )?;
    record.statement.params.push(wanted.name().into());
    let user = member.user.as_str();
    let about = |query: &'static TenantQuery, more: Value| {
        query.bind(
            &actor.tenant,
            [user.into(), record.id.as_str().into(), more],
        )
    };
    let mut writes = vec![about(&CHANGE, wanted.name().into())];
    if member.role.outranks(wanted) {
        let last = cx.now.plus(ACCESS_SECONDS.saturating_mul(SECOND));
        let mut end_refresh = about(&END_REFRESH, cx.now.into());
        end_refresh.params.push(last.into());
        writes.push(end_refresh);
        writes.push(about(&END_INVITATIONS, cx.now.into()));
    }
    write(cx, &actor, &record, writes).await?;
    Ok(Reply::ok(&json!({
        "userId": user,
        "email": member.email,
        "role": wanted.name(),
        "joinedAt": member.joined_at.rfc3339(),
    })))
}

/// Takes a member out.
pub(in super::super) async fn remove<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, member) = one(cx).await?;
    if member.user != actor.user {
        allow(&actor, Action::Change, Resource::Member(member.role))?;
    }
    take_out(cx, &actor, &member, "member.remove").await
}

/// The caller goes; the last founder cannot.
pub(in super::super) async fn leave<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let member = Member {
        user: actor.user.clone(),
        email: String::new(),
        role: actor.role,
        joined_at: cx.now,
    };
    take_out(cx, &actor, &member, "member.leave").await
}

async fn take_out<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    member: &Member,
    action: &'static str,
) -> Result<Reply, Interrupt> {
    let record = record(cx, actor, &RECORD_REMOVED, action, member, &Json::Null)?;
    let (user, id) = (member.user.as_str(), record.id.as_str());
    let end = |query: &'static TenantQuery| {
        query.bind(&actor.tenant, [user.into(), id.into(), cx.now.into()])
    };
    let writes = vec![
        end(&END_SESSIONS),
        end(&END_KEYS),
        end(&END_INVITATIONS),
        REMOVE.bind(&actor.tenant, [user.into(), id.into()]),
    ];
    write(cx, actor, &record, writes).await?;
    Ok(Reply::ok(&json!({"status": "removed"})))
}

/// The record of a change to `member`, with what must still be true for it; `after` is null for
/// who goes.
fn record<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    query: &'static TenantQuery,
    action: &'static str,
    member: &Member,
    after: &Json,
) -> Result<Record, Error> {
    let entry = Entry {
        tenant: Some(actor.tenant.as_str()),
        actor: &actor.user,
        action,
        target: &member.user,
    };
    let change = json!({"before": {"role": member.role.name()}, "after": after});
    let mut record = entry.record_change(cx, query, &actor.tenant, Some(&change))?;
    let roles = [actor.role, member.role];
    let roles = roles.map(|role| Value::from(role.name()));
    record.statement.params.extend(roles);
    Ok(record)
}

/// Writes a change under the tenant's lock.
///
/// # Errors
/// `STATE_CONFLICT` when it would leave nobody in charge, or somebody was faster.
async fn write<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    record: &Record,
    writes: Vec<Statement>,
) -> Result<(), Error> {
    let mut all = vec![
        LOCK.bind(&actor.tenant, []),
        TAKE_TURNS.bind(&actor.tenant, []),
        record.statement.clone(),
    ];
    all.extend(writes);
    let rows = cx.batch(&all).await?;
    if rows.get(2).is_none_or(Vec::is_empty) {
        let rule = "An organisation needs a founder, or roles have changed meanwhile; look again.";
        return Err(Error::new(Code::StateConflict).with_message(rule));
    }
    Ok(())
}

/// A member as the path names it.
struct Member {
    user: String,
    email: String,
    role: Role,
    joined_at: Millis,
}

/// The caller and the member that the path names.
///
/// # Errors
/// `NOT_FOUND` for who is no member here.
async fn one<P: Platform>(cx: &Context<'_, P>) -> Result<(Actor, Member), Interrupt> {
    let id = cx.param();
    let (actor, rows) = cx
        .load(|tenant| vec![GET.bind(tenant, [id.into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row
        .filter(|_| is_id("usr", id))
        .ok_or_else(|| Error::new(Code::NotFound))?;
    let role = Role::parse(row.text(2)?);
    let member = Member {
        user: row.text(0)?.to_owned(),
        email: row.text(1)?.to_owned(),
        role: role.ok_or_else(|| DatabaseError::Shape("a role that does not exist".to_owned()))?,
        joined_at: Millis(row.int(3)?),
    };
    Ok((actor, member))
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    Ok(json!({
        "userId": row.text(0)?,
        "email": row.text(1)?,
        "role": row.text(2)?,
        "joinedAt": Millis(row.int(3)?).rfc3339(),
    }))
}
