//! The Worker.

use edgekeep_core::payments::Payments;
use edgekeep_workers::{Request, Response};
use worker::{Context, Env, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edgekeep_workers::serve::<Payments>(request, env, context).await
}
