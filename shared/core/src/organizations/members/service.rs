//! Listing members, changing their roles, removing them, and leaving.

use serde_json::{Value as Json, json};

use super::store::{
    CHANGE, END_INVITATIONS, END_KEYS, END_REFRESH, END_SESSIONS, GET, HOUSE, LIST, RECORD_CHANGED,
    RECORD_REMOVED, REMOVE,
};
use crate::audit::{Entry, Record};
use crate::auth::token::ACCESS_SECONDS;
use crate::fields::Fields;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Code, Context, Error, Interrupt, Page, Reply};
use crate::id::is_id;
use crate::organizations::roles::{NAMED, may_grant, wanted};
use crate::organizations::tenants::{INSERT_FOUNDER, RECORD_CREATED};
use crate::organizations::{record, write};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement, TenantQuery, Value};
use crate::tenancy::{Held, Role, TenantId};
use crate::time::{Millis, SECOND};

const REFUSED: &str =
    "An organization needs a founder, or roles have changed meanwhile; look again.";

/// The members, newest first.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (_, rows) = cx
        .load(|tenant| vec![LIST.bind(tenant, page.params())])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(rows, |row| Ok((row.int(3)?, row.text(0)?.to_owned())), show)?)
}

/// Gives a member another role. It holds on the member's next request; the one that they have
/// changes nothing, and nothing is recorded.
pub(in super::super) async fn change<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let named = fields.text("role", 1, 40)?;
    fields.finish()?;

    let (actor, member, role) = one(cx, Some(&named)).await?;
    allow(&actor, Action::Change, Resource::Member(member.held.rank))?;
    let wanted = wanted(&named, role.as_ref())?;
    may_grant(&actor, &wanted)?;
    if wanted == member.held {
        return Ok(Reply::ok(&member.json()));
    }
    let after = wanted.told();
    let mut record = record_of(
        cx,
        &actor,
        &RECORD_CHANGED,
        "member.change",
        &member,
        &after,
    )?;
    record.statement.params.push(wanted.rank.name().into());
    record.statement.params.push(wanted.mark().into());
    let user = member.user.as_str();
    let about = |query: &'static TenantQuery, more: Value| {
        query.bind(
            &actor.tenant,
            [user.into(), record.id.as_str().into(), more],
        )
    };
    let mut change = about(&CHANGE, wanted.rank.name().into());
    change.params.push(wanted.id().into());
    let mut writes = vec![change];
    let lost = member.held.permissions().beyond(wanted.permissions());
    if member.held.rank.outranks(wanted.rank) || lost.is_some() {
        let last = cx.now.plus(ACCESS_SECONDS.saturating_mul(SECOND));
        let mut end_refresh = about(&END_REFRESH, cx.now.into());
        end_refresh.params.push(last.into());
        writes.push(end_refresh);
        writes.push(about(&END_INVITATIONS, cx.now.into()));
    }
    write(cx, &actor, record, writes, REFUSED).await?;
    let after = Member {
        held: wanted,
        ..member
    };
    Ok(Reply::ok(&after.json()))
}

/// Takes a member out.
pub(in super::super) async fn remove<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, member, _) = one(cx, None).await?;
    if member.user != actor.user {
        allow(&actor, Action::Change, Resource::Member(member.held.rank))?;
    }
    take_out(cx, &actor, &member, "member.remove").await
}

/// The caller goes; the last founder cannot.
pub(in super::super) async fn leave<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let member = Member {
        user: actor.user.clone(),
        email: String::new(),
        held: actor.held.clone(),
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
    let record = record_of(cx, actor, &RECORD_REMOVED, action, member, &Json::Null)?;
    let (user, id) = (member.user.as_str(), record.id.as_str());
    let end = |query: &'static TenantQuery| {
        query.bind(&actor.tenant, [user.into(), id.into(), cx.now.into()])
    };
    let mut writes = vec![
        end(&END_SESSIONS),
        end(&END_KEYS),
        end(&END_INVITATIONS),
        REMOVE.bind(&actor.tenant, [user.into(), id.into()]),
    ];
    writes.extend(house(cx, actor, user, id)?);
    write(cx, actor, record, writes, REFUSED).await?;
    Ok(Reply::ok(&json!({"status": "removed"})))
}

/// Gives who goes an organisation of their own if they are in no other.
fn house<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    user: &str,
    removal: &str,
) -> Result<[Statement; 3], Error> {
    let tenant = TenantId::proven(cx.new_id("ten")?);
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: &actor.user,
        action: "organization.create",
        target: tenant.as_str(),
    };
    let founded = json!({"before": null, "after": {"user": user, "role": Role::Founder.name()}});
    let record = entry.record_change(cx, &RECORD_CREATED, &tenant, Some(&founded))?;
    Ok([
        HOUSE.bind(&tenant, [user.into(), removal.into(), cx.now.into()]),
        INSERT_FOUNDER.bind(&tenant, [user.into(), cx.now.into()]),
        record.statement,
    ])
}

/// The record of a change to `member`, with what must still be true for it; `after` is null for
/// who goes.
fn record_of<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    query: &'static TenantQuery,
    action: &'static str,
    member: &Member,
    after: &Json,
) -> Result<Record, Error> {
    let change = json!({"before": member.held.told(), "after": after});
    let mut record = record(cx, actor, query, action, &member.user, Some(&change))?;
    let (rank, mark) = (member.held.rank.name().into(), member.held.mark().into());
    record.statement.params.extend([rank, mark]);
    Ok(record)
}

/// A member as the path names it.
struct Member {
    user: String,
    email: String,
    held: Held,
    joined_at: Millis,
}

impl Member {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            user: row.text(0)?.to_owned(),
            email: row.text(1)?.to_owned(),
            held: Held::read(row, 2, 4)?,
            joined_at: Millis(row.int(3)?),
        })
    }

    fn json(&self) -> Json {
        json!({
            "userId": self.user,
            "email": self.email,
            "role": self.held.name(),
            "base": self.held.rank.name(),
            "joinedAt": self.joined_at.rfc3339(),
        })
    }
}

/// The caller, the member that the path names, and the row of the tenant's own role of that name.
///
/// # Errors
/// `NOT_FOUND` for who is no member here.
async fn one<P: Platform>(
    cx: &Context<'_, P>,
    role: Option<&str>,
) -> Result<(Actor, Member, Option<Row>), Interrupt> {
    let id = cx.param();
    let (actor, rows) = cx
        .load(|tenant| {
            let mut reads = vec![GET.bind(tenant, [id.into()])];
            reads.extend(role.map(|name| NAMED.bind(tenant, [name.into()])));
            reads
        })
        .await?;
    let mut rows = rows.into_iter().map(|rows| rows.into_iter().next());
    let row = rows.next().flatten().filter(|_| is_id("usr", id));
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok((actor, Member::read(&row)?, rows.next().flatten()))
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    Ok(Member::read(row)?.json())
}
