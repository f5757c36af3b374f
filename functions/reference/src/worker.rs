//! The Worker.

use edgekeep_core::reference::Reference;
use edgekeep_workers::{Request, Response};
use worker::{Context, Env, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edgekeep_workers::serve::<Reference>(request, env, context).await
}
