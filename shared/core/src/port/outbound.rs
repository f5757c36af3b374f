//! Outbound HTTP and the job queue.

use core::fmt;

/// A request to another service.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Absolute URL.
    pub url: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// After so many milliseconds the adapter gives up with [`OutboundError::Timeout`].
    pub timeout_ms: u32,
}

/// What the other service answered. Adapters read at most 1 MiB of body.
#[derive(Debug, Clone)]
pub struct OutboundResponse {
    /// HTTP status.
    pub status: u16,
    /// Body bytes.
    pub body: Vec<u8>,
    /// What its headers say about another attempt; nothing else of them is handed over.
    pub again: Again,
}

/// What an answer says about another attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Again {
    /// `Retry-After` in seconds. A date in it is not read.
    pub after: Option<u32>,
    /// `Stripe-Should-Retry`: whether the same request may succeed, which Stripe knows better than its status says.
    pub wanted: Option<bool>,
}

impl Again {
    /// Reads the two headers; `None` or anything that is not understood is as if it were not there.
    pub fn read(after: Option<&str>, wanted: Option<&str>) -> Self {
        Self {
            after: after.and_then(|seconds| seconds.trim().parse().ok()),
            wanted: wanted.and_then(|word| word.trim().parse().ok()),
        }
    }
}

/// HTTP to the outside. Redirects are not followed.
pub trait Outbound {
    /// Sends `request` and waits for the whole answer.
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError>;
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundError {
    /// Nothing within the time given.
    Timeout,
    /// Refused, unreachable, not allowed, or broken off; the text is for the log.
    Failed(String),
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("timed out"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl core::error::Error for OutboundError {}

/// Wakes the jobs function. A message is only a hint: the row in SQL is the truth, and the
/// scheduler finds what no message announced.
pub trait Queue {
    /// Announces a job by id. Platforms without a queue do nothing and return `Ok`.
    async fn wake(&self, job_id: &str) -> Result<(), QueueError>;
}

/// The queue refused a message; the text is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueError(pub String);

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "queue: {}", self.0)
    }
}

impl core::error::Error for QueueError {}
