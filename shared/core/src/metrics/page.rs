//! `GET /metrics`: what all instances counted, and how things stand now.

use std::collections::BTreeMap;

use super::families::{FAMILIES, Family, from_the_start, http_duration, stripe_webhook_processing};
use super::histogram::Buckets;
use super::store::{ALL, BACKLOG};
use super::text::{CONTENT_TYPE, Kind, Text};
use crate::app::Ready;
use crate::config::{Config, Feature};
use crate::guard::breaker::State;
use crate::http::{Context, Error, Interrupt, Reply, Response};
use crate::outbound::{self, TARGETS};
use crate::port::{DatabaseError, Platform};
use crate::scheduler::tasks_seen;
use crate::sql::Row;
use crate::time::Millis;

/// The name of the route to which Stripe delivers.
const STRIPE_WEBHOOK: &str = "stripe.webhook";

/// The page, in one round trip. It writes what this instance has counted first, so that what it
/// knows is not missing.
pub(crate) async fn scrape<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let ready = cx.ready()?;
    let taken = ready.metrics.borrow_mut().take();
    let mut statements = taken.statements();
    let first = statements.len();
    statements.extend([ALL.bind([]), BACKLOG.bind([cx.now.into()]), tasks_seen()]);
    let rows = match cx.batch(&statements).await {
        Ok(rows) => rows,
        Err(error) => {
            ready.metrics.borrow_mut().give_back(taken);
            return Err(error.into());
        }
    };
    let [counted, backlog, tasks] = rows.get(first..).unwrap_or_default() else {
        return Err(DatabaseError::Shape("three results were expected".to_owned()).into());
    };
    let mut text = Text::default();
    counters(&mut text, counted)?;
    standing(&mut text, &ready.config);
    let help = "Documents that the instance which answers has cached.";
    text.gauge("cache_documents", help, ready.cache.borrow().size());
    breakers(&mut text, cx, ready).await;
    waiting(&mut text, backlog, cx.now)?;
    scheduler(&mut text, tasks)?;
    let response = Response::new(200, CONTENT_TYPE, text.finish());
    Ok(Reply::Raw(response))
}

/// All families, those without a row yet too.
fn counters(text: &mut Text, rows: &[Row]) -> Result<(), DatabaseError> {
    let known = from_the_start();
    let known: Vec<_> = known
        .iter()
        .map(|series| (series.name(), series.labels()))
        .collect();
    let mut by_name: BTreeMap<&str, BTreeMap<Vec<&str>, i64>> = BTreeMap::new();
    let mut put = |name, labels, value| {
        by_name
            .entry(name)
            .or_default()
            .insert(split(labels), value);
    };
    for (name, labels) in &known {
        put(name, labels, 0);
    }
    for row in rows {
        put(row.text(0)?, row.text(1)?, row.int(2)?);
    }
    // Nobody counts it a second time: every request's duration is counted by its route.
    let (all, own) = (http_duration("", ""), stripe_webhook_processing("", ""));
    let durations = by_name.get(all.name()).into_iter().flatten();
    let durations = durations.filter(|(values, _)| values.first() == Some(&STRIPE_WEBHOOK));
    by_name.insert(
        own.name(),
        durations
            .map(|(values, value)| (values.clone(), *value))
            .collect(),
    );
    for family in FAMILIES {
        let samples = by_name.remove(family.name).unwrap_or_default();
        // Rows of a build with other labels are left out.
        let fitting = samples
            .into_iter()
            .filter(|(values, _)| values.len() == family.labels.len());
        if family.labels.contains(&"le") {
            histogram(text, family, fitting);
            continue;
        }
        text.family(family.name, Kind::Counter, family.help);
        for (values, value) in fitting {
            let labels = family.labels.iter().copied().zip(values);
            text.sample(family.name, &labels.collect::<Vec<_>>(), value);
        }
    }
    Ok(())
}

/// The values of labels as they are stored.
fn split(labels: &str) -> Vec<&str> {
    let values = labels.split(' ');
    values.filter(|value| !value.is_empty()).collect()
}

fn histogram<'r>(
    text: &mut Text,
    family: &Family,
    samples: impl Iterator<Item = (Vec<&'r str>, i64)>,
) {
    let mut routes: BTreeMap<&str, Buckets> = BTreeMap::new();
    for (values, value) in samples {
        if let [route, le] = *values.as_slice() {
            routes.entry(route).or_default().take(le, value);
        }
    }
    text.family(family.name, Kind::Histogram, family.help);
    let by = family.labels.first().copied().unwrap_or_default();
    for (route, buckets) in routes {
        let mut all = 0;
        for (le, count) in buckets.cumulative() {
            let labels = [(by, route), ("le", le)];
            text.sample(&format!("{}_bucket", family.name), &labels, count);
            all = count;
        }
        let labels = [(by, route)];
        text.sample(&format!("{}_sum", family.name), &labels, buckets.seconds());
        text.sample(&format!("{}_count", family.name), &labels, all);
    }
}

/// What holds for this deployment.
fn standing(text: &mut Text, config: &Config) {
    text.family("build_info", Kind::Gauge, "The version that runs.");
    text.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let name = "config_warnings";
    let help = "Problems of the configuration that production would refuse.";
    text.family(name, Kind::Gauge, help);
    let environment = [("environment", config.environment.name())];
    text.sample(name, &environment, config.warnings.len());
    let name = "feature_enabled";
    text.family(
        name,
        Kind::Gauge,
        "1 for features that are on, 0 for those that are off.",
    );
    for feature in Feature::ALL {
        let on = u8::from(config.features.on(feature));
        text.sample(name, &[("feature", feature.name())], on);
    }
}

/// Those of other services as all instances tell each other, the last two as this instance sees them.
async fn breakers<P: Platform>(text: &mut Text, cx: &Context<'_, P>, ready: &Ready) {
    for target in TARGETS {
        outbound::look(cx, target).await;
    }
    let (now, real) = (cx.clock(), cx.platform.now());
    let known = ready.breakers.borrow();
    let name = "circuit_breaker_state";
    let help = "Circuit breakers: 0 closed, 1 half-open, 2 open.";
    text.family(name, Kind::Gauge, help);
    let others = TARGETS
        .iter()
        .map(|target| (target.name, known.state(target.name, now)));
    let own = [&ready.key_value, &ready.database];
    let own = own.map(|breaker| (breaker.name, breaker.state(real)));
    for (dependency, state) in others.chain(own) {
        let value: u8 = match state {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open => 2,
        };
        text.sample(name, &[("dependency", dependency)], value);
    }
}

fn waiting(text: &mut Text, rows: &[Row], now: Millis) -> Result<(), DatabaseError> {
    let row = rows
        .first()
        .ok_or_else(|| DatabaseError::Shape("no backlog".to_owned()))?;
    let name = "jobs_unfinished";
    text.family(name, Kind::Gauge, "Jobs that are not finished, by state.");
    text.sample(name, &[("state", "queued")], row.int(0)?);
    text.sample(name, &[("state", "running")], row.int(1)?);
    let gauges = [
        ("mails_due", "Mails that should have been sent by now."),
        ("stripe_events_open", "Events of Stripe that are not done."),
        (
            "audit_entries_unsealed",
            "Entries of the audit log that are in no link yet.",
        ),
        (
            "outbox_waiting",
            "Events of the outbox that were not passed on.",
        ),
    ];
    for ((name, help), column) in gauges.into_iter().zip(2_usize..) {
        text.gauge(name, help, row.int(column)?);
    }
    let waits = row
        .opt_int(6)?
        .map_or(0, |oldest| now.since(Millis(oldest)).max(0));
    let help = "How long the oldest event of the outbox has waited.";
    text.gauge("outbox_lag_seconds", help, waits.div_euclid(1_000));
    Ok(())
}

/// Runs are counted in the tasks' own rows, exactly.
fn scheduler(text: &mut Text, rows: &[Row]) -> Result<(), Error> {
    let tasks = rows.iter().map(crate::scheduler::TaskRow::from_row);
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    let name = "scheduler_runs_total";
    text.family(name, Kind::Counter, "Runs that ended, by task; exact.");
    for task in &tasks {
        text.sample(name, &[("task", &task.name)], task.runs);
    }
    let name = "scheduler_last_run_timestamp_seconds";
    text.family(name, Kind::Gauge, "When a run of the task ended last.");
    for task in &tasks {
        if let Some(ended) = task.last_finished_at {
            text.sample(name, &[("task", &task.name)], ended.div_euclid(1_000));
        }
    }
    Ok(())
}
