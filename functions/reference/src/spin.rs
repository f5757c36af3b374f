//! The Spin component.

use edgekeep_core::reference::Reference;
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edgekeep_spin::serve::<Reference>(request).await
}
