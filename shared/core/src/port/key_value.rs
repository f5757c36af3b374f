//! The key-value port.

use core::fmt;

use crate::time::Millis;

/// A store of small expiring texts that may be up to a minute stale and may lose concurrent
/// writes. It never decides anything that must be exact, and the product works, slower, when
/// every call fails.
///
/// Keys are ASCII, at most 512 bytes, and hold no personal data.
pub trait KeyValue {
    /// Whether [`Self::add`] is atomic here. Where it is not (Workers KV), nobody calls it.
    const COUNTS: bool;
    /// Whether it drops by itself what has expired, so that [`Self::sweep`] has nothing to do.
    const EXPIRES: bool = false;

    /// The value, or `None` when there is none or it has expired.
    async fn get(&self, key: &str, now: Millis) -> Result<Option<String>, KeyValueError>;

    /// Stores `value` for `ttl_seconds`; platforms round lifetimes under 60 s up to 60 s.
    async fn put(
        &self,
        key: &str,
        value: &str,
        ttl_seconds: u32,
        now: Millis,
    ) -> Result<(), KeyValueError>;

    /// Forgets the key; no error when it is not there.
    async fn delete(&self, key: &str) -> Result<(), KeyValueError>;

    /// Adds `amount` to a counter and returns its new value. Counters are apart from other
    /// entries; `ends` is when the counter may be swept. Adding 0 only reads: it leaves nothing.
    async fn add(&self, key: &str, amount: i64, ends: Millis) -> Result<i64, KeyValueError>;

    /// Deletes expired entries on stores that do not expire them by themselves, and returns how
    /// many: at most `limit`, unless the store can drop all of them at once. Fewer than `limit`
    /// says that another call now would find little.
    async fn sweep(&self, now: Millis, limit: u32) -> Result<u32, KeyValueError>;
}

/// A key-value call failed; the text is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValueError(pub String);

impl fmt::Display for KeyValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key-value store: {}", self.0)
    }
}

impl core::error::Error for KeyValueError {}
