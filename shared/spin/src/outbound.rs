//! HTTP to the outside, and the queue that Spin does not have.

use core::time::Duration;

use edgekeep_core::port::{
    Again, Outbound, OutboundError, OutboundRequest, OutboundResponse, Queue, QueueError,
};
use spin_sdk::http::Uri;
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{ErrorCode, Method, Request, Response, Scheme};
use spin_sdk::wasip3::wit_future;

use crate::body::{ReadError, fields, no_trailers, read, stream};
use crate::timer::within;

/// Longest answer that is read.
const MAX_ANSWER: usize = 1024 * 1024;

/// `wasi:http`. Hosts must be allowed by `allowed_outbound_hosts` in spin.toml.
pub(crate) struct SpinOutbound;

impl Outbound for SpinOutbound {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let time = Duration::from_millis(request.timeout_ms.into());
        within(time, exchange(request))
            .await
            .unwrap_or(Err(OutboundError::Timeout))
    }
}

async fn exchange(request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
    let response = client::send(prepare(request)?).await.map_err(failed)?;
    let status = response.get_status_code();
    // Of an answer that is one nobody asks.
    let again = if status < 400 {
        Again::default()
    } else {
        said(&response)
    };
    let (_taken, result) = wit_future::new(|| Ok(()));
    let (stream, end) = Response::consume_body(response, result);
    match read(stream, end, MAX_ANSWER, None).await {
        Ok(body) => Ok(OutboundResponse {
            status,
            body,
            again,
        }),
        Err(ReadError::TooLong) => Err(OutboundError::Failed("answer is too long".to_owned())),
        Err(ReadError::Broken(why)) => Err(OutboundError::Failed(why)),
    }
}

/// What it says about another attempt.
fn said(response: &Response) -> Again {
    let headers = response.get_headers();
    let header = |name| {
        let value = headers.get(name).into_iter().next()?;
        String::from_utf8(value).ok()
    };
    let (after, wanted) = (header("retry-after"), header("stripe-should-retry"));
    Again::read(after.as_deref(), wanted.as_deref())
}

fn prepare(request: OutboundRequest) -> Result<Request, OutboundError> {
    let bad = |part: &str| OutboundError::Failed(format!("{part} of the request is not usable"));
    let uri: Uri = request.url.parse().map_err(|_| bad("the URL"))?;
    let headers = fields(request.headers, request.body.len());
    let (wire, _sent) = Request::new(headers, stream(request.body), no_trailers(), None);
    wire.set_method(&method(request.method))
        .map_err(|()| bad("the method"))?;
    wire.set_scheme(uri.scheme().map(Scheme::from).as_ref())
        .map_err(|()| bad("the scheme"))?;
    let host = uri.authority().map(ToString::to_string);
    wire.set_authority(host.as_deref())
        .map_err(|()| bad("the host"))?;
    let path = uri.path_and_query().map(ToString::to_string);
    wire.set_path_with_query(path.as_deref())
        .map_err(|()| bad("the path"))?;
    Ok(wire)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        other => Method::Other(other.to_owned()),
    }
}

fn failed(code: ErrorCode) -> OutboundError {
    match code {
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::HttpResponseTimeout => OutboundError::Timeout,
        other => OutboundError::Failed(format!("{other:?}")),
    }
}

/// Spin has no queue: the scheduler's tick finds the jobs.
pub(crate) struct NoQueue;

impl Queue for NoQueue {
    async fn wake(&self, _job_id: &str) -> Result<(), QueueError> {
        Ok(())
    }
}
