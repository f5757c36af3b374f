//! The Spin component.

use edgekeep_core::payments::Payments;
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edgekeep_spin::serve::<Payments>(request).await
}
