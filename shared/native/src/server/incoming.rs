//! A request of hyper as the core reads it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use edgekeep_core::http::{self, BODY_TIME_MS, BodyError, HeaderSource};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use hyper::http::request::Parts;
use tokio::time::timeout;

/// What is read of a body that nobody wants, in bytes.
const REST: usize = 65_536;
/// How long it may take to arrive.
const REST_PATIENCE: Duration = Duration::from_secs(1);

/// Request line and headers.
#[derive(Debug)]
pub(super) struct Head(pub(super) Parts);

impl HeaderSource for Head {
    fn header(&self, name: &str) -> Option<String> {
        let mut values = self.0.headers.get_all(name).iter();
        let mut text = String::from_utf8_lossy(values.next()?.as_bytes()).into_owned();
        let between = if name == "cookie" { "; " } else { ", " };
        for value in values {
            text.push_str(between);
            text.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        Some(text)
    }
}

/// A request whose body is still on its way.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    pub(super) head: Rc<Head>,
    pub(super) body: &'a mut hyper::body::Incoming,
    pub(super) peer: SocketAddr,
}

impl HeaderSource for Incoming<'_> {
    fn header(&self, name: &str) -> Option<String> {
        self.head.header(name)
    }
}

impl http::Incoming for Incoming<'_> {
    fn method(&self) -> &str {
        self.head.0.method.as_str()
    }

    fn path(&self) -> &str {
        self.head.0.uri.path()
    }

    fn query(&self) -> &str {
        self.head.0.uri.query().unwrap_or_default()
    }

    fn client_address(&self) -> Option<String> {
        Some(self.peer.ip().to_canonical().to_string())
    }

    async fn body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let time = Duration::from_millis(BODY_TIME_MS.into());
        timeout(time, read(self.body, limit))
            .await
            .unwrap_or(Err(BodyError::Timeout))
    }
}

/// Reads what the handler did not ask for, because hyper closes a connection whose body was left lying,
/// and says so to nobody. Whether the next request may use the connection.
pub(super) async fn finish(body: &mut hyper::body::Incoming) -> bool {
    if body.is_end_stream() {
        return true;
    }
    // Without a look at a long one, or the server would ask for it (`Expect: 100-continue`).
    let short = usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced <= REST);
    short && matches!(timeout(REST_PATIENCE, read(body, REST)).await, Ok(Ok(_)))
}

async fn read(body: &mut hyper::body::Incoming, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len().saturating_add(data.len()) > limit {
                return Err(BodyError::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}
