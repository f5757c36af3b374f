//! Definitions of meters: what is measured of which events, and how.

use serde_json::{Value as Json, json};

use super::store::{DELETE, GET, LIST, RECORD_DELETED, RECORD_SET, SET};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::time::Millis;
use crate::usage::event::is_property;

/// Definitions of one tenant.
const MAX_METERS: i64 = 100;
/// Properties that one may group by.
const MAX_GROUPS: usize = 10;
const AGGREGATIONS: [&str; 5] = ["sum", "count", "max", "unique", "latest"];

/// `GET /api/v1/meters`.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (_, rows) = cx.load(|tenant| vec![LIST.bind(tenant, [])]).await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let all = rows.iter().map(show);
    Ok(Reply::ok(&all.collect::<Result<Vec<_>, _>>()?))
}

/// `GET /api/v1/meters/:key`.
pub(super) async fn get<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let key = key(cx)?;
    let (_, rows) = cx
        .load(|tenant| vec![GET.bind(tenant, [key.into()])])
        .await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok(Reply::ok(&show(row)?))
}

/// `PUT /api/v1/meters/:key`: makes the definition, or replaces it whole. It says how events are read,
/// and changes none of them, so it may be changed at any time.
pub(super) async fn set<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let key = key(cx)?;
    let mut fields = Fields::parse(cx.request.body)?;
    let aggregation = fields.text("aggregation", 1, 20)?;
    let event_type = fields.opt_text("eventType", 1, 200)?;
    let property = fields.opt_text("property", 1, 64)?;
    let groups = fields.opt_list("groupBy", MAX_GROUPS)?.unwrap_or_default();
    let unit = fields.opt_text("unit", 1, 40)?;
    fields.finish()?;
    if !AGGREGATIONS.contains(&aggregation.as_str()) {
        let rule = "Must be sum, count, max, unique or latest.";
        return Err(Error::invalid("aggregation", rule).into());
    }
    let rule = "Must have letters, digits and underscores alone, and no digit first.";
    if property.as_deref().is_some_and(|name| !is_property(name)) {
        return Err(Error::invalid("property", rule).into());
    }
    if !groups.iter().all(|name| is_property(name)) {
        return Err(Error::invalid("groupBy", rule).into());
    }
    let record = Entry::by(&actor, "meter.set", key).record(cx, &RECORD_SET, &actor.tenant)?;
    let change = SET.bind(
        &actor.tenant,
        [
            key.into(),
            event_type.unwrap_or_else(|| key.to_owned()).into(),
            aggregation.into(),
            property.into(),
            groups.join(" ").into(),
            unit.into(),
            cx.now.into(),
            MAX_METERS.into(),
        ],
    );
    let rows = cx.batch(&[change, record.statement]).await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| {
        let rule = format!("There are {MAX_METERS} meters, which is as many as there may be.");
        Error::new(Code::StateConflict).with_message(rule)
    })?;
    Ok(Reply::ok(&show(row)?))
}

/// `DELETE /api/v1/meters/:key`: the definition alone; events and their sums stay.
pub(super) async fn delete<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let key = key(cx)?;
    let entry = Entry::by(&actor, "meter.delete", key);
    let record = entry.record(cx, &RECORD_DELETED, &actor.tenant)?;
    let delete = DELETE.bind(&actor.tenant, [key.into()]);
    let rows = cx.batch(&[record.statement, delete]).await?;
    if rows.last().is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::NotFound).into());
    }
    Ok(Reply::ok(&json!({"meter": key, "status": "deleted"})))
}

/// The meter in the path. Its letters need no escape there.
fn key<'a, P: Platform>(cx: &'a Context<'_, P>) -> Result<&'a str, Error> {
    let key = cx.param();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    let sound = key.len() <= 64 && key.bytes().all(plain);
    let rule = "Must have 1 to 64 letters, digits and _ - . : alone.";
    sound
        .then_some(key)
        .ok_or_else(|| Error::invalid("meter", rule))
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    let groups: Vec<&str> = row
        .text(4)?
        .split(' ')
        .filter(|name| !name.is_empty())
        .collect();
    Ok(json!({
        "meter": row.text(0)?,
        "eventType": row.text(1)?,
        "aggregation": row.text(2)?,
        "property": row.opt_text(3)?,
        "groupBy": groups,
        "unit": row.opt_text(5)?,
        "createdAt": Millis(row.int(6)?).rfc3339(),
        "updatedAt": Millis(row.int(7)?).rfc3339(),
    }))
}
