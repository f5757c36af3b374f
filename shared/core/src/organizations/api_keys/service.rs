//! API keys of a tenant.

use serde_json::{Value as Json, json};

use super::key;
use super::store::{GET, INSERT, LIST, LOCK_TENANT, RECORD_CREATED, RECORD_REVOKED, REVOKE};
use crate::audit::{Entry, Record};
use crate::fields::Fields;
use crate::http::{Actor, Code, Context, Error, Guarded, Interrupt, Page, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, TenantQuery};
use crate::tenancy::ApiScope;
use crate::time::Millis;

/// Creates a key and shows it, this one time. A replayed answer has no key in it.
pub(in super::super) async fn create<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let name = fields.text("name", 1, 100)?;
    let scopes = scopes(fields.opt_list("scopes", ApiScope::ALL.len())?)?;
    let expires_at = fields.opt_time("expires_at")?;
    fields.finish()?;

    let (actor, _) = cx.load(|_| Vec::new()).await?;
    // Only now: the replay of a creation is right even when the key has expired since.
    if expires_at.is_some_and(|end| end <= cx.now) {
        return Err(Error::invalid("expires_at", "Must lie in the future.").into());
    }
    let new = key::make(cx.random()?, cx.random()?);
    let id = new.credential.id.as_str();
    let mut shown = json!({
        "id": id,
        "name": name,
        "scopes": ApiScope::names(scopes),
        "createdAt": cx.now.rfc3339(),
        "expiresAt": expires_at.map(Millis::rfc3339),
        "key": Json::Null,
    });
    let kept = Reply::json(201, &shown);
    if let Some(object) = shown.as_object_mut() {
        object.insert("key".to_owned(), json!(new.text));
    }
    let change = INSERT.bind(
        &actor.tenant,
        [
            id.into(),
            actor.user.as_str().into(),
            name.into(),
            new.credential.secret_hash.as_str().into(),
            scopes.into(),
            cx.now.into(),
            expires_at.into(),
        ],
    );
    let made = json!({"after": {
        "scopes": ApiScope::names(scopes),
        "expiresAt": expires_at.map(Millis::rfc3339),
    }});
    let guarded = Guarded {
        lock: Some(LOCK_TENANT.bind(&actor.tenant, [])),
        change,
        record: record(
            cx,
            &actor,
            &RECORD_CREATED,
            "api_key.create",
            id,
            Some(&made),
        )?,
        rest: Vec::new(),
    };
    let reply = Reply::json(201, &shown);
    let created = cx.commit_guarded(&actor, guarded, reply, &kept).await?;
    Ok(created.ok_or_else(|| {
        let full = "The plan allows no more API keys; revoke one or upgrade the plan.";
        Error::new(Code::QuotaExceeded).with_message(full)
    })?)
}

/// The tenant's keys, without their secrets.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (_, rows) = cx
        .load(|tenant| vec![LIST.bind(tenant, page.params())])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(rows, |row| Ok((row.int(4)?, row.text(0)?.to_owned())), show)?)
}

/// Revokes a key at once; it stays in the list.
pub(in super::super) async fn revoke<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, id) = one(cx).await?;
    let rows = cx
        .batch(&[
            LOCK_TENANT.bind(&actor.tenant, []),
            record(cx, &actor, &RECORD_REVOKED, "api_key.revoke", id, None)?.statement,
            REVOKE.bind(&actor.tenant, [id.into(), cx.now.into()]),
        ])
        .await?;
    let row = rows.last().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok(Reply::ok(&show(row)?))
}

/// The caller and the id of the key that the path names, which is one of the caller's tenant.
///
/// # Errors
/// `NOT_FOUND` for other tenants' keys and for text that is no key's id.
async fn one<'a, P: Platform>(cx: &'a Context<'_, P>) -> Result<(Actor, &'a str), Interrupt> {
    let id = Some(cx.param()).filter(|id| key::is_row_id(id));
    let (actor, rows) = cx
        .load(|tenant| {
            let read = id.map(|id| GET.bind(tenant, [id.into()]));
            read.into_iter().collect()
        })
        .await?;
    let found = rows.first().is_some_and(|rows| !rows.is_empty());
    let id = id.filter(|_| found);
    Ok((actor, id.ok_or_else(|| Error::new(Code::NotFound))?))
}

fn record<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    query: &'static TenantQuery,
    action: &'static str,
    key: &str,
    change: Option<&Json>,
) -> Result<Record, Error> {
    let entry = Entry {
        tenant: Some(actor.tenant.as_str()),
        actor: &actor.user,
        action,
        target: key,
    };
    entry.record_change(cx, query, &actor.tenant, change)
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    let time = |value: Option<i64>| value.map(|time| Millis(time).rfc3339());
    Ok(json!({
        "id": row.text(0)?,
        "name": row.text(1)?,
        "scopes": ApiScope::names(row.int(2)?),
        "createdBy": row.text(3)?,
        "createdAt": time(row.opt_int(4)?),
        "expiresAt": time(row.opt_int(5)?),
        "revokedAt": time(row.opt_int(6)?),
    }))
}

/// The set of scopes as it is stored; without a wish a key may do what keys are for most.
fn scopes(wanted: Option<Vec<String>>) -> Result<i64, Error> {
    let Some(names) = wanted else {
        return Ok(ApiScope::UsageWrite.bit());
    };
    let refused = || {
        let all = ApiScope::ALL.map(ApiScope::name).join(", ");
        Error::invalid("scopes", format!("Must be one or more of: {all}."))
    };
    let set = names.iter().try_fold(0, |set, name| {
        ApiScope::parse(name).map(|scope| set | scope.bit())
    });
    set.filter(|set| *set != 0).ok_or_else(refused)
}
