//! Places of the quota that are held until it is known what is used of them.

use std::collections::BTreeSet;

use serde_json::json;

use super::store::{GIVE_BACK, HOLD, KEEP_HELD, RESERVATION, TAKE};
use crate::fields::Fields;
use crate::guard::identity::Credential;
use crate::http::{Actor, Code, Context, Error, Interrupt, Reply};
use crate::organizations::api_keys::key::Environment;
use crate::port::{DatabaseError, Platform};
use crate::sql::MAX_INTEGER;
use crate::time::{Millis, SECOND};
use crate::usage::event::{self, Item};
use crate::usage::ingest::{Batch, answer, lock};
use crate::usage::quota::Quota;

/// Events that one reservation may hold, as many as a request may send.
const MAX_EVENTS: i64 = 1_000;
/// Seconds that it may hold them, and without a word.
const MAX_LIFE: i64 = 86_400;
const LIFE: i64 = 600;
/// Open ones of a tenant.
const MAX_OPEN: i64 = 1_000;

/// `POST /api/v1/usage/reservations`: holds places of this month's quota, or says that there are none.
pub(super) async fn reserve<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let mut fields = Fields::parse(cx.request.body)?;
    let events = fields.opt_int("events", 1, MAX_EVENTS)?;
    let events = events.ok_or_else(|| Error::invalid("events", "Is required."))?;
    let life = fields.opt_int("expiresIn", 1, MAX_LIFE)?.unwrap_or(LIFE);
    fields.finish()?;
    let (id, month) = (cx.new_id("rsv")?, cx.now.month());
    let expires_at = cx.now.plus(life.saturating_mul(SECOND));
    if !is_test(cx) {
        let (id, month) = (id.as_str(), month.as_str());
        let mut statements = lock(cx, &actor.tenant)?;
        let at = statements.len();
        statements.push(HOLD.bind(
            &actor.tenant,
            [month.into(), events.into(), id.into(), MAX_OPEN.into()],
        ));
        statements.push(KEEP_HELD.bind(
            &actor.tenant,
            [
                month.into(),
                events.into(),
                id.into(),
                expires_at.into(),
                cx.now.into(),
            ],
        ));
        let rows = cx.batch(&statements).await?;
        match rows.get(at).and_then(|rows| rows.first()) {
            Some(row) => Quota::read(row)?.tell(cx),
            None => return Err(full(cx, &actor, events).await?.into()),
        }
    }
    Ok(Reply::json(
        201,
        &json!({
            "id": id,
            "events": events,
            "state": "open",
            "expiresAt": expires_at.rfc3339(),
        }),
    ))
}

/// Why there was no place: the quota, or too many reservations.
async fn full<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    events: i64,
) -> Result<Error, Error> {
    let (refusal, quota) = Quota::refusal_with(cx, &actor.tenant).await?;
    if quota.is_some_and(|quota| quota.remaining().unwrap_or(MAX_INTEGER) >= events) {
        let rule = format!("There are {MAX_OPEN} open reservations; finalise some of them.");
        return Ok(Error::new(Code::StateConflict).with_message(rule));
    }
    Ok(refusal)
}

/// `POST /api/v1/usage/reservations/:id/finalise`: stores the events in the places that were held and gives
/// the others back, in one batch. Without a body all are given back. What was finalised before takes
/// the same events again as duplicates, so it may be repeated.
pub(super) async fn finalise<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let items: Vec<Item> = if cx.request.body.is_empty() {
        Vec::new()
    } else {
        event::read(cx.request.body, cx.now)?
    };
    let batch = Batch::new(cx, &items)?;
    if is_test(cx) {
        return Ok(answer(&items, BTreeSet::new()));
    }
    let id = cx.param();
    let token = batch.id.as_str();
    let mut statements = lock(cx, &actor.tenant)?;
    let at = statements.len();
    statements.push(TAKE.bind(
        &actor.tenant,
        [id.into(), token.into(), cx.now.into(), batch.count().into()],
    ));
    statements.push(GIVE_BACK.bind(&actor.tenant, [id.into(), token.into()]));
    statements.extend(batch.of_tenant(cx, &actor.tenant, id)?);
    let rows = cx.batch(&statements).await?;
    if rows.get(at).is_some_and(|rows| !rows.is_empty()) {
        let (known, quota) = batch
            .admitted(&rows)?
            .ok_or_else(|| DatabaseError::Shape("what was reserved was not let in".to_owned()))?;
        quota.tell(cx);
        return Ok(answer(&items, known));
    }
    again(cx, &actor, &items, &batch).await
}

/// For a reservation that this request did not take.
async fn again<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    items: &[Item],
    batch: &Batch<'_>,
) -> Result<Reply, Interrupt> {
    let read = RESERVATION.bind(&actor.tenant, [cx.param().into()]);
    let rows = cx.query(read).await?;
    let row = rows.first().ok_or_else(|| Error::new(Code::NotFound))?;
    let (state, held, expires) = (row.text(0)?, row.int(1)?, Millis(row.int(2)?));
    if state == "expired" || state == "open" && expires <= cx.now {
        let rule = "The reservation has expired, and its places were given back.";
        return Err(Error::new(Code::StateConflict).with_message(rule).into());
    }
    if state == "open" {
        let rule = format!("Must hold at most {held} events, as many as are reserved.");
        return Err(Error::invalid("events", rule).into());
    }
    let rows = cx.batch(&batch.of_tenant(cx, &actor.tenant, "")?).await?;
    match batch.admitted(&rows)? {
        Some((known, quota)) => {
            quota.tell(cx);
            Ok(answer(items, known))
        }
        None => Err(Quota::refusal(cx, &actor.tenant).await?.into()),
    }
}

fn is_test<P: Platform>(cx: &Context<'_, P>) -> bool {
    matches!(cx.credential(), Credential::Key(key) if key.environment == Environment::Test)
}
