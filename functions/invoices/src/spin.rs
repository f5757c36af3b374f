//! The Spin component.

use edgekeep_core::invoices::Invoices;
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edgekeep_spin::serve::<Invoices>(request).await
}
