//! The Worker.

use edgekeep_core::auth::Profile;
use edgekeep_workers::{Request, Response};
use worker::{Context, Env, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    edgekeep_workers::serve::<Profile>(request, env, context).await
}
