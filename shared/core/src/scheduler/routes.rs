//! The scheduler function's table.

use serde_json::{Value as Json, json};

use super::store::{TASKS_SEEN, TaskRow};
use super::tick;
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
        }
    }
}

async fn tasks<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let time = |value: Option<i64>| value.map(|time| Millis(time).rfc3339());
    let mut tasks: Vec<Json> = Vec::new();
    for row in cx.query(TASKS_SEEN.bind([])).await? {
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
