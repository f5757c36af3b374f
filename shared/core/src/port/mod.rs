//! What the core asks of a platform. Adapters implement these traits and hold no rules.

mod database;
mod key_value;
mod outbound;

use core::future::Future;

pub use database::{Database, DatabaseError, Dialect};
pub use key_value::{KeyValue, KeyValueError};
pub use outbound::{
    Again, Outbound, OutboundError, OutboundRequest, OutboundResponse, Queue, QueueError,
};

use crate::app::App;
use crate::time::Millis;

/// The bundle of ports that one request runs on. A clone is a cheap handle to the same
/// things, for work that goes on after the response.
pub trait Platform: Clone + 'static {
    /// SQL that lasts.
    type Database: Database;
    /// Fast, possibly stale, expiring entries.
    type KeyValue: KeyValue;
    /// HTTP to the outside.
    type Outbound: Outbound;
    /// The wake-up call of the jobs function.
    type Queue: Queue;

    /// Whether an instance serves requests for so long that it is worth gathering something
    /// over many of them before it is written.
    const LASTS: bool = true;

    /// For how many milliseconds counts are gathered before they are written, by work that was
    /// given to [`Self::defer`] and sleeps so long. What an instance has gathered when it is
    /// killed is lost.
    const GATHER: u32 = 5_000;

    /// What this isolate keeps between requests: configuration, keys, caches.
    fn app(&self) -> &App;

    /// The database.
    ///
    /// # Errors
    /// The name of the binding or variable that is missing.
    fn database(&self) -> Result<&Self::Database, Missing>;

    /// The key-value store; `None` where none is bound, which only costs speed.
    fn key_value(&self) -> Option<&Self::KeyValue>;

    /// Outbound HTTP.
    fn outbound(&self) -> &Self::Outbound;

    /// The job queue.
    fn queue(&self) -> &Self::Queue;

    /// Wall-clock time.
    fn now(&self) -> Millis;

    /// Fills `bytes` from the platform's cryptographic generator.
    ///
    /// # Errors
    /// [`EntropyError`] when the generator refuses; the request then ends with 503.
    fn random(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;

    /// Writes one line of JSON to the platform's log stream.
    fn log(&self, level: Level, line: &str);

    /// Completes after so many milliseconds.
    fn sleep(&self, millis: u32) -> impl Future<Output = ()>;

    /// Runs `work` after the response has been sent, as long as the platform lets it.
    /// Nothing that must happen may depend on it.
    fn defer(&self, work: impl Future<Output = ()> + 'static);
}

/// A binding or variable that the platform does not provide, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing(pub &'static str);

/// The platform's random generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntropyError;

/// Severity of a log line, in the words of OpenTelemetry's severity text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the developer.
    Debug,
    /// One line per request, and milestones.
    Info,
    /// Something degraded, answered all the same.
    Warn,
    /// Something failed and somebody should look.
    Error,
}

impl Level {
    /// The name as it stands in the log line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}
