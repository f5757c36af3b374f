//! Listing, creating, showing and renaming organisations.

use serde_json::{Value as Json, json};

use super::store::{GET, INSERT, INSERT_FOUNDER, LIST, RECORD_CREATED, RENAME};
use crate::audit::Entry;
use crate::guard::exact_limit::ORGANIZATIONS_USER;
use crate::guard::identity::Credential;
use crate::http::{Actor, Code, Context, Error, Guarded, Interrupt, Page, Reply};
use crate::organizations::named;
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::tenancy::{Held, Role, TenantId};
use crate::time::{Millis, SECOND};

/// The organisations that the caller is a member of, whichever the session is in.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let Credential::Member(claims) = cx.credential() else {
        return Err(Error::new(Code::AuthRequired).into());
    };
    let [time, id, most] = page.params();
    let user = claims.user.as_str();
    let (actor, rows) = cx
        .load(|_| vec![LIST.bind([user.into(), time, id, most])])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(
        rows,
        |row| Ok((row.int(4)?, row.text(0)?.to_owned())),
        |row| show_mine(row, &actor),
    )?)
}

fn show_mine(row: &Row, actor: &Actor) -> Result<Json, DatabaseError> {
    let id = row.text(0)?;
    let held = Held::read(row, 3, 5)?;
    Ok(json!({
        "id": id,
        "name": row.text(1)?,
        "plan": row.text(2)?,
        "role": held.name(),
        "base": held.rank.name(),
        "joinedAt": Millis(row.int(4)?).rfc3339(),
        "current": id == actor.tenant.as_str(),
    }))
}

/// Creates an organisation whose founder is the caller. The session stays where it is;
/// `POST /api/v1/auth/switch` moves it.
pub(in super::super) async fn create<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let name = named(cx)?;
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let tenant = TenantId::proven(cx.new_id("ten")?);
    let user = actor.user.as_str();
    let (limit, hits) = ORGANIZATIONS_USER.bound(user);
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: user,
        action: "organization.create",
        target: tenant.as_str(),
    };
    let founded = json!({"before": null, "after": {"user": user, "role": Role::Founder.name()}});
    let guarded = Guarded {
        lock: Some(ORGANIZATIONS_USER.hit(user, cx.now)),
        change: INSERT.bind(
            &tenant,
            [
                name.as_str().into(),
                cx.now.into(),
                user.into(),
                limit.into(),
                hits.into(),
            ],
        ),
        record: entry.record_change(cx, &RECORD_CREATED, &tenant, Some(&founded))?,
        rest: vec![INSERT_FOUNDER.bind(&tenant, [user.into(), cx.now.into()])],
    };
    let shown = json!({
        "id": tenant.as_str(),
        "name": name,
        "plan": "FREE",
        "role": "founder",
        "createdAt": cx.now.rfc3339(),
    });
    let reply = Reply::json(201, &shown);
    let kept = reply.clone();
    let created = cx.commit_guarded(&actor, guarded, reply, &kept).await?;
    Ok(created.ok_or_else(|| {
        let wait = ORGANIZATIONS_USER.window.div_euclid(SECOND);
        ORGANIZATIONS_USER.refusal(u32::try_from(wait).unwrap_or(u32::MAX))
    })?)
}

/// The organisation that the session is in, and what the caller may do there.
pub(in super::super) async fn current<P: Platform>(
    cx: &Context<'_, P>,
) -> Result<Reply, Interrupt> {
    let (actor, rows) = cx.load(|tenant| vec![GET.bind(tenant, [])]).await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok(Reply::ok(&show(row, &actor)?))
}

/// Renames it.
pub(in super::super) async fn rename<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let name = named(cx)?;
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let entry = Entry::by(&actor, "organization.rename", actor.tenant.as_str());
    let rows = cx
        .batch(&[
            RENAME.bind(&actor.tenant, [name.into(), cx.now.into()]),
            entry.append(cx)?,
        ])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok(Reply::ok(&show(row, &actor)?))
}

fn show(row: &Row, actor: &Actor) -> Result<Json, DatabaseError> {
    Ok(json!({
        "id": row.text(0)?,
        "name": row.text(1)?,
        "plan": row.text(2)?,
        "createdAt": Millis(row.int(3)?).rfc3339(),
        "members": row.int(4)?,
        "role": actor.held.name(),
        "base": actor.held.rank.name(),
        "features": actor.features.names(),
        "permissions": actor.permissions.names(),
    }))
}
