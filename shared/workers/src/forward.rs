//! Service bindings, for the gateway.

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::Env;

use crate::glue;
use crate::incoming::split_url;

/// The path of a request, which is all that the gateway reads of it.
pub fn path(request: &Request) -> String {
    split_url(&request.url()).0
}

/// Passes a request on, unchanged, to another Worker, and its answer back. The Worker is bound
/// by the name of its function: `STRIPE_WEBHOOK` for `stripe-webhook`.
///
/// # Errors
/// What the log should say, when the Worker is not bound or broke before it answered.
pub async fn forward(function: &str, request: &Request, env: &Env) -> Result<Response, String> {
    let name = function.to_ascii_uppercase().replace('-', "_");
    let service = Reflect::get(env, &JsValue::from_str(&name)).unwrap_or_default();
    if service.is_undefined() {
        return Err(format!("there is no binding {name}"));
    }
    glue::forward(&service, request)
        .await
        .map_err(|error| glue::reason(&error))
}
