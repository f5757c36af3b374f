//! The scheduler's part: reminders, and the end.

use serde_json::json;

use super::stage::{NOTICE, Stage};
use super::store::{DUE, Due, END, PUBLISH_STEP, REMIND};
use crate::http::{Context, Error};
use crate::outbox::Event;
use crate::port::Platform;
use crate::sql::Statement;
use crate::tenancy::TenantId;
use crate::time::{DAY, Millis, SECOND};

/// Trials of one stage that a round reads, and changes in batches of [`BATCH`].
const ROUND: i64 = 100;
const BATCH: usize = 25;
/// Rounds of a tick; what is left waits for the next.
const ROUNDS: usize = 3;
/// A tick starts no further round after so long.
const TICK_TIME: i64 = 20 * SECOND;

/// Walks the trials whose next stage has come, and says how many have reached which. Each step is
/// guarded by the stage and the epoch that were read, so two ticks at once make it once, and a
/// payment in between is judged by the next.
///
/// # Errors
/// Those of the database.
pub(crate) async fn run<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let started = cx.platform.now();
    let (mut reminded, mut ended) = (0_usize, 0_usize);
    for _ in 0..ROUNDS {
        if cx.platform.now().since(started) >= TICK_TIME {
            break;
        }
        let due = due(cx).await?;
        if due.is_empty() {
            break;
        }
        for part in due.chunks(BATCH) {
            let (r, e) = step(cx, part).await?;
            reminded = reminded.saturating_add(r);
            ended = ended.saturating_add(e);
        }
    }
    Ok(format!("{reminded} reminded, {ended} ended"))
}

/// What is due, those whose end has come first; in the order of ids, so that two ticks cannot wait
/// for each other's rows.
async fn due<P: Platform>(cx: &Context<'_, P>) -> Result<Vec<Due>, Error> {
    let by = |stage: &str, until: Millis| DUE.bind([stage.into(), until.into(), ROUND.into()]);
    let reads = [
        by("last_day", cx.now),
        by("ending", cx.now.plus(DAY)),
        by("started", cx.now.plus(NOTICE)),
    ];
    let rows = cx.batch(&reads).await?;
    let due = rows.iter().flatten().map(Due::from_row);
    let mut due = due.collect::<Result<Vec<_>, _>>()?;
    due.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    Ok(due)
}

/// One batch; returns how many were reminded and how many ended.
async fn step<P: Platform>(cx: &Context<'_, P>, due: &[Due]) -> Result<(usize, usize), Error> {
    let mut statements: Vec<Statement> = Vec::new();
    let mut made = Vec::new();
    for trial in due {
        let stage = Stage::at(trial.ends, cx.now);
        let (name, topic) = stage.named(trial.pays);
        let tenant = TenantId::proven(trial.tenant.as_str());
        let payload = json!({"plan": trial.plan, "ends_at": trial.ends.rfc3339()});
        let event = topic.map(|topic| Event::new(cx, topic, &payload));
        let event = event.transpose()?;
        let of = [
            trial.tenant.as_str().into(),
            trial.epoch.into(),
            trial.stage.as_str().into(),
            name.into(),
            event.as_ref().map(|event| event.id.as_str()).into(),
        ];
        made.push((statements.len(), stage));
        if stage == Stage::Over {
            let mut end = END.bind(of);
            end.params.push(cx.now.into());
            statements.push(end);
        } else {
            statements.push(REMIND.bind(of));
        }
        statements.extend(event.map(|event| event.publish_by(&PUBLISH_STEP, &tenant)));
    }
    let rows = cx.batch(&statements).await?;
    let (mut reminded, mut ended) = (0_usize, 0_usize);
    for (index, stage) in made {
        let done = rows.get(index).is_some_and(|rows| !rows.is_empty());
        let count = if stage == Stage::Over {
            &mut ended
        } else {
            &mut reminded
        };
        *count = count.saturating_add(usize::from(done));
    }
    Ok((reminded, ended))
}
