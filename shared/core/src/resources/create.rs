//! Creating resources.

use serde_json::{Map, Value as Json, json};

use super::model::{Resource, new_row};
use super::read::shown;
use super::refusal;
use super::temp::TempId;
use crate::audit::{Entry, Record};
use crate::fields::Fields;
use crate::http::{Actor, Context, Error, Guarded, Interrupt, Reply};
use crate::port::Platform;
use crate::sql::{Row, Statement, TenantQuery, Value};
use crate::tenancy::{LOCK, TenantId};

/// What a creation asks for.
pub(super) struct Wish {
    pub(super) own: Vec<Value>,
    pub(super) temp: Option<TempId>,
}

impl Wish {
    fn read(resource: &Resource, body: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::parse(body)?;
        let temp = TempId::read(&mut fields)?;
        let own = resource.read_new(&mut fields)?;
        fields.finish()?;
        Ok(Self { own, temp })
    }

    /// Reads what decides about it besides the plan.
    pub(super) fn reads<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        resource: &Resource,
        tenant: &TenantId,
    ) -> Vec<Statement> {
        let temp = self.temp.as_ref();
        let known = temp.map(|temp| temp.find(cx, resource, tenant));
        let parent = resource.parent_in(&self.own);
        let parent = parent.map(|(parent, id)| parent.find.bind(tenant, [id.clone()]));
        known.into_iter().chain(parent).collect()
    }

    /// What the rows of [`Self::reads`] say: the answer for a temporary id that is known.
    ///
    /// # Errors
    /// `VALIDATION` for something that is not there to belong to.
    pub(super) fn judge(
        &self,
        resource: &Resource,
        rows: &[Vec<Row>],
    ) -> Result<Option<Reply>, Error> {
        let mut rows = rows.iter();
        if let Some(temp) = &self.temp
            && let Some(row) = rows.next().and_then(|rows| rows.first())
        {
            let data = with_temp(resource.show(row)?, Some(temp));
            return Ok(Some(shown(200, &data, row.int(1)?)));
        }
        match resource.parent_in(&self.own) {
            Some((parent, _)) if rows.next().is_none_or(Vec::is_empty) => {
                Err(resource.orphaned(parent))
            }
            _ => Ok(None),
        }
    }
}

/// Creates one: 201. For a temporary id that is known it is the thing of the first time: 200.
pub(super) async fn create<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
) -> Result<Reply, Interrupt> {
    let wish = Wish::read(resource, cx.request.body)?;
    let (actor, rows) = cx.load(|tenant| wish.reads(cx, resource, tenant)).await?;
    if let Some(known) = wish.judge(resource, &rows)? {
        return Ok(known);
    }
    let id = cx.new_id(resource.prefix)?;
    let row = new_row(&id, &actor.user, cx.now, wish.own.clone());
    let data = with_temp(resource.show(&row)?, wish.temp.as_ref());
    let reply = shown(201, &data, 1).with_header("location", resource.path(&id));
    let change = json!({"after": {"version": 1}});
    let query = resource.sql.record_created;
    let record = record(cx, &actor, query, resource.acts.create, &id, &change)?;
    let temp = wish.temp.as_ref();
    let guarded = Guarded {
        lock: Some(LOCK.bind(&actor.tenant, [])),
        change: insert(cx, resource, &actor, &id, &wish),
        rest: temp
            .map(|temp| temp.keep(cx, resource, &actor, &id, &record))
            .into_iter()
            .collect(),
        record,
    };
    let kept = reply.clone();
    match cx.commit_guarded(&actor, guarded, reply, &kept).await? {
        Some(reply) => Ok(reply),
        None => Ok(refusal::of_creation(cx, resource, &actor, &wish).await?),
    }
}

fn insert<P: Platform>(
    cx: &Context<'_, P>,
    resource: &Resource,
    actor: &Actor,
    id: &str,
    wish: &Wish,
) -> Statement {
    let temp = wish.temp.as_ref().map(TempId::stored);
    let mut statement = resource.sql.insert.bind(
        &actor.tenant,
        [
            id.into(),
            actor.user.as_str().into(),
            cx.now.into(),
            temp.into(),
        ],
    );
    statement.params.extend(wish.own.iter().cloned());
    statement
}

pub(super) fn record<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    query: &'static TenantQuery,
    action: &'static str,
    id: &str,
    change: &Json,
) -> Result<Record, Error> {
    let entry = Entry::by(actor, action, id);
    entry.record_change(cx, query, &actor.tenant, Some(change))
}

/// The answer to a creation names the temporary id beside the id that takes its place.
fn with_temp(mut data: Map<String, Json>, temp: Option<&TempId>) -> Map<String, Json> {
    if let Some(temp) = temp {
        data.insert("client_temp_id".to_owned(), temp.shown.as_str().into());
    }
    data
}
