//! The Worker.

use edgekeep_core::meters::Meters;
use edgekeep_workers::{Request, Response};
use worker::{Context, Env, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edgekeep_workers::serve::<Meters>(request, env, context).await
}
