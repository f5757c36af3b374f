//! Reading payments.

use serde_json::{Map, Value as Json, json};

use super::machine::STATES;
use super::model::Payment;
use super::store::{GET, LIST, TRANSITIONS};
use crate::guard::identity::Credential;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Code, Context, Error, Interrupt, Page, Reply, Response, etag, is_known};
use crate::id::is_id;
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Value};
use crate::tenancy::{Permission, Role};
use crate::time::Millis;

/// `GET /api/v1/payments`: one's own, newest first; for who may see all, the tenant's.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let status = cx.request.query_value("status")?;
    if status
        .as_deref()
        .is_some_and(|name| !STATES.contains(&name))
    {
        return Err(Error::invalid("status", "Must be a state of payments.").into());
    }
    let user = match cx.credential() {
        Credential::Member(claims) => Some(claims.user.as_str()),
        _ => None,
    };
    let (_, rows) = cx
        .load(|tenant| {
            let mut list = LIST.bind(tenant, page.params());
            let [first, second, third, fourth] =
                Role::names_with(Permission::PaymentsAll).map(Value::from);
            let bit = Permission::PaymentsAll.bit().into();
            let status = status.as_deref().into();
            let rest = [user.into(), first, second, third, fourth, bit, status];
            list.params.extend(rest);
            vec![list]
        })
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let payments = rows.iter().map(Payment::from_row);
    let payments = payments.collect::<Result<Vec<_>, _>>()?;
    let place =
        |one: &Payment| Ok::<_, DatabaseError>((one.known.created_at, one.known.id.clone()));
    Ok(page.reply(&payments, place, |one| Ok(Json::Object(one.show()?)))?)
}

/// `GET /api/v1/payments/:id`: one with its history; 304 for a client that has it.
pub(super) async fn get<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, payment, rows) = one(cx).await?;
    allow(&actor, Action::See, Resource::Payment(&payment.user))?;
    if is_known(&cx.request, payment.known.version)? {
        return Ok(tagged(
            Reply::Raw(Response::empty(304)),
            payment.known.version,
        ));
    }
    let history = rows.iter().map(|row| {
        Ok(json!({
            "from": row.opt_text(0)?,
            "to": row.text(1)?,
            "cause": row.text(2)?,
            "at": Millis(row.int(3)?).rfc3339(),
        }))
    });
    let history = history.collect::<Result<Vec<Json>, DatabaseError>>()?;
    let mut data = payment.show()?;
    data.insert("history".to_owned(), Json::Array(history));
    Ok(shown(200, &data, payment.known.version))
}

/// The payment that the path names, with the caller and its history.
///
/// # Errors
/// `NOT_FOUND` for other tenants' and for text that is no id.
pub(super) async fn one<P: Platform>(
    cx: &Context<'_, P>,
) -> Result<(Actor, Payment, Vec<Row>), Interrupt> {
    // A text that is no id finds nothing, but must be storable to be asked for.
    let id = Some(cx.param())
        .filter(|id| is_id("pay", id))
        .unwrap_or_default();
    let (actor, mut rows) = cx
        .load(|tenant| {
            let history = TRANSITIONS.bind(tenant, [id.into()]);
            vec![GET.bind(tenant, [id.into()]), history]
        })
        .await?;
    let history = rows.pop().unwrap_or_default();
    let row = rows.pop().unwrap_or_default();
    let payment = Payment::first(&row)?.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok((actor, payment, history))
}

/// An answer with one payment in it. Nobody keeps it, and nobody may change its tag on the way.
pub(super) fn shown(status: u16, data: &Map<String, Json>, version: i64) -> Reply {
    tagged(Reply::json(status, data), version)
}

fn tagged(reply: Reply, version: i64) -> Reply {
    let reply = reply.with_header("etag", etag(version));
    reply.with_header("cache-control", "no-store, no-transform")
}
