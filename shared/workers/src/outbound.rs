//! `fetch` and Queues.

use std::rc::Rc;

use edgekeep_core::port::{
    Again, Outbound, OutboundError, OutboundRequest, OutboundResponse, Queue, QueueError,
};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::glue::{self, Bindings};

/// Bytes of an answer that are read.
const LIMIT: u32 = 1_048_576;

/// Waiting for the queue is part of the request that submits a job.
const QUEUE_TIME_MS: u32 = 2_000;

/// The runtime's `fetch`.
#[derive(Debug)]
pub struct Fetch;

impl Outbound for Fetch {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let fields = glue::fields(&request.headers);
        let OutboundRequest {
            method,
            url,
            body,
            timeout_ms,
            ..
        } = &request;
        let answer = glue::send(method, url, &fields, body, LIMIT, *timeout_ms).await;
        let answer = answer.map_err(|error| {
            if glue::is_late(&error) {
                OutboundError::Timeout
            } else {
                OutboundError::Failed(glue::reason(&error))
            }
        })?;
        let status = answer.get(0).as_f64().and_then(to_status);
        let status = status.ok_or_else(|| OutboundError::Failed("no status".to_owned()))?;
        let body = answer.get(1).unchecked_into::<Uint8Array>().to_vec();
        let header = |index| answer.get(index).as_string();
        let (after, wanted) = (header(2), header(3));
        Ok(OutboundResponse {
            status,
            body,
            again: Again::read(after.as_deref(), wanted.as_deref()),
        })
    }
}

fn to_status(number: f64) -> Option<u16> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked against the range of HTTP"
    )]
    (100.0..=999.0).contains(&number).then_some(number as u16)
}

/// The queue of the jobs function. A Worker that has none bound leaves all jobs to the tick.
#[derive(Debug)]
pub struct JobsQueue(pub(crate) Rc<Bindings>);

impl Queue for JobsQueue {
    async fn wake(&self, job_id: &str) -> Result<(), QueueError> {
        let queue = self.0.queue();
        if queue.is_undefined() {
            return Ok(());
        }
        let sent = glue::enqueue(&queue, job_id, QUEUE_TIME_MS).await;
        sent.map(|_: JsValue| ())
            .map_err(|error| QueueError(glue::reason(&error)))
    }
}
