//! The scheduler function's table.

use serde_json::{Value as Json, json};

use super::store::{TaskRow, tasks_seen};
use super::tick;
use crate::audit::{self, Cursor};
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Error, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::time::Millis;

/// Periodic tasks.
#[derive(Debug)]
pub struct Scheduler;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Run what is due.
    Tick,
    /// When each task last ran, and how.
    Tasks,
    /// Check a page of the audit log's chain.
    VerifyAudit,
}

impl Function for Scheduler {
    type Action = Action;
    const NAME: &'static str = "scheduler";
    const ROUTES: &'static [Route<Action>] = &[
        Route::post(
            "/api/v1/scheduler/tick",
            "scheduler.tick",
            Action::Tick,
            Access::Service,
        )
        .rate(RateClass::Unlimited),
        Route::get(
            "/api/v1/scheduler/tasks",
            "scheduler.tasks",
            Action::Tasks,
            Access::Service,
        ),
        Route::get(
            "/api/v1/scheduler/audit",
            "scheduler.audit",
            Action::VerifyAudit,
            Access::Service,
        ),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Tick => {
                let only = cx.request.query_value("task")?;
                if only.as_deref().is_some_and(|name| !tick::is_task(name)) {
                    return Err(Error::invalid("task", "Must be the name of a task.").into());
                }
                let ran = tick::run(cx, only.as_deref()).await?;
                Ok(Reply::ok(&json!({"ran": ran})))
            }
            Action::Tasks => tasks(cx).await,
            Action::VerifyAudit => verify_audit(cx).await,
        }
    }
}

async fn tasks<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let time = |value: Option<i64>| value.map(|time| Millis(time).rfc3339());
    let mut tasks: Vec<Json> = Vec::new();
    for row in cx.query(tasks_seen()).await? {
        let task = TaskRow::from_row(&row)?;
        tasks.push(json!({
            "name": task.name,
            "nextAt": Millis(task.next_at).rfc3339(),
            "lastStartedAt": time(task.last_started_at),
            "lastFinishedAt": time(task.last_finished_at),
            "lastOutcome": task.last_outcome,
            "runs": task.runs,
        }));
    }
    Ok(Reply::ok(&tasks))
}

/// One page of the chain's verification: `?after=` is the `next` of the page before.
async fn verify_audit<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let cursor = match cx.request.query_value("after")? {
        None => Some(Cursor::Link(0)),
        Some(text) => Cursor::parse(&text),
    };
    let cursor = cursor.ok_or_else(|| Error::invalid("after", "Must be the next of a page."))?;
    let page = audit::page(cx, &cursor).await?;
    let bad = page
        .bad
        .map(|bad| json!({"id": bad.id, "position": bad.position, "fault": bad.fault.name()}));
    Ok(Reply::ok(&json!({
        "checked": page.checked,
        "bad": bad,
        "next": page.next.map(|cursor| cursor.text()),
    })))
}
