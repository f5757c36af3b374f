//! A request of hyper as the core reads it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use edgekeep_core::http::{self, BODY_TIME_MS, BodyError, HeaderSource};
use http_body_util::BodyExt as _;
use hyper::http::request::Parts;

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
pub(super) struct Incoming {
    head: Rc<Head>,
    body: hyper::body::Incoming,
    peer: SocketAddr,
}

impl Incoming {
    pub(super) fn new(head: Rc<Head>, body: hyper::body::Incoming, peer: SocketAddr) -> Self {
        Self { head, body, peer }
    }
}

impl HeaderSource for Incoming {
    fn header(&self, name: &str) -> Option<String> {
        self.head.header(name)
    }
}

impl http::Incoming for Incoming {
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
        tokio::time::timeout(time, read(&mut self.body, limit))
            .await
            .unwrap_or(Err(BodyError::Timeout))
    }
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
