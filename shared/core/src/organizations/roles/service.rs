//! Making, changing and deleting a tenant's own roles.

use serde_json::{Value as Json, json};

use super::store::{
    CHANGE, DELETE, END_INVITATIONS_BY, END_INVITATIONS_TO, GET, INSERT, RECORD_CHANGED,
    RECORD_CREATED, RECORD_DELETED,
};
use crate::audit::{Entry, Record};
use crate::fields::Fields;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Code, Context, Error, Guarded, Interrupt, Reply};
use crate::id::is_id;
use crate::organizations::{record, write};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement, TenantQuery};
use crate::tenancy::{LOCK, Permission, Permissions, Role, stored_rank};
use crate::time::Millis;

/// Roles that a tenant may have of its own: few enough to list them at once.
const MOST: i64 = 50;
const UNKNOWN: &str = "Every one must be a permission that GET /api/v1/organizations/roles lists.";
const REFUSED: &str = "There is a role of that name, or roles have changed meanwhile; look again.";
/// Characters of a name.
const NAME: usize = 40;

/// A role as it is stored.
pub(super) struct Own {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) base: Role,
    pub(super) permissions: Permissions,
    version: i64,
    created_at: Millis,
    updated_at: Millis,
    members: i64,
}

impl Own {
    pub(super) fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            base: stored_rank(row.text(2)?)?,
            permissions: Permissions::stored(row.int(3)?),
            version: row.int(4)?,
            created_at: Millis(row.int(5)?),
            updated_at: Millis(row.int(6)?),
            members: row.int(7)?,
        })
    }

    /// What it allows: its base may hold less than it was given.
    pub(super) fn allows(&self) -> Permissions {
        Permissions::of(self.base).within(self.permissions)
    }

    pub(super) fn json(&self) -> Json {
        json!({
            "id": self.id,
            "name": self.name,
            "base": self.base.name(),
            "permissions": self.allows().names(),
            "version": self.version,
            "members": self.members,
            "createdAt": self.created_at.rfc3339(),
            "updatedAt": self.updated_at.rfc3339(),
        })
    }

    /// One side of a change, as the audit log tells it.
    fn told(&self) -> Json {
        json!({
            "name": self.name,
            "base": self.base.name(),
            "permissions": self.allows().names(),
        })
    }
}

/// Makes a role: a part of what one of the three below founder holds.
pub(in super::super) async fn create<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let name = name(&fields.text("name", 1, NAME)?)?;
    let base = base(&fields.text("base", 1, NAME)?)?;
    let wanted = fields.opt_list("permissions", Permission::ALL.len())?;
    fields.finish()?;
    let wanted = wanted.ok_or_else(|| Error::invalid("permissions", "Is required."))?;
    let permissions = permissions(&wanted, base)?;

    let (actor, _) = cx.load(|_| Vec::new()).await?;
    allow(&actor, Action::Grant, Resource::Role(base, permissions))?;
    let role = Own {
        id: cx.new_id("rol")?,
        name,
        base,
        permissions,
        version: 1,
        created_at: cx.now,
        updated_at: cx.now,
        members: 0,
    };
    let change = INSERT.bind(
        &actor.tenant,
        [
            role.id.as_str().into(),
            actor.user.as_str().into(),
            actor.held.rank.name().into(),
            actor.held.mark().into(),
            role.name.as_str().into(),
            base.name().into(),
            permissions.bits().into(),
            cx.now.into(),
            MOST.into(),
        ],
    );
    let made = json!({"before": null, "after": role.told()});
    let entry = Entry::by(&actor, "role.create", &role.id);
    let guarded = Guarded {
        lock: Some(LOCK.bind(&actor.tenant, [])),
        change,
        record: entry.record_change(cx, &RECORD_CREATED, &actor.tenant, Some(&made))?,
        rest: Vec::new(),
    };
    let reply = Reply::json(201, &role.json());
    let created = cx
        .commit_guarded(&actor, guarded, reply.clone(), &reply)
        .await?;
    Ok(created.ok_or_else(|| {
        let rule = format!("There is a role of that name, or there are {MOST} already.");
        Error::new(Code::StateConflict).with_message(rule)
    })?)
}

/// Gives a role another name or other permissions; what is not named stays. It holds for all who
/// have the role on their next request.
pub(in super::super) async fn change<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let renamed = fields.opt_text("name", 1, NAME)?;
    let wanted = fields.opt_list("permissions", Permission::ALL.len())?;
    let version = fields.opt_int("version", 1, crate::sql::MAX_INTEGER)?;
    fields.finish()?;
    let renamed = renamed.as_deref().map(name).transpose()?;

    let (actor, before) = one(cx).await?;
    allow(
        &actor,
        Action::Change,
        Resource::Role(before.base, before.allows()),
    )?;
    let granted = match &wanted {
        Some(names) => permissions(names, before.base)?,
        None => before.permissions,
    };
    let after = Own {
        id: before.id.clone(),
        name: renamed.unwrap_or_else(|| before.name.clone()),
        permissions: granted,
        version: before.version.saturating_add(1),
        updated_at: cx.now,
        ..before
    };
    allow(
        &actor,
        Action::Grant,
        Resource::Role(after.base, after.allows()),
    )?;
    if version.is_some_and(|seen| seen != before.version) {
        return Err(Error::new(Code::StateConflict).with_message(REFUSED).into());
    }
    let told = json!({"before": before.told(), "after": after.told()});
    let mut record = record_of(cx, &actor, &RECORD_CHANGED, "role.change", &before, &told)?;
    record.statement.params.push(after.name.as_str().into());
    let mut change = about(&CHANGE, &actor, &before, &record);
    change.params.extend([
        after.name.as_str().into(),
        after.permissions.bits().into(),
        cx.now.into(),
    ]);
    let mut writes = vec![change];
    if before.allows().beyond(after.allows()).is_some() {
        let mut end = about(&END_INVITATIONS_BY, &actor, &before, &record);
        end.params.push(cx.now.into());
        writes.push(end);
    }
    write(cx, &actor, record, writes, REFUSED).await?;
    Ok(Reply::ok(&after.json()))
}

/// Deletes a role that nobody has. Invitations to it are revoked.
pub(in super::super) async fn delete<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, role) = one(cx).await?;
    allow(
        &actor,
        Action::Change,
        Resource::Role(role.base, role.allows()),
    )?;
    if role.members > 0 {
        let rule = "Members have this role; give them another one first.";
        return Err(Error::new(Code::StateConflict).with_message(rule).into());
    }
    let told = json!({"before": role.told(), "after": null});
    let record = record_of(cx, &actor, &RECORD_DELETED, "role.delete", &role, &told)?;
    let mut end = about(&END_INVITATIONS_TO, &actor, &role, &record);
    end.params.push(cx.now.into());
    let writes = vec![end, about(&DELETE, &actor, &role, &record)];
    write(cx, &actor, record, writes, REFUSED).await?;
    Ok(Reply::ok(&json!({"id": role.id, "status": "deleted"})))
}

/// The record of a change, with how the actor and the role were judged.
fn record_of<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    query: &'static TenantQuery,
    action: &'static str,
    role: &Own,
    told: &Json,
) -> Result<Record, Error> {
    let mut record = record(cx, actor, query, action, &role.id, Some(told))?;
    record.statement.params.push(role.version.into());
    Ok(record)
}

/// A statement on the role that runs while the record is there.
fn about(query: &'static TenantQuery, actor: &Actor, role: &Own, record: &Record) -> Statement {
    let (id, record) = (role.id.as_str(), record.id.as_str());
    query.bind(&actor.tenant, [id.into(), record.into()])
}

/// The caller and the role that the path names.
///
/// # Errors
/// `NOT_FOUND` for other tenants' roles, and for the four, which have no id.
async fn one<P: Platform>(cx: &Context<'_, P>) -> Result<(Actor, Own), Interrupt> {
    let id = cx.param();
    let (actor, rows) = cx
        .load(|tenant| vec![GET.bind(tenant, [id.into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row
        .filter(|_| is_id("rol", id))
        .ok_or_else(|| Error::new(Code::NotFound))?;
    Ok((actor, Own::read(row)?))
}

/// A name in the form of the four: requests name a role by it.
fn name(text: &str) -> Result<String, Error> {
    let sound = text.bytes().enumerate().all(|(index, byte)| {
        byte.is_ascii_lowercase()
            || (index > 0 && (byte.is_ascii_digit() || matches!(byte, b'-' | b'_')))
    });
    if sound && Role::parse(text).is_none() {
        return Ok(text.to_owned());
    }
    let rule = "Must have lower-case letters, digits, - and _ alone, start with a letter, and not \
                be founder, admin, agent or client.";
    Err(Error::invalid("name", rule))
}

/// Founders are not narrowed: what only they can undo must not be out of their reach.
fn base(text: &str) -> Result<Role, Error> {
    Role::parse(text)
        .filter(|role| *role != Role::Founder)
        .ok_or_else(|| Error::invalid("base", "Must be one of: admin, agent, client."))
}

/// The permissions of those names, which the base must hold. Every role has those that every
/// member needs, named or not.
fn permissions(names: &[String], base: Role) -> Result<Permissions, Error> {
    let refused = |rule: String| Error::invalid("permissions", rule);
    let mut set = 0;
    for name in names {
        let known = Permission::parse(name);
        let known = known.ok_or_else(|| refused(UNKNOWN.to_owned()))?;
        if !base.allows(known) {
            let rule = format!("{} does not hold {}.", base.name(), known.name());
            return Err(refused(rule));
        }
        set |= known.bit();
    }
    Ok(Permissions::stored(set))
}
