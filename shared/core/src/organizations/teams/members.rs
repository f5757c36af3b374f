//! Who is in a team.

use serde_json::{Value as Json, json};

use super::service::{REFUSED, about, read, see};
use super::store::{ADD, MEMBERS, PLACE, RECORD_ADDED, RECORD_TAKEN_OUT, TAKE_OUT};
use crate::http::{Actor, Code, Context, Error, Interrupt, Page, Reply};
use crate::id::is_id;
use crate::organizations::{record, write};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::tenancy::{Held, Permission};
use crate::time::Millis;

/// The members of a team, newest first. Addresses are for who may list the tenant's members.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (actor, rows) = cx
        .load(|tenant| {
            let [time, id, most] = page.params();
            let members = MEMBERS.bind(tenant, [time, id, most, cx.param().into()]);
            read(cx, tenant).into_iter().chain([members]).collect()
        })
        .await?;
    let [team, members] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let team = team.first().filter(|_| is_id("tea", cx.param()));
    see(&actor, team.ok_or_else(|| Error::new(Code::NotFound))?)?;
    let addresses = actor.permissions.hold(Permission::MembersRead);
    Ok(page.reply(
        members,
        |row| Ok((row.int(3)?, row.text(0)?.to_owned())),
        |row| show(row, addresses),
    )?)
}

/// Puts a member of the tenant into a team; who is in it already stays.
pub(in super::super) async fn add<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let place = place(cx).await?;
    if !place.inside {
        let change = json!({"before": null, "after": {"user": place.user}});
        let mut record = record(
            cx,
            &place.actor,
            &RECORD_ADDED,
            "team.member_add",
            cx.param(),
            Some(&change),
        )?;
        record.statement.params.push(place.user.into());
        let mut add = about(&ADD, cx, &place.actor, &record);
        add.params.extend([place.user.into(), cx.now.into()]);
        write(cx, &place.actor, record, vec![add], REFUSED).await?;
    }
    Ok(Reply::ok(
        &json!({"teamId": cx.param(), "userId": place.user, "status": "added"}),
    ))
}

/// Takes somebody out of a team; they stay a member of the tenant.
pub(in super::super) async fn remove<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let place = place(cx).await?;
    if !place.inside {
        return Err(Error::new(Code::NotFound).into());
    }
    let change = json!({"before": {"user": place.user}, "after": null});
    let mut record = record(
        cx,
        &place.actor,
        &RECORD_TAKEN_OUT,
        "team.member_remove",
        cx.param(),
        Some(&change),
    )?;
    record.statement.params.push(place.user.into());
    let mut out = about(&TAKE_OUT, cx, &place.actor, &record);
    out.params.push(place.user.into());
    write(cx, &place.actor, record, vec![out], REFUSED).await?;
    Ok(Reply::ok(
        &json!({"teamId": cx.param(), "userId": place.user, "status": "removed"}),
    ))
}

/// The member and the team that the path names.
struct Place<'c> {
    actor: Actor,
    user: &'c str,
    inside: bool,
}

/// # Errors
/// `NOT_FOUND` for another tenant's team, and for who is no member of this tenant.
async fn place<'c, P: Platform>(cx: &'c Context<'_, P>) -> Result<Place<'c>, Interrupt> {
    let (team, user) = (cx.param(), cx.params.get(1).copied().unwrap_or_default());
    let (actor, rows) = cx
        .load(|tenant| vec![PLACE.bind(tenant, [team.into(), user.into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| DatabaseError::Shape("no row".to_owned()))?;
    let there = row.int(0)? > 0 && row.int(1)? > 0 && is_id("tea", team) && is_id("usr", user);
    if !there {
        return Err(Error::new(Code::NotFound).into());
    }
    let inside = row.int(2)? > 0;
    Ok(Place {
        actor,
        user,
        inside,
    })
}

fn show(row: &Row, addresses: bool) -> Result<Json, DatabaseError> {
    let held = Held::read(row, 2, 4)?;
    let mut shown = json!({
        "userId": row.text(0)?,
        "role": held.name(),
        "base": held.rank.name(),
        "addedAt": Millis(row.int(3)?).rfc3339(),
    });
    if let (true, Some(object)) = (addresses, shown.as_object_mut()) {
        object.insert("email".to_owned(), json!(row.text(1)?));
    }
    Ok(shown)
}
