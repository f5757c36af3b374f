//! Changing, deleting and restoring resources.

use serde_json::json;

use super::create::record;
use super::model::{Head, Resource, merge};
use super::read::{Found, one, shown};
use super::refusal;
use crate::fields::Fields;
use crate::guard::policy::{self, Action, allow};
use crate::http::{Code, Context, Error, Expected, Interrupt, Reply};
use crate::port::Platform;
use crate::sql::{MAX_INTEGER, Row, Statement, Value};
use crate::tenancy::LOCK;

/// Changes what the body names and leaves the rest. The request says which version it is for.
pub(super) async fn update<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let version = fields.opt_int("version", 1, MAX_INTEGER)?;
    let changes = resource.read_changes(&mut fields)?;
    fields.finish()?;
    let expected = Expected::read(&cx.request, version)?;
    let named = names(resource, &changes);
    if named.is_empty() {
        return Err(Error::invalid("", "Name at least one field to change.").into());
    }
    let new_parent = resource.parent.as_ref().and_then(|parent| {
        let wanted = changes.get(parent.column)?.clone()?;
        (wanted != Value::Null).then_some((parent, wanted))
    });
    let found = one(cx, resource, |tenant| {
        let (parent, id) = new_parent.clone()?;
        Some(parent.find.bind(tenant, [id]))
    })
    .await?;
    may_change(resource, &found, false)?;
    expected.required()?;
    expected.check(found.head.version)?;
    if let Some((parent, _)) = &new_parent
        && found.rest.first().is_none_or(Vec::is_empty)
    {
        return Err(resource.orphaned(parent).into());
    }

    let (actor, id, version) = (&found.actor, cx.param(), found.head.version);
    let own = merge(&found.row, changes);
    let change = json!({
        "before": {"version": version},
        "after": {"version": version.saturating_add(1), "changed": named},
    });
    let query = resource.sql.record_updated;
    let mut record = record(cx, actor, query, resource.acts.update, id, &change)?;
    record.statement.params.push(version.into());
    if let Some(parent) = &resource.parent {
        let belongs = own.get(parent.column).cloned().unwrap_or(Value::Null);
        record.statement.params.push(belongs);
    }
    let mut write = resource.sql.update.bind(
        &actor.tenant,
        [id.into(), record.id.into(), cx.now.into(), version.into()],
    );
    write.params.extend(own);
    match write_both(cx, &found, record.statement, write).await? {
        Some(row) => answer(resource, &row),
        None => Err(refusal::of_change(cx, resource, &found, &expected)
            .await?
            .into()),
    }
}

/// Deletes one, so that it can be restored for a while.
pub(super) async fn delete<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
) -> Result<Reply, Interrupt> {
    // A body of DELETE means nothing (RFC 9110, section 9.3.5), so none may seem to.
    if !cx.request.body.is_empty() {
        Fields::parse(cx.request.body)?.finish()?;
    }
    let expected = Expected::read(&cx.request, None)?;
    let found = one(cx, resource, |_| None).await?;
    may_change(resource, &found, false)?;
    expected.check(found.head.version)?;
    mark(cx, resource, &found, &expected, true).await
}

/// Brings one back. What is not deleted is answered as it is.
pub(super) async fn restore<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
) -> Result<Reply, Interrupt> {
    let expected = condition(cx)?;
    let found = one(cx, resource, |_| None).await?;
    may_change(resource, &found, true)?;
    if !found.head.is_deleted {
        return answer(resource, &found.row);
    }
    expected.check(found.head.version)?;
    mark(cx, resource, &found, &expected, false).await
}

/// Sets or removes the time of deletion.
async fn mark<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
    found: &Found,
    expected: &Expected,
    deleted: bool,
) -> Result<Reply, Interrupt> {
    let (actor, id, version) = (&found.actor, cx.param(), found.head.version);
    let (query, action) = if deleted {
        (resource.sql.record_deleted, resource.acts.delete)
    } else {
        (resource.sql.record_restored, resource.acts.restore)
    };
    let change = json!({"before": {"version": version}});
    let mut record = record(cx, actor, query, action, id, &change)?;
    let exact = expected.is_exact().then_some(version);
    record.statement.params.push(exact.into());
    let write = resource.sql.mark.bind(
        &actor.tenant,
        [
            id.into(),
            record.id.into(),
            cx.now.into(),
            deleted.then_some(cx.now).into(),
        ],
    );
    match write_both(cx, found, record.statement, write).await? {
        Some(row) => answer(resource, &row),
        None => Err(refusal::of_change(cx, resource, found, expected)
            .await?
            .into()),
    }
}

/// Records and writes under the tenant's lock; the row as it is now, if the change was allowed.
async fn write_both<P: Platform>(
    cx: &Context<'_, P>,
    found: &Found,
    record: Statement,
    write: Statement,
) -> Result<Option<Row>, Error> {
    let lock = LOCK.bind(&found.actor.tenant, []);
    let mut rows = cx.batch(&[lock, record, write]).await?;
    Ok(rows.pop().and_then(|rows| rows.into_iter().next()))
}

fn answer(resource: &Resource, row: &Row) -> Result<Reply, Interrupt> {
    let version = Head::of(row)?.version;
    Ok(shown(200, &resource.show(row)?, version))
}

/// Whether the caller may change what was found, and it is there to be changed.
fn may_change(resource: &Resource, found: &Found, deleted_too: bool) -> Result<(), Error> {
    if found.head.is_deleted && !deleted_too {
        return Err(Error::new(Code::NotFound));
    }
    let made = policy::Resource::Made(&found.head.created_by, resource.all);
    allow(&found.actor, Action::Change, made)
}

/// Which version a restoration is for, if it says so.
fn condition<P: Platform>(cx: &Context<'_, P>) -> Result<Expected, Error> {
    if cx.request.body.is_empty() {
        return Expected::read(&cx.request, None);
    }
    let mut fields = Fields::parse(cx.request.body)?;
    let version = fields.opt_int("version", 1, MAX_INTEGER)?;
    fields.finish()?;
    Expected::read(&cx.request, version)
}

/// What `changes` are about.
fn names(resource: &Resource, changes: &[Option<Value>]) -> Vec<&'static str> {
    let both = resource.columns.iter().zip(changes);
    let named = both.filter(|(_, change)| change.is_some());
    named.map(|(column, _)| column.shown).collect()
}
