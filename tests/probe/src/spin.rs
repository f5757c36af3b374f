//! The Spin component.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

use crate::Probe;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edgekeep_spin::serve::<Probe>(request).await
}
