//! One tick: each task that is due runs once, wherever the tick came from.

use serde_json::{Value as Json, json};

use super::cleanup;
use super::store::{FINISH, LEASE};
use crate::http::{Context, Error, RouteInfo, in_background};
use crate::port::{KeyValue as _, Level, Platform};
use crate::sql::MAX_INTEGER;
use crate::time::{HOUR, MINUTE};
use crate::{
    audit, invoices, jobs, key_value, mail, meters, metrics, outbox, payments, stripe, trials,
};

/// Longest run of a task; after that another tick may start it again.
const LEASE_LIFE: i64 = 5 * MINUTE;

/// A periodic task.
struct Task {
    name: &'static str,
    /// Least time between two runs, in milliseconds; 0 for every tick.
    interval: i64,
    what: What,
}

impl Task {
    /// Whether the platform does its work. A lease and its end are two writes, every minute.
    const fn is_idle<P: Platform>(&self) -> bool {
        matches!(self.what, What::SweepKeyValue) && P::KeyValue::EXPIRES
    }
}

#[derive(Clone, Copy)]
enum What {
    Jobs,
    Trials,
    Outbox,
    Quotas,
    Mail,
    Billing,
    Cleanup,
    Invoices,
    SweepKeyValue,
    Audit,
}

static TASKS: [Task; 10] = [
    // Before the outbox, which passes on what this tells.
    Task {
        name: "quotas",
        interval: 0,
        what: What::Quotas,
    },
    Task {
        name: "jobs",
        interval: 0,
        what: What::Jobs,
    },
    // Before the events that it causes, and those before their mails.
    Task {
        name: "trials",
        interval: 0,
        what: What::Trials,
    },
    Task {
        name: "outbox",
        interval: 0,
        what: What::Outbox,
    },
    Task {
        name: "mail",
        interval: 0,
        what: What::Mail,
    },
    Task {
        name: "audit",
        interval: 0,
        what: What::Audit,
    },
    Task {
        name: "billing",
        interval: 10 * MINUTE,
        what: What::Billing,
    },
    Task {
        name: "cleanup",
        interval: 5 * MINUTE,
        what: What::Cleanup,
    },
    Task {
        name: "invoices",
        interval: HOUR,
        what: What::Invoices,
    },
    Task {
        name: "sweep_key_value",
        interval: 0,
        what: What::SweepKeyValue,
    },
];

static CRON: RouteInfo = RouteInfo::background("scheduler.cron", "cron:tick");

/// A tick from the platform's own timer.
pub async fn on_cron<P: Platform>(platform: &P) {
    in_background(platform, &CRON, async |cx: &Context<'_, P>| {
        if let Err(error) = run(cx, None).await {
            let cause = error.cause().unwrap_or(error.code().name());
            cx.log(
                Level::Error,
                "scheduler.tick_failed",
                &[("cause", json!(cause))],
            );
        }
    })
    .await;
}

pub(super) fn is_task(name: &str) -> bool {
    TASKS.iter().any(|task| task.name == name)
}

/// Runs what is due, or the one task `only` whether it is due or not. A task that fails does
/// not stop the others.
pub(super) async fn run<P: Platform>(
    cx: &Context<'_, P>,
    only: Option<&str>,
) -> Result<Vec<Json>, Error> {
    let mut ran = Vec::new();
    for task in &TASKS {
        if only.map_or(task.is_idle::<P>(), |name| name != task.name) {
            continue;
        }
        // Tasks before this one may have taken minutes: its lease begins now.
        let now = cx.clock();
        let due_by = if only.is_some() { MAX_INTEGER } else { now.0 };
        let token = cx.new_id("tic")?;
        let lease = LEASE.bind([
            task.name.into(),
            now.into(),
            now.plus(LEASE_LIFE).into(),
            token.as_str().into(),
            due_by.into(),
        ]);
        if cx.query(lease).await?.is_empty() {
            continue;
        }
        let outcome = match work(cx, task.what).await {
            Ok(done) => {
                cx.count(metrics::scheduler_tasks(task.name, "success"));
                done
            }
            Err(error) => {
                cx.count(metrics::scheduler_tasks(task.name, "failure"));
                let cause = error.cause().unwrap_or(error.code().name());
                let fields = [("task", json!(task.name)), ("cause", json!(cause))];
                cx.log(Level::Error, "scheduler.task_failed", &fields);
                format!("failed: {}", error.code().name())
            }
        };
        let finish = FINISH.bind([
            task.name.into(),
            token.into(),
            cx.clock().into(),
            // From the tick's start, or a task would fall behind the timer by what the others take.
            cx.now.plus(task.interval).into(),
            outcome.as_str().into(),
        ]);
        cx.query(finish).await?;
        ran.push(json!({"task": task.name, "outcome": outcome}));
    }
    Ok(ran)
}

/// The work of one task; says what it did.
async fn work<P: Platform>(cx: &Context<'_, P>, what: What) -> Result<String, Error> {
    match what {
        What::Jobs => Ok(format!("{} jobs", jobs::run_due(cx).await?)),
        What::Trials => trials::run(cx).await,
        What::Quotas => meters::tick(cx).await,
        What::Outbox => Ok(format!("{} events", outbox::relay(cx).await?)),
        What::Mail => Ok(format!("{} mails", mail::due(cx).await?)),
        What::Audit => audit::seal_pending(cx).await,
        What::Billing => {
            // None of them waits for what is wrong with another.
            let lapsed = stripe::lapse(cx).await;
            let read = stripe::reconcile(cx).await;
            let payments = payments::reconcile(cx).await;
            let (lapsed, read, payments) = (lapsed?, read?, payments?);
            Ok(format!("{lapsed} lapsed, {read} read, {payments} payments"))
        }
        What::Cleanup => cleanup::run(cx).await,
        What::Invoices => invoices::due(cx).await,
        What::SweepKeyValue => Ok(key_value::sweep(cx).await),
    }
}
