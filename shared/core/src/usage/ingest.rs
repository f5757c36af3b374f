//! Taking events: authenticated, deduplicated, counted and kept in one round trip.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::event::{self, Event, Item, Refusal};
use super::quota::Quota;
use super::store::{
    ADMIT, ADMIT_NAMED, INSERT, INSERT_NAMED, INSERT_WHOLE, LOCK, LOCK_NAMED, ROLL_UP,
    ROLL_UP_NAMED,
};
use crate::guard::identity::Credential;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::organizations::api_keys::key::{Environment, KeyCredential};
use crate::port::{DatabaseError, Dialect, Platform};
use crate::sql::{Row, Statement, Value};
use crate::tenancy::{ApiScope, Permission, Role, TenantId};

/// Stores what is new. Accepted means durable; a duplicate is a success; an invalid item is
/// told apart and does not hold the others up. Over the quota nothing of the request is stored.
pub(super) async fn ingest<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let items = event::read(cx.request.body, cx.now)?;
    let batch = Batch::new(cx, &items)?;
    let Credential::Key(key) = cx.credential() else {
        return Err(Error::new(Code::ApiKeyInvalid).into());
    };
    if key.environment == Environment::Test {
        // Judged like live events, and then forgotten.
        cx.load(|_| Vec::new()).await?;
        return Ok(answer(&items, BTreeSet::new()));
    }
    let (actor, mut rows) = cx.load_guarded(batch.of_key(cx, key, None)?).await?;
    if let Some(networks) = &actor.networks {
        // The first batch stored nothing: SQL cannot tell whether a network holds an address.
        rows = cx.batch(&batch.of_key(cx, key, Some(networks))?).await?;
    }
    match batch.admitted(&rows)? {
        Some((known, quota)) => {
            quota.tell(cx);
            Ok(answer(&items, known))
        }
        None => Err(Quota::refusal(cx, &actor.tenant).await?.into()),
    }
}

/// The same for another service, in the name of the tenant that it says.
pub(super) async fn record<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let items = event::read(cx.request.body, cx.now)?;
    let tenant = cx.named_tenant()?;
    let batch = Batch::new(cx, &items)?;
    let rows = cx.batch(&batch.of_tenant(cx, &tenant, "")?).await?;
    match batch.admitted(&rows)? {
        Some((known, quota)) => {
            quota.tell(cx);
            Ok(answer(&items, known))
        }
        None => Err(Quota::refusal(cx, &tenant).await?.into()),
    }
}

/// Sources and ids of events.
type Seen<'a> = BTreeSet<(&'a str, &'a str)>;

/// The good events of a request, each once, as the statements take them.
pub(crate) struct Batch<'a> {
    events: Vec<&'a Event>,
    month: String,
    /// Its id, by which later statements of the batch know that it was admitted.
    pub(crate) id: String,
    names: String,
    sums: String,
    rows: String,
    /// Whether any has more than the columns that each has.
    whole: bool,
}

impl<'a> Batch<'a> {
    pub(crate) fn new<P: Platform>(cx: &Context<'_, P>, items: &'a [Item]) -> Result<Self, Error> {
        let events = distinct(items);
        let names: Vec<_> = events.iter().map(|event| event.name()).collect();
        let whole = events.iter().any(|event| event.has_more());
        let rows: Vec<_> = events
            .iter()
            .map(|event| Stored::of(event, whole))
            .collect();
        Ok(Self {
            month: cx.now.month(),
            id: cx.new_id("bat")?,
            names: json(&names)?,
            sums: json(&sums(&events))?,
            rows: json(&rows)?,
            whole,
            events,
        })
    }

    /// How many events it has.
    pub(crate) fn count(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap_or(i64::MAX)
    }

    /// Statements that find their tenant by the key, and judge it.
    fn of_key<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        key: &KeyCredential,
        networks: Option<&str>,
    ) -> Result<Vec<Statement>, Error> {
        let (id, hash) = (key.id.as_str(), key.secret_hash.as_str());
        let (month, batch) = (self.month.as_str(), self.id.as_str());
        let [first, second, third, fourth] = Role::names_with(Permission::UsageWrite);
        let mut statements = Vec::with_capacity(5);
        if cx.dialect()? == Dialect::Postgres {
            statements.push(LOCK.bind([id.into(), hash.into()]));
        }
        let insert = if self.whole { &INSERT_WHOLE } else { &INSERT };
        statements.extend([
            ADMIT.bind([
                id.into(),
                hash.into(),
                self.names.as_str().into(),
                month.into(),
                batch.into(),
                self.count().into(),
                cx.now.into(),
                ApiScope::UsageWrite.bit().into(),
                first.into(),
                second.into(),
                third.into(),
                fourth.into(),
                networks.into(),
                Permission::UsageWrite.bit().into(),
            ]),
            ROLL_UP.bind(self.values([id, hash], &self.sums)),
            insert.bind([
                id.into(),
                hash.into(),
                self.rows.as_str().into(),
                month.into(),
                batch.into(),
                cx.now.into(),
            ]),
        ]);
        Ok(statements)
    }

    /// The same statements for a tenant that who may has named. With a reservation that this batch has
    /// taken, they pass whatever the quota says.
    pub(crate) fn of_tenant<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        tenant: &TenantId,
        reservation: &str,
    ) -> Result<Vec<Statement>, Error> {
        let rest = |list: &str| {
            let [_, rest @ ..] = self.values(["", reservation], list);
            rest
        };
        let mut statements = lock(cx, tenant)?;
        let [second, third, fourth, fifth] = rest(&self.names);
        let count = self.count().into();
        statements.push(ADMIT_NAMED.bind(tenant, [second, third, fourth, fifth, count]));
        statements.push(ROLL_UP_NAMED.bind(tenant, rest(&self.sums)));
        let [second, third, fourth, fifth] = rest(&self.rows);
        let now = cx.now.into();
        statements.push(INSERT_NAMED.bind(tenant, [second, third, fourth, fifth, now]));
        Ok(statements)
    }

    fn values(&self, who: [&str; 2], list: &str) -> [Value; 5] {
        let [first, second] = who;
        [first, second, list, &self.month, &self.id].map(Value::from)
    }

    /// Which of the events were stored before, and how the quota stands, if the batch was let in.
    pub(crate) fn admitted(
        &self,
        rows: &[Vec<Row>],
    ) -> Result<Option<(Seen<'a>, Quota)>, DatabaseError> {
        let [.., admitted, _, _] = rows else {
            let why = "three results were expected";
            return Err(DatabaseError::Shape(why.to_owned()));
        };
        let Some(row) = admitted.first() else {
            return Ok(None);
        };
        let positions: Vec<usize> = serde_json::from_str(row.text(0)?)
            .map_err(|error| DatabaseError::Shape(error.to_string()))?;
        let known = positions
            .iter()
            .filter_map(|position| self.events.get(*position));
        let quota = Quota {
            used: row.int(1)?,
            limit: row.opt_int(2)?,
        };
        Ok(Some((known.map(|event| event.name()).collect(), quota)))
    }
}

/// Where two batches of a tenant could run side by side: the statement that takes turns.
pub(crate) fn lock<P: Platform>(
    cx: &Context<'_, P>,
    tenant: &TenantId,
) -> Result<Vec<Statement>, Error> {
    let beside = cx.dialect()? == Dialect::Postgres;
    let lock = beside.then(|| LOCK_NAMED.bind(tenant, []));
    Ok(lock.into_iter().collect())
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

/// An event as [`INSERT`] takes it, and as [`INSERT_WHOLE`] does.
#[derive(Serialize)]
#[serde(untagged)]
enum Stored<'a> {
    Plain(&'a str, &'a str, &'a str, i64, Option<&'a str>, i64),
    Whole(
        &'a str,
        &'a str,
        &'a str,
        i64,
        Option<&'a str>,
        i64,
        Option<&'a str>,
        Option<&'a str>,
    ),
}

impl<'a> Stored<'a> {
    fn of(event: &'a Event, whole: bool) -> Self {
        let (source, id, meter) = (&event.source, &event.id, &event.meter);
        let (quantity, subject) = (event.quantity, event.subject.as_deref());
        let time = event.occurred_at.0;
        if whole {
            let (properties, corrects) = (event.properties.as_deref(), event.corrects.as_deref());
            Self::Whole(
                source, id, meter, quantity, subject, time, properties, corrects,
            )
        } else {
            Self::Plain(source, id, meter, quantity, subject, time)
        }
    }
}

/// The events of one meter and hour as [`ROLL_UP`] takes them: meter, hour, quantity, how many,
/// and each with its position. A correction changes the quantity and is no event of its own.
type Sum<'a> = (&'a str, i64, i64, i64, Vec<Part>);

#[derive(Serialize)]
#[serde(untagged)]
enum Part {
    Event(usize, i64),
    Correction(usize, i64, i64),
}

fn sums<'a>(events: &[&'a Event]) -> Vec<Sum<'a>> {
    let mut sums: BTreeMap<(&str, i64), Sum<'_>> = BTreeMap::new();
    for (position, event) in events.iter().enumerate() {
        let (meter, hour) = (event.meter.as_str(), event.occurred_at.hour().0);
        let empty = || (meter, hour, 0, 0, Vec::new());
        let sum = sums.entry((meter, hour)).or_insert_with(empty);
        sum.2 = sum.2.saturating_add(event.quantity);
        if event.corrects.is_some() {
            sum.4.push(Part::Correction(position, event.quantity, 0));
        } else {
            sum.3 = sum.3.saturating_add(1);
            sum.4.push(Part::Event(position, event.quantity));
        }
    }
    sums.into_values().collect()
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::new(Code::Internal).with_cause(error))
}

/// What became of each item; `seen` holds what was stored before.
pub(crate) fn answer<'a>(items: &'a [Item], mut seen: Seen<'a>) -> Reply {
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
    fn tell(&mut self, item: &'a Item, seen: &mut Seen<'a>) {
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
