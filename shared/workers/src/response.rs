//! The answer, as the runtime wants it.

use edgekeep_core::http;
use web_sys::Response;
use worker::Result;

use crate::glue;

/// Builds the response in one call.
///
/// # Errors
/// When the runtime cannot even build an empty 500.
pub fn build(response: &http::Response) -> Result<Response> {
    let fields = glue::fields(&response.headers);
    let built = glue::respond(response.status, &fields, &response.body);
    // A status or header name that the runtime refuses is a mistake of ours.
    Ok(built.or_else(|_| glue::respond(500, "", &[]))?)
}
