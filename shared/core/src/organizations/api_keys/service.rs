//! API keys of a tenant.

use serde_json::{Value as Json, json};

use super::key::{self, Environment};
use super::model::Shown;
use super::network;
use super::store::{
    DELETE, GET, INSERT, LIST, RECORD_CREATED, RECORD_DELETED, RECORD_REVOKED, REVOKE,
};
use crate::audit::{Entry, Record};
use crate::fields::Fields;
use crate::http::{Actor, Code, Context, Error, Guarded, Interrupt, Page, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::TenantQuery;
use crate::tenancy::{ApiScope, LOCK};
use crate::time::Millis;

/// Creates a key and shows it, this one time. A replayed answer has no key in it.
pub(in super::super) async fn create<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let name = fields.text("name", 1, 100)?;
    let scopes = scopes(fields.opt_list("scopes", ApiScope::ALL.len())?)?;
    let expires_at = fields.opt_time("expires_at")?;
    let environment = environment(fields.opt_text("environment", 1, 10)?.as_deref())?;
    let networks = network::stored(fields.opt_list("allowed_ips", network::MOST)?)?;
    fields.finish()?;

    let (actor, _) = cx.load(|_| Vec::new()).await?;
    // Only now: the replay of a creation is right even when the key has expired since.
    if expires_at.is_some_and(|end| end <= cx.now) {
        return Err(Error::invalid("expires_at", "Must lie in the future.").into());
    }
    let new = key::make(environment, cx.random()?, cx.random()?);
    let id = new.credential.id.as_str();
    let change = INSERT.bind(
        &actor.tenant,
        [
            id.into(),
            actor.user.as_str().into(),
            name.as_str().into(),
            new.credential.secret_hash.as_str().into(),
            scopes.into(),
            cx.now.into(),
            expires_at.into(),
            environment.name().into(),
            networks.clone().into(),
        ],
    );
    let made = json!({"after": {
        "scopes": ApiScope::names(scopes),
        "expiresAt": expires_at.map(Millis::rfc3339),
        "environment": environment.name(),
    }});
    let guarded = Guarded {
        lock: Some(LOCK.bind(&actor.tenant, [])),
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
    let fresh = Shown {
        id: id.to_owned(),
        name,
        scopes,
        created_by: actor.user.clone(),
        created_at: cx.now,
        expires_at,
        revoked_at: None,
        environment,
        networks,
        uses: 0,
        last_used_at: None,
        replaced_by: None,
    };
    let (reply, kept) = fresh.created(&new.text, cx.now, |_| ());
    let created = cx.commit_guarded(&actor, guarded, reply, &kept).await?;
    Ok(created.ok_or_else(|| {
        let full = "The plan allows no more API keys; revoke one or upgrade the plan.";
        Error::new(Code::QuotaExceeded)
            .with_message(full)
            .with_member("plan", actor.plan.as_str())
            .with_member("upgrade_url", cx.plans_url())
    })?)
}

/// The tenant's keys, without their secrets.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (_, rows) = cx
        .load(|tenant| vec![LIST.bind(tenant, page.params())])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let keys = rows.iter().map(Shown::read);
    let keys = keys.collect::<Result<Vec<_>, DatabaseError>>()?;
    let place = |key: &Shown| Ok::<_, DatabaseError>((key.created_at.0, key.id.clone()));
    Ok(page.reply(&keys, place, |key| Ok(key.json(cx.now)))?)
}

/// One key.
pub(in super::super) async fn get<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (_, key) = one(cx).await?;
    Ok(Reply::ok(&key.json(cx.now)))
}

/// Revokes a key at once; it stays in the list.
pub(in super::super) async fn revoke<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, key) = one(cx).await?;
    let rows = cx
        .batch(&[
            LOCK.bind(&actor.tenant, []),
            record(cx, &actor, &RECORD_REVOKED, "api_key.revoke", &key.id, None)?.statement,
            REVOKE.bind(&actor.tenant, [key.id.as_str().into(), cx.now.into()]),
        ])
        .await?;
    let row = rows.last().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok(Reply::ok(&Shown::read(row)?.json(cx.now)))
}

/// Takes a key out of the list, and revokes it if it lived.
pub(in super::super) async fn delete<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, key) = one(cx).await?;
    let rows = cx
        .batch(&[
            LOCK.bind(&actor.tenant, []),
            record(cx, &actor, &RECORD_DELETED, "api_key.delete", &key.id, None)?.statement,
            DELETE.bind(&actor.tenant, [key.id.as_str().into(), cx.now.into()]),
        ])
        .await?;
    if rows.last().is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::NotFound).into());
    }
    Ok(Reply::ok(&json!({"id": key.id, "status": "deleted"})))
}

/// The caller, and the key that the path names, which is one of the caller's tenant.
///
/// # Errors
/// `NOT_FOUND` for other tenants' keys, deleted ones, and text that is no key's id.
pub(super) async fn one<P: Platform>(cx: &Context<'_, P>) -> Result<(Actor, Shown), Interrupt> {
    let id = Some(cx.param()).filter(|id| key::is_row_id(id));
    let (actor, rows) = cx
        .load(|tenant| {
            let read = id.map(|id| GET.bind(tenant, [id.into()]));
            read.into_iter().collect()
        })
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok((actor, Shown::read(row)?))
}

pub(super) fn record<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    query: &'static TenantQuery,
    action: &'static str,
    key: &str,
    change: Option<&Json>,
) -> Result<Record, Error> {
    let entry = Entry::by(actor, action, key);
    entry.record_change(cx, query, &actor.tenant, change)
}

fn environment(wanted: Option<&str>) -> Result<Environment, Error> {
    let wanted = wanted.unwrap_or(Environment::Live.name());
    let refused = || Error::invalid("environment", "Must be live or test.");
    Environment::parse(wanted).ok_or_else(refused)
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
