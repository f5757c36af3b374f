//! Requests as usage: who called which route, how it ended, how long it took and how much was sent
//! (docs/decisions/0020-request-tracking.md).
//!
//! Nothing of it is in a request's way. An instance keeps what it saw in memory, and writes it with what the metrics
//! counted, in the same batch after an answer ([`crate::metrics::write`]).

mod buffer;
mod store;

pub(crate) use buffer::{Buffer, Entry, key};
pub(crate) use store::QUERIES;

/// What is kept of requests: `REQUEST_TRACKING`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// A row for all requests of an hour that are alike, with exact sums.
    Counts,
    /// A row for each request.
    Rows,
    /// Nothing.
    Off,
}
