//! The Worker.

use edgekeep_core::scheduler::Scheduler;
use edgekeep_workers::{Request, Response};
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edgekeep_workers::serve::<Scheduler>(request, env, context).await
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, context: ScheduleContext) {
    edgekeep_workers::on_cron(env, context).await;
}
