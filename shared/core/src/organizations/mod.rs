//! Organisations: what belongs to a tenant as a whole.

pub mod api_keys;
mod audit;
mod domains;
mod invitations;
mod member_routes;
mod members;
mod mfa;
mod roles;
mod routes;
mod teams;
mod tenants;

pub use member_routes::Members;
pub use routes::Organizations;

use serde_json::Value as Json;

use crate::audit::{Entry, Record};
use crate::fields::Fields;
use crate::http::{Actor, Code, Context, Error};
use crate::port::Platform;
use crate::sql::{Statement, TenantQuery};
use crate::tenancy::LOCK;

pub(crate) const QUERIES: &[&[&crate::sql::Query]] = &[
    api_keys::QUERIES,
    audit::QUERIES,
    domains::QUERIES,
    invitations::QUERIES,
    members::QUERIES,
    mfa::QUERIES,
    roles::QUERIES,
    teams::QUERIES,
    tenants::QUERIES,
];

/// The name that the body gives an organisation or a team, the only thing in it.
fn named<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let mut fields = Fields::parse(cx.request.body)?;
    let name = fields.text("name", 1, 100)?;
    fields.finish()?;
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid("name", "Must not be blank."));
    }
    Ok(name.to_owned())
}

/// The record of what `actor` does to `target`, with how they were judged as `?11` and `?12`: it is
/// written only where [`crate::still_judged!`] says so.
fn record<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    query: &'static TenantQuery,
    action: &'static str,
    target: &str,
    change: Option<&Json>,
) -> Result<Record, Error> {
    let entry = Entry::by(actor, action, target);
    let mut record = entry.record_change(cx, query, &actor.tenant, change)?;
    let (rank, mark) = (actor.held.rank.name().into(), actor.held.mark().into());
    record.statement.params.extend([rank, mark]);
    Ok(record)
}

/// Writes under the tenant's lock: the record, and then what asks for it.
///
/// # Errors
/// `STATE_CONFLICT` with `refused` where nothing was recorded: it is not as it was judged any more.
async fn write<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    record: Record,
    writes: Vec<Statement>,
    refused: &str,
) -> Result<(), Error> {
    let mut all = vec![LOCK.bind(&actor.tenant, []), record.statement];
    all.extend(writes);
    let rows = cx.batch(&all).await?;
    if rows.get(1).is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::StateConflict).with_message(refused));
    }
    Ok(())
}
