//! Edgekeep's ports on Cloudflare Workers: D1, KV, Queues, `fetch`, `waitUntil`, the console.
//!
//! No rules and no SQL: those are in `edgekeep-core`. A Worker in `functions/` calls [`serve`],
//! and [`on_cron`] or [`on_queue`] where it has such events.

#![cfg(all(target_family = "wasm", target_os = "unknown"))]

mod database;
mod forward;
mod glue;
mod incoming;
mod key_value;
mod outbound;
mod platform;
mod response;

pub use database::D1;
pub use forward::{forward, path};
pub use incoming::Head;
pub use key_value::Kv;
pub use outbound::{Fetch, JobsQueue};
pub use platform::Workers;
pub use response::build as respond;
pub use web_sys::{Request, Response};

use edgekeep_core::http::Function;
use edgekeep_core::{http, jobs, scheduler};
use worker::{Context, Env, MessageBatch, MessageExt as _, Result, ScheduleContext};

/// Answers one request of the function `F`.
///
/// # Errors
/// None that a request can cause: whatever happens is an answer of the contract.
pub async fn serve<F: Function>(request: Request, env: Env, context: Context) -> Result<Response> {
    let platform = Workers::new(env, context);
    let response = http::serve::<F, _, _>(&platform, Head::read(request)).await;
    respond(&response)
}

/// Runs the tasks that are due. What goes wrong is in the log and in the tasks' rows: the
/// runtime drops what a cron handler returns.
pub async fn on_cron(env: Env, context: ScheduleContext) {
    scheduler::on_cron(&Workers::scheduled(env, context)).await;
}

/// Works on the jobs that a batch of messages announces, each message for itself.
///
/// # Errors
/// Never: an error here would be a panic in the runtime's shim, and repeat the whole batch.
pub async fn on_queue(batch: MessageBatch<String>, env: Env, context: Context) -> Result<()> {
    let platform = Workers::new(env, context);
    for message in batch.raw_iter() {
        match message.body().as_string() {
            Some(job_id) => match jobs::on_wake(&platform, &job_id).await {
                jobs::Wake::Done => message.ack(),
                jobs::Wake::Retry => message.retry(),
            },
            // Not one of ours; no repetition would make it one.
            None => message.ack(),
        }
    }
    Ok(())
}
