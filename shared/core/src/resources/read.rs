//! Reading resources.

use serde_json::{Map, Value as Json};

use super::model::{Head, Resource};
use crate::http::{
    Actor, Code, Context, Error, Interrupt, Page, Reply, Request, Response, etag, is_known,
};
use crate::id::is_id;
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement};

/// Clients may keep an answer, and ask each time whether it still holds. Who compresses on the way (Cloudflare's
/// edge does) makes a weak tag of ours, with which no change could be conditional (RFC 9110, section 13.1.1).
const CACHE: &str = "private, no-cache, no-transform";
/// Of answers to a change, whose tag must arrive as it is too.
const NO_STORE: &str = "no-store, no-transform";

/// The tenant's things, newest first; deleted ones too where `include_deleted` asks for them.
pub(super) async fn list<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let deleted = include_deleted(&cx.request)?;
    let query = if deleted {
        resource.sql.list_all
    } else {
        resource.sql.list
    };
    let (actor, rows) = cx
        .load(|tenant| vec![query.bind(tenant, page.params())])
        .await?;
    may_see_deleted(&actor, resource, deleted)?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let place = |row: &Row| Ok::<_, DatabaseError>((row.int(3)?, row.text(0)?.to_owned()));
    Ok(page.reply(rows, place, |row| Ok(Json::Object(resource.show(row)?)))?)
}

/// One of them; 304 for a client that has it.
pub(super) async fn get<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
) -> Result<Reply, Interrupt> {
    let deleted = include_deleted(&cx.request)?;
    let found = one(cx, resource, |_| None).await?;
    may_see_deleted(&found.actor, resource, deleted)?;
    if found.head.is_deleted && !deleted {
        return Err(Error::new(Code::NotFound).into());
    }
    let version = found.head.version;
    let reply = if is_known(&cx.request, version)? {
        Reply::Raw(Response::empty(304))
    } else {
        Reply::json(200, &resource.show(&found.row)?)
    };
    Ok(tagged(reply, version, CACHE))
}

/// What the path names, with the caller.
pub(super) struct Found {
    pub(super) actor: Actor,
    pub(super) row: Row,
    pub(super) head: Head,
    /// What `more` read.
    pub(super) rest: Vec<Vec<Row>>,
}

/// Judges the caller and reads what the path names, deleted or not, and `more` with it.
///
/// # Errors
/// `NOT_FOUND` for other tenants' things and text that is no id.
pub(super) async fn one<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
    more: impl FnOnce(&crate::tenancy::TenantId) -> Option<Statement>,
) -> Result<Found, Interrupt> {
    let id = Some(cx.param()).filter(|id| is_id(resource.prefix, id));
    let (actor, mut rows) = cx
        .load(|tenant| {
            let own = id.map(|id| resource.sql.get.bind(tenant, [id.into()]));
            own.into_iter().chain(more(tenant)).collect()
        })
        .await?;
    let rest = rows.split_off(1.min(rows.len()));
    let row = rows.pop().and_then(|rows| rows.into_iter().next());
    let row = row
        .filter(|_| id.is_some())
        .ok_or_else(|| Error::new(Code::NotFound))?;
    let head = Head::of(&row)?;
    Ok(Found {
        actor,
        row,
        head,
        rest,
    })
}

/// An answer with one thing in it.
pub(super) fn shown(status: u16, data: &Map<String, Json>, version: i64) -> Reply {
    tagged(Reply::json(status, data), version, NO_STORE)
}

fn tagged(reply: Reply, version: i64, cache: &str) -> Reply {
    let reply = reply.with_header("etag", etag(version));
    reply.with_header("cache-control", cache)
}

fn include_deleted(request: &Request<'_>) -> Result<bool, Error> {
    let name = "include_deleted";
    match request.query_value(name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Error::invalid(name, "Must be true or false.")),
    }
}

fn may_see_deleted(actor: &Actor, resource: &Resource, asked: bool) -> Result<(), Error> {
    let may = !asked || actor.permissions.hold(resource.all);
    may.then_some(()).ok_or_else(|| Error::lacks(resource.all))
}
