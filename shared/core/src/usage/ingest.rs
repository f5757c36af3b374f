//! Taking events: authenticated, deduplicated, counted and kept in one round trip.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::event::{self, Event, Item};
use super::store::{ADMIT, INSERT, KNOWN, LOCK, OPEN, ROLL_UP};
use crate::guard::identity::Credential;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::organizations::api_keys::key::Environment;
use crate::port::{DatabaseError, Platform};
use crate::sql::Statement;
use crate::tenancy::{ApiScope, Permission, Role};

/// Stores what is new. Accepted means durable; a duplicate is a success; an invalid item is
/// told apart and does not hold the others up. Over the quota nothing of the request is stored.
pub(super) async fn ingest<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let items = event::read(cx.request.body, cx.now)?;
    let fresh = distinct(&items);
    if is_test(cx) {
        // Judged like live events, and then forgotten.
        cx.load(|_| Vec::new()).await?;
        return Ok(answer(&items, BTreeSet::new()));
    }
    let (actor, mut rows) = cx.load_guarded(statements(cx, &fresh, None)?).await?;
    if let Some(networks) = &actor.networks {
        // The first batch stored nothing: SQL cannot tell whether a network holds an address.
        rows = cx.batch(&statements(cx, &fresh, Some(networks))?).await?;
    }
    let [_, _, admitted, known, ..] = rows.as_slice() else {
        return Err(DatabaseError::Shape("six results were expected".to_owned()).into());
    };
    if admitted.is_empty() && !fresh.is_empty() {
        return Err(Error::new(Code::QuotaExceeded).into());
    }
    let mut seen = BTreeSet::new();
    for row in known {
        seen.insert((row.text(0)?, row.text(1)?));
    }
    Ok(answer(&items, seen))
}

fn is_test<P: Platform>(cx: &Context<'_, P>) -> bool {
    matches!(cx.credential(), Credential::Key(key) if key.environment == Environment::Test)
}

/// What became of each item; `seen` holds what was stored before.
fn answer<'a>(items: &'a [Item], mut seen: BTreeSet<(&'a str, &'a str)>) -> Reply {
    let mut counts = Counts::default();
    let results: Vec<Json> = items
        .iter()
        .map(|item| counts.tell(item, &mut seen))
        .collect();
    Reply::ok(&json!({
        "inserted": counts.inserted,
        "duplicates": counts.duplicates,
        "invalid": counts.invalid,
        "results": results,
    }))
}

/// The good events, each once: a repetition within the request is a duplicate already.
fn distinct(items: &[Item]) -> Vec<&Event> {
    let mut seen = BTreeSet::new();
    items
        .iter()
        .filter_map(|item| item.as_ref().ok())
        .filter(|event| seen.insert((event.source.as_str(), event.id.as_str())))
        .collect()
}

fn statements<P: Platform>(
    cx: &Context<'_, P>,
    events: &[&Event],
    networks: Option<&str>,
) -> Result<Vec<Statement>, Error> {
    let Credential::Key(key) = cx.credential() else {
        return Err(Error::new(Code::ApiKeyInvalid));
    };
    let (id, hash) = (key.id.as_str(), key.secret_hash.as_str());
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            let (at, hour) = (event.occurred_at.0, event.occurred_at.hour().0);
            (
                &event.source,
                &event.id,
                &event.meter,
                event.quantity,
                &event.subject,
                at,
                hour,
            )
        })
        .collect();
    let rows = serde_json::to_string(&rows)
        .map_err(|error| Error::new(Code::Internal).with_cause(error))?;
    let (rows, month) = (rows.as_str(), cx.now.month());
    let (month, batch) = (month.as_str(), cx.new_id("bat")?);
    let batch = batch.as_str();
    let scope = ApiScope::UsageWrite.bit();
    let [first, second, third, fourth] = Role::names_with(Permission::UsageWrite);
    Ok(vec![
        LOCK.bind([id.into(), hash.into()]),
        OPEN.bind([
            id.into(),
            hash.into(),
            month.into(),
            batch.into(),
            cx.now.into(),
            scope.into(),
            first.into(),
            second.into(),
            third.into(),
            fourth.into(),
            networks.into(),
            Permission::UsageWrite.bit().into(),
        ]),
        ADMIT.bind([
            id.into(),
            hash.into(),
            rows.into(),
            month.into(),
            batch.into(),
        ]),
        KNOWN.bind([id.into(), hash.into(), rows.into()]),
        ROLL_UP.bind([
            id.into(),
            hash.into(),
            rows.into(),
            month.into(),
            batch.into(),
        ]),
        INSERT.bind([
            id.into(),
            hash.into(),
            rows.into(),
            month.into(),
            batch.into(),
            cx.now.into(),
        ]),
    ])
}

#[derive(Default)]
struct Counts {
    inserted: u32,
    duplicates: u32,
    invalid: u32,
}

impl Counts {
    /// What became of an item. `seen` holds what was stored before, and grows.
    fn tell<'a>(&mut self, item: &'a Item, seen: &mut BTreeSet<(&'a str, &'a str)>) -> Json {
        match item {
            Ok(event) if seen.insert((event.source.as_str(), event.id.as_str())) => {
                self.inserted = self.inserted.saturating_add(1);
                json!({"id": event.id, "status": "inserted"})
            }
            Ok(event) => {
                self.duplicates = self.duplicates.saturating_add(1);
                json!({"id": event.id, "status": "duplicate"})
            }
            Err((id, refusal)) => {
                self.invalid = self.invalid.saturating_add(1);
                json!({
                    "id": id,
                    "status": "invalid",
                    "error": {"field": refusal.field, "message": refusal.rule},
                })
            }
        }
    }
}
