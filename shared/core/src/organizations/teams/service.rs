//! Making, showing, renaming and deleting teams.

use serde_json::{Value as Json, json};

use super::store::{
    DELETE, GET, INSERT, LIST, RECORD_CREATED, RECORD_DELETED, RECORD_RENAMED, RENAME,
};
use crate::audit::{Entry, Record};
use crate::guard::identity::Credential;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Code, Context, Error, Guarded, Interrupt, Page, Reply};
use crate::id::is_id;
use crate::organizations::{named, record, write};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement, TenantQuery, Value};
use crate::tenancy::{LOCK, Permission, Role};
use crate::time::Millis;

/// Teams of one tenant.
const MOST: i64 = 200;
pub(super) const REFUSED: &str =
    "There is a team of that name, or it has changed meanwhile; look again.";

/// The teams that the caller is in; all of them for who may change them. Newest first.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let user = caller(cx)?;
    let (_, rows) = cx
        .load(|tenant| {
            let [time, id, most] = page.params();
            let all = Role::names_with(Permission::TeamsWrite).map(Value::from);
            let [first, second, third, fourth] = all;
            let bit = Permission::TeamsWrite.bit().into();
            let user = user.into();
            vec![LIST.bind(
                tenant,
                [time, id, most, user, first, second, third, fourth, bit],
            )]
        })
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(rows, |row| Ok((row.int(2)?, row.text(0)?.to_owned())), show)?)
}

/// Makes a team without members.
pub(in super::super) async fn create<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let name = named(cx)?;
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let id = cx.new_id("tea")?;
    let change = INSERT.bind(
        &actor.tenant,
        [
            id.as_str().into(),
            actor.user.as_str().into(),
            actor.held.rank.name().into(),
            actor.held.mark().into(),
            name.as_str().into(),
            cx.now.into(),
            MOST.into(),
        ],
    );
    let guarded = Guarded {
        lock: Some(LOCK.bind(&actor.tenant, [])),
        change,
        record: Entry::by(&actor, "team.create", &id).record(cx, &RECORD_CREATED, &actor.tenant)?,
        rest: Vec::new(),
    };
    let now = cx.now.rfc3339();
    let shown = json!({"id": id, "name": name, "members": 0, "createdAt": now, "updatedAt": now});
    let reply = Reply::json(201, &shown);
    let created = cx
        .commit_guarded(&actor, guarded, reply.clone(), &reply)
        .await?;
    Ok(created.ok_or_else(|| {
        let rule = format!("There is a team of that name, or there are {MOST} already.");
        Error::new(Code::StateConflict).with_message(rule)
    })?)
}

/// One team.
pub(in super::super) async fn get<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, row) = one(cx).await?;
    see(&actor, &row)?;
    Ok(Reply::ok(&show(&row)?))
}

/// Gives a team another name.
pub(in super::super) async fn rename<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let name = named(cx)?;
    let (actor, row) = one(cx).await?;
    let mut record = record(cx, &actor, &RECORD_RENAMED, "team.rename", cx.param(), None)?;
    record.statement.params.push(name.as_str().into());
    let mut rename = about(&RENAME, cx, &actor, &record);
    rename.params.extend([name.as_str().into(), cx.now.into()]);
    write(cx, &actor, record, vec![rename], REFUSED).await?;
    let mut shown = show(&row)?;
    if let Some(object) = shown.as_object_mut() {
        object.insert("name".to_owned(), json!(name));
        object.insert("updatedAt".to_owned(), json!(cx.now.rfc3339()));
    }
    Ok(Reply::ok(&shown))
}

/// Deletes a team; its members stay members of the tenant.
pub(in super::super) async fn delete<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = one(cx).await?;
    let record = record(cx, &actor, &RECORD_DELETED, "team.delete", cx.param(), None)?;
    let delete = about(&DELETE, cx, &actor, &record);
    write(cx, &actor, record, vec![delete], REFUSED).await?;
    Ok(Reply::ok(&json!({"id": cx.param(), "status": "deleted"})))
}

/// Whether the actor may look at the team in that row.
pub(super) fn see(actor: &Actor, row: &Row) -> Result<(), Error> {
    let mine = row.int(5)? > 0;
    allow(actor, Action::See, Resource::Team { mine })
}

/// The caller's user id; routes of teams are for members alone.
fn caller<'c, P: Platform>(cx: &'c Context<'_, P>) -> Result<&'c str, Error> {
    match cx.credential() {
        Credential::Member(claims) => Ok(&claims.user),
        _ => Err(Error::new(Code::AuthRequired)),
    }
}

/// A statement on the team that the path names; it runs while the record is there.
pub(super) fn about<P: Platform>(
    query: &'static TenantQuery,
    cx: &Context<'_, P>,
    actor: &Actor,
    record: &Record,
) -> Statement {
    let (team, record) = (cx.param().into(), record.id.as_str().into());
    query.bind(&actor.tenant, [team, record])
}

/// The caller and the team that the path names.
///
/// # Errors
/// `NOT_FOUND` for other tenants' teams and for text that is no team's id.
async fn one<P: Platform>(cx: &Context<'_, P>) -> Result<(Actor, Row), Interrupt> {
    let (id, user) = (cx.param(), caller(cx)?);
    let (actor, rows) = cx
        .load(|tenant| vec![GET.bind(tenant, [id.into(), user.into()])])
        .await?;
    let row = rows
        .into_iter()
        .next()
        .and_then(|rows| rows.into_iter().next());
    let row = row.filter(|_| is_id("tea", id));
    Ok((actor, row.ok_or_else(|| Error::new(Code::NotFound))?))
}

/// The statement of [`one`], for who reads more beside it.
pub(super) fn read<P: Platform>(
    cx: &Context<'_, P>,
    tenant: &crate::tenancy::TenantId,
) -> Result<Statement, Error> {
    Ok(GET.bind(tenant, [cx.param().into(), caller(cx)?.into()]))
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    Ok(json!({
        "id": row.text(0)?,
        "name": row.text(1)?,
        "members": row.int(4)?,
        "createdAt": Millis(row.int(2)?).rfc3339(),
        "updatedAt": Millis(row.int(3)?).rfc3339(),
    }))
}
