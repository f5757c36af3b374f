//! Spin's SQLite, Postgres, key-value store, variables and HTTP behind the core's ports.
//!
//! No rules and no SQL live here. Spin 4.1 runs up to 16 requests at once in one instance and
//! replaces it after 128, so what an instance keeps (configuration, idle connections) stands in
//! [`platform`], and no request may ever wait for a waker of another one: Spin's guests trap then.

#![forbid(unsafe_code)]
mod body;
mod database;
mod incoming;
mod key_value;
mod outbound;
mod platform;
mod timer;

use edgekeep_core::http::Function;
use spin_sdk::http::Request;
use spin_sdk::wasip3::http::types::Response;

use incoming::SpinRequest;
use platform::SpinPlatform;

/// Answers one request with the routes of `F`. It always gives an answer that keeps the
/// contract: an error returned to Spin would become a bare 500.
pub async fn serve<F: Function>(request: Request) -> Response {
    let platform = SpinPlatform::current().await;
    let answer = edgekeep_core::http::serve::<F, _, _>(&platform, SpinRequest::new(request)).await;
    body::response(answer)
}
