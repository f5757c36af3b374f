//! HTTP to the outside.

use std::cell::OnceCell;
use std::time::Duration;

use edgekeep_core::port::{Again, Outbound, OutboundError, OutboundRequest, OutboundResponse};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::database::chain;
use crate::tls;

/// As much of an answer as is read.
const MAX_BODY: usize = 1_048_576;

type Inner = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that keeps connections and follows no redirect. What it needs is made by the first
/// request: reading the machine's certificates takes tens of milliseconds.
#[derive(Default)]
pub struct Client {
    inner: OnceCell<Inner>,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    fn inner(&self) -> Result<&Inner, OutboundError> {
        if let Some(inner) = self.inner.get() {
            return Ok(inner);
        }
        let tls = tls::client_config().map_err(OutboundError::Failed)?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(self.inner.get_or_init(|| inner))
    }

    async fn exchange(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let mut built = Request::builder().method(request.method).uri(&request.url);
        for (name, value) in request.headers {
            built = built.header(name, value);
        }
        let built = built
            .body(Full::from(request.body))
            .map_err(|error| failed(&error))?;
        let response = self
            .inner()?
            .request(built)
            .await
            .map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
        // Of an answer that is one nobody asks.
        let again = match status {
            ..400 => Again::default(),
            _ => Again::read(header("retry-after"), header("stripe-should-retry")),
        };
        Ok(OutboundResponse {
            status,
            body: read(response.into_body()).await?,
            again,
        })
    }
}

impl Outbound for Client {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let patience = Duration::from_millis(u64::from(request.timeout_ms));
        match tokio::time::timeout(patience, self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutboundError::Timeout),
        }
    }
}

/// At most [`MAX_BODY`] bytes; the rest is not waited for.
async fn read(mut body: Incoming) -> Result<Vec<u8>, OutboundError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| failed(&error))?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() >= MAX_BODY {
            bytes.truncate(MAX_BODY);
            break;
        }
    }
    Ok(bytes)
}

fn failed(error: &dyn std::error::Error) -> OutboundError {
    OutboundError::Failed(chain(error))
}
