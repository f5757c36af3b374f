//! The Worker.

use edgekeep_core::jobs::Jobs;
use edgekeep_workers::{Request, Response};
use worker::{Context, Env, MessageBatch, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edgekeep_workers::serve::<Jobs>(request, env, context).await
}

#[event(queue)]
async fn queue(batch: MessageBatch<String>, env: Env, context: Context) -> worker::Result<()> {
    edgekeep_workers::on_queue(batch, env, context).await
}
