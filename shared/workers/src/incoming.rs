//! A request as the runtime hands it over.

use edgekeep_core::http::{BODY_TIME_MS, BodyError, HeaderSource, Incoming};
use js_sys::{Array, JsString};
use web_sys::Request;

use crate::glue;

/// The headers that the core asks of nearly every request; they come over in the first call.
/// The others are fetched when somebody asks.
const AHEAD: [&str; 10] = [
    "authorization",
    "cf-connecting-ip",
    "content-length",
    "content-type",
    "idempotency-key",
    "origin",
    "traceparent",
    "x-api-version",
    "x-request-id",
    "x-test-clock-offset-ms",
];

thread_local! {
    static NAMES: Array = AHEAD.iter().map(|name| JsString::from(*name)).collect();
}

/// A `Request`, of which the head has been read.
#[derive(Debug)]
pub struct Head {
    request: Request,
    /// What `head` in `glue.js` gave: method, URL and a line for each of [`AHEAD`].
    text: String,
    method: String,
    path: String,
    query: String,
}

impl Head {
    /// Reads what nearly every request is asked for, in one call.
    pub fn read(request: Request) -> Self {
        // Reading a request that is there does not fail; an empty head would be a 404.
        let text = NAMES
            .with(|names| glue::head(&request, names))
            .unwrap_or_default();
        let mut lines = text.split('\n');
        let method = lines.next().unwrap_or_default().to_owned();
        let (path, query) = split_url(lines.next().unwrap_or_default());
        Self {
            request,
            text,
            method,
            path,
            query,
        }
    }
}

/// Path and query of an absolute URL. The runtime has parsed and serialised it, so it has a
/// path, and `?` and `#` stand nowhere else (URL standard, section 4.5).
pub(crate) fn split_url(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = rest.split_once('/').map_or("", |(_, target)| target);
    let target = target.split_once('#').map_or(target, |(target, _)| target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    (format!("/{path}"), query.to_owned())
}

impl HeaderSource for Head {
    fn header(&self, name: &str) -> Option<String> {
        match AHEAD.iter().position(|ahead| *ahead == name) {
            Some(index) => {
                // After method and URL.
                let value = self.text.split('\n').skip(2).nth(index)?;
                (value != "\0").then(|| value.to_owned())
            }
            None => self.request.headers().get(name).ok().flatten(),
        }
    }
}

impl Incoming for Head {
    fn method(&self) -> &str {
        &self.method
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> &str {
        &self.query
    }

    fn client_address(&self) -> Option<String> {
        // Set by Cloudflare's edge, whatever the client sent; X-Forwarded-For is not.
        self.header("cf-connecting-ip")
    }

    async fn body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let body = glue::body(&self.request, limit, BODY_TIME_MS).await;
        body.map(|bytes| bytes.to_vec())
            .map_err(|error| match error.as_string().as_deref() {
                Some("large") => BodyError::TooLarge,
                Some("late") => BodyError::Timeout,
                _ => BodyError::Broken(glue::reason(&error)),
            })
    }
}
