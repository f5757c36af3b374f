//! Passing events on, in bounded rounds.

use serde_json::json;

use super::inbox::mark;
use super::store::{FAILED, LEASE, Leased, MAILS, RELAYED};
use super::topics::Topic;
use crate::http::{Context, Error};
use crate::metrics;
use crate::port::{DatabaseError, Level, Platform};
use crate::sql::Statement;
use crate::time::{DAY, HOUR, MINUTE, SECOND};

/// How long whoever leased events may take; longer than one round needs.
const LEASE_LIFE: i64 = 2 * MINUTE;
/// Events leased at once. What they cause is one batch.
const ROUND: usize = 20;
/// Events that one tick passes on at most; the rest waits for the next.
const PER_TICK: usize = 500;
/// A tick starts no further round after so long.
const TICK_TIME: i64 = 20 * SECOND;
/// How long a consumer remembers an event: as long as the outbox keeps it.
const REMEMBERED: i64 = 30 * DAY;

/// Passes on what waits, oldest first, until nothing is due or the tick's share is done; returns how
/// many events were passed on by this call. Two that run at once pass on each event once.
///
/// # Errors
/// Those of the database.
pub(crate) async fn relay<P: Platform>(cx: &Context<'_, P>) -> Result<usize, Error> {
    let started = cx.platform.now();
    let (mut relayed, mut tried) = (0_usize, 0_usize);
    while tried < PER_TICK && cx.platform.now().since(started) < TICK_TIME {
        let now = cx.clock();
        let most = i64::try_from(ROUND).unwrap_or(i64::MAX);
        let lease = LEASE.bind([now.into(), now.plus(LEASE_LIFE).into(), most.into()]);
        let events = cx.query(lease).await?;
        let events: Vec<Leased> = events
            .iter()
            .map(Leased::from_row)
            .collect::<Result<_, _>>()?;
        if events.is_empty() {
            break;
        }
        tried = tried.saturating_add(events.len());
        relayed = relayed.saturating_add(round(cx, &events).await?);
    }
    Ok(relayed)
}

/// All of a round in one batch; if that fails, one by one, so that one event does not hold up others.
async fn round<P: Platform>(cx: &Context<'_, P>, events: &[Leased]) -> Result<usize, Error> {
    if let Ok(relayed) = pass_on(cx, events).await {
        return Ok(relayed);
    }
    let mut relayed = 0_usize;
    for event in events {
        match pass_on(cx, core::slice::from_ref(event)).await {
            Ok(one) => relayed = relayed.saturating_add(one),
            Err(error) => failed(cx, event, error.cause().unwrap_or(error.code().name())).await?,
        }
    }
    Ok(relayed)
}

/// Marks events and does what their topics say, in one batch.
async fn pass_on<P: Platform>(cx: &Context<'_, P>, events: &[Leased]) -> Result<usize, Error> {
    let mut statements = Vec::new();
    let mut marks = Vec::new();
    for event in events {
        let topic = Topic::named(&event.topic);
        // A newer build knows what to do about it; meanwhile it must not be lost.
        let topic = topic.ok_or_else(|| DatabaseError::Shape("unknown topic".to_owned()))?;
        marks.push((statements.len(), topic.name));
        consume(cx, event, topic, &mut statements);
    }
    let rows = cx.batch(&statements).await?;
    let mut relayed = 0_usize;
    for (index, topic) in marks {
        if rows.get(index).is_some_and(|rows| !rows.is_empty()) {
            relayed = relayed.saturating_add(1);
            cx.count(metrics::outbox_events(topic, "relayed"));
        }
    }
    Ok(relayed)
}

/// What is to be done about one event; the first statement says whether it was ours to do.
fn consume<P: Platform>(
    cx: &Context<'_, P>,
    event: &Leased,
    topic: &Topic,
    statements: &mut Vec<Statement>,
) {
    let now = cx.clock();
    let id = event.id.as_str();
    statements.push(RELAYED.bind([id.into(), event.fence.into(), now.into()]));
    if let Some(template) = topic.mail {
        let place = format!("mail:{id}");
        let holder = format!("{id}:{}", event.fence);
        statements.push(mark(&place, &holder, now.plus(REMEMBERED), now));
        let mails = [
            id.into(),
            now.into(),
            template.name().into(),
            place.into(),
            holder.into(),
        ];
        statements.push(MAILS.bind(mails));
    }
}

/// Puts an event off, twice as long each time, for an hour at most. None is given up: its age shows
/// in `outbox_lag_seconds`.
async fn failed<P: Platform>(cx: &Context<'_, P>, event: &Leased, why: &str) -> Result<(), Error> {
    let topic = Topic::named(&event.topic).map_or("unknown", |topic| topic.name);
    cx.count(metrics::outbox_events(topic, "failed"));
    let fields = [
        ("outbox_id", json!(event.id)),
        ("topic", json!(event.topic)),
        ("cause", json!(why)),
    ];
    cx.log(Level::Error, "outbox.relay_failed", &fields);
    let wait = (10 * SECOND).saturating_mul(1 << event.fence.clamp(0, 10));
    let again = cx.clock().plus(wait.min(HOUR));
    let put_off = FAILED.bind([
        event.id.as_str().into(),
        event.fence.into(),
        again.into(),
        why.into(),
    ]);
    cx.query(put_off).await?;
    Ok(())
}
