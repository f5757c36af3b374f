//! Domains of a tenant: by the host, who is nobody yet learns whose door they stand at.
//!
//! Only a service gives a domain to a tenant, after it has seen that the domain is the tenant's.
//! A domain names a tenant and gives no right in it.

use serde_json::{Value as Json, json};

use crate::audit::Entry;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::tenancy::{LOCK, domain};
use crate::time::Millis;

/// Domains of one tenant: few enough to list them at once.
const MOST: i64 = 20;

crate::queries! {
    /// `?1` tenant.
    LIST: TenantQuery = "domains.list", "
        SELECT domain, created_at FROM tenant_domains WHERE tenant_id = ?1 ORDER BY domain";
    /// `?1` tenant, `?2` domain, `?3` now, `?4` most. A row comes back if it is the tenant's now;
    /// another tenant's domain stays where it is, unless that tenant is closed.
    ADD: TenantQuery = "domains.add", "
        INSERT INTO tenant_domains (tenant_id, domain, created_at)
        SELECT ?1, ?2, CAST(?3 AS BIGINT) FROM tenants t
        WHERE t.id = ?1 AND (SELECT COUNT(*) FROM tenant_domains o
            WHERE o.tenant_id = ?1 AND o.domain <> ?2) < ?4
        ON CONFLICT (domain) DO UPDATE SET tenant_id = excluded.tenant_id,
            created_at = CASE WHEN tenant_domains.tenant_id = excluded.tenant_id
                THEN tenant_domains.created_at ELSE excluded.created_at END
            WHERE tenant_domains.tenant_id = excluded.tenant_id OR EXISTS (SELECT 1 FROM tenants g
                WHERE g.id = tenant_domains.tenant_id AND g.deleted_at IS NOT NULL)
        RETURNING domain, created_at";
    /// The target is a domain that was added just now.
    RECORD_ADDED: TenantQuery = "domains.record_added", crate::record_where!("
        FROM tenant_domains d WHERE d.tenant_id = ?1 AND d.domain = ?5 AND d.created_at = ?7");
    /// The target is a domain that is about to go.
    RECORD_REMOVED: TenantQuery = "domains.record_removed", crate::record_where!("
        FROM tenant_domains d WHERE d.tenant_id = ?1 AND d.domain = ?5");
    /// `?1` tenant, `?2` domain.
    REMOVE: TenantQuery = "domains.remove", "
        DELETE FROM tenant_domains WHERE tenant_id = ?1 AND domain = ?2 RETURNING domain";
}

/// Whose host this is, for a sign-in page; null for nobody's.
pub(super) async fn here<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let found = cx.optional_tenant().await?;
    let shown = found.map(|found| json!({"id": found.tenant.as_str(), "name": found.name}));
    Ok(Reply::ok(&json!({"organization": shown})))
}

/// The tenant's domains.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let tenant = cx.require_tenant().await?.tenant;
    let rows = cx.query(LIST.bind(&tenant, [])).await?;
    let shown: Vec<Json> = rows.iter().map(show).collect::<Result<_, _>>()?;
    Ok(Reply::ok(&shown))
}

/// Gives a domain to the tenant; once more changes nothing.
pub(super) async fn add<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let name = named(cx)?;
    let tenant = cx.require_tenant().await?.tenant;
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: &cx.service()?,
        action: "organization.domain_add",
        target: &name,
    };
    let rows = cx
        .batch(&[
            LOCK.bind(&tenant, []),
            ADD.bind(&tenant, [name.as_str().into(), cx.now.into(), MOST.into()]),
            entry.record(cx, &RECORD_ADDED, &tenant)?.statement,
        ])
        .await?;
    let row = rows.get(1).and_then(|rows| rows.first());
    let row = row.ok_or_else(|| {
        let rule = format!("It is another organization's, or this one has {MOST} already.");
        Error::new(Code::StateConflict).with_message(rule)
    })?;
    Ok(Reply::ok(&show(row)?))
}

/// Takes a domain back.
pub(super) async fn remove<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let name = named(cx)?;
    let tenant = cx.require_tenant().await?.tenant;
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: &cx.service()?,
        action: "organization.domain_remove",
        target: &name,
    };
    let rows = cx
        .batch(&[
            entry.record(cx, &RECORD_REMOVED, &tenant)?.statement,
            REMOVE.bind(&tenant, [name.as_str().into()]),
        ])
        .await?;
    if rows.last().is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::NotFound).into());
    }
    Ok(Reply::ok(&json!({"domain": name, "status": "removed"})))
}

/// The domain in the path. Our own hosts are nobody's: all tenants come by them.
fn named<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let name = domain(cx.param()).filter(|name| name == cx.param());
    let name = name.ok_or_else(|| {
        Error::invalid("domain", "Must be a domain in lower case, without a port.")
    })?;
    let config = cx.config()?;
    let ours = [&config.gateway_url, &config.frontend_url];
    let host = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        domain(rest.split('/').next().unwrap_or_default())
    };
    if ours.iter().any(|url| host(url).as_deref() == Some(&name)) {
        return Err(Error::invalid("domain", "Is a host of this service."));
    }
    Ok(name)
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    Ok(json!({"domain": row.text(0)?, "createdAt": Millis(row.int(1)?).rfc3339()}))
}
