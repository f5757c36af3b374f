//! Taking events: authenticated, deduplicated, counted and kept in one round trip.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::event::{self, Event, Item, Refusal};
use super::store::{ADMIT, INSERT, LOCK, ROLL_UP};
use crate::guard::identity::Credential;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::organizations::api_keys::key::Environment;
use crate::port::{DatabaseError, Dialect, Platform};
use crate::sql::{Row, Statement};
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
    let seen = known(&rows, &fresh)?;
    Ok(answer(&items, seen))
}

/// Which of the events were stored before, as the admission told.
///
/// # Errors
/// `QUOTA_EXCEEDED` when it did not admit the batch.
fn known<'a>(
    rows: &[Vec<Row>],
    events: &[&'a Event],
) -> Result<BTreeSet<(&'a str, &'a str)>, Error> {
    let [.., admitted, _, _] = rows else {
        return Err(DatabaseError::Shape("three results were expected".to_owned()).into());
    };
    let Some(row) = admitted.first() else {
        return Err(Error::new(Code::QuotaExceeded));
    };
    let positions: Vec<usize> = serde_json::from_str(row.text(0)?)
        .map_err(|error| DatabaseError::Shape(error.to_string()))?;
    let known = positions
        .iter()
        .filter_map(|position| events.get(*position));
    Ok(known.map(|event| event.name()).collect())
}

fn is_test<P: Platform>(cx: &Context<'_, P>) -> bool {
    matches!(cx.credential(), Credential::Key(key) if key.environment == Environment::Test)
}

/// The good events, each once: a repetition within the request is a duplicate already.
fn distinct(items: &[Item]) -> Vec<&Event> {
    let mut seen = BTreeSet::new();
    items
        .iter()
        .filter_map(|item| item.as_ref().ok())
        .filter(|event| seen.insert(event.name()))
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
    let (month, batch) = (cx.now.month(), cx.new_id("bat")?);
    let (month, batch) = (month.as_str(), batch.as_str());
    let names: Vec<_> = events.iter().map(|event| event.name()).collect();
    let rows: Vec<_> = events.iter().map(|event| row(event)).collect();
    let scope = ApiScope::UsageWrite.bit();
    let [first, second, third, fourth] = Role::names_with(Permission::UsageWrite);
    let mut statements = Vec::with_capacity(4);
    if cx.dialect()? == Dialect::Postgres {
        statements.push(LOCK.bind([id.into(), hash.into()]));
    }
    statements.extend([
        ADMIT.bind([
            id.into(),
            hash.into(),
            json(&names)?.into(),
            month.into(),
            batch.into(),
            i64::try_from(events.len()).unwrap_or(i64::MAX).into(),
            cx.now.into(),
            scope.into(),
            first.into(),
            second.into(),
            third.into(),
            fourth.into(),
            networks.into(),
            Permission::UsageWrite.bit().into(),
        ]),
        ROLL_UP.bind([
            id.into(),
            hash.into(),
            json(&sums(events))?.into(),
            month.into(),
            batch.into(),
        ]),
        INSERT.bind([
            id.into(),
            hash.into(),
            json(&rows)?.into(),
            month.into(),
            batch.into(),
            cx.now.into(),
        ]),
    ]);
    Ok(statements)
}

/// An event as [`INSERT`] takes it.
fn row(event: &Event) -> impl Serialize {
    (
        &event.source,
        &event.id,
        &event.meter,
        event.quantity,
        &event.subject,
        event.occurred_at.0,
    )
}

/// The events of one meter and hour as [`ROLL_UP`] takes them: meter, hour, quantity, how many,
/// and each with its position.
type Sum<'a> = (&'a str, i64, i64, i64, Vec<(usize, i64)>);

fn sums<'a>(events: &[&'a Event]) -> Vec<Sum<'a>> {
    let mut sums: BTreeMap<(&str, i64), Sum<'_>> = BTreeMap::new();
    for (position, event) in events.iter().enumerate() {
        let (meter, hour) = (event.meter.as_str(), event.occurred_at.hour().0);
        let empty = || (meter, hour, 0, 0, Vec::new());
        let sum = sums.entry((meter, hour)).or_insert_with(empty);
        sum.2 = sum.2.saturating_add(event.quantity);
        sum.3 = sum.3.saturating_add(1);
        sum.4.push((position, event.quantity));
    }
    sums.into_values().collect()
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::new(Code::Internal).with_cause(error))
}

/// What became of each item; `seen` holds what was stored before.
fn answer<'a>(items: &'a [Item], mut seen: BTreeSet<(&'a str, &'a str)>) -> Reply {
    let mut report = Report::default();
    for item in items {
        report.tell(item, &mut seen);
    }
    Reply::ok(&report)
}

/// The answer's `data`.
#[derive(Default, Serialize)]
struct Report<'a> {
    inserted: u32,
    duplicates: u32,
    invalid: u32,
    results: Vec<Told<'a>>,
}

/// What became of one item.
#[derive(Serialize)]
struct Told<'a> {
    id: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Refusal>,
}

impl<'a> Report<'a> {
    /// `seen` holds what was stored before, and grows.
    fn tell(&mut self, item: &'a Item, seen: &mut BTreeSet<(&'a str, &'a str)>) {
        let (count, id, status, error) = match item {
            Ok(event) if seen.insert(event.name()) => {
                (&mut self.inserted, Some(&event.id), "inserted", None)
            }
            Ok(event) => (&mut self.duplicates, Some(&event.id), "duplicate", None),
            Err((id, refusal)) => (&mut self.invalid, id.as_ref(), "invalid", Some(refusal)),
        };
        *count = count.saturating_add(1);
        let id = id.map(String::as_str);
        self.results.push(Told { id, status, error });
    }
}
