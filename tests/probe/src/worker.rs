//! The Worker.

use edgekeep_workers::{Request, Response};
use worker::{Context, Env, event};

use crate::Probe;

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edgekeep_workers::serve::<Probe>(request, env, context).await
}
