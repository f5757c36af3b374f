//! Spin's key-value store, which knows no lifetimes: each entry carries its own.
//!
//! Three families of keys, because a counter may be touched by `increment` only (Spin's SQLite
//! store panics when it finds another value there, and stays locked for all):
//! `v/…` values behind their expiry, `c/…` counters, `e/…` when the counter of that name ends.

use std::collections::BTreeSet;

use edgekeep_core::port::{KeyValue, KeyValueError};
use edgekeep_core::time::{HOUR, Millis};
use spin_sdk::experimental::wasi::keyvalue::atomics::increment;
use spin_sdk::experimental::wasi::keyvalue::store::{self, Bucket};
use spin_sdk::key_value::Store;

const LABEL: &str = "default";
/// Makes of neighbouring times places far apart (Fibonacci hashing, Knuth's 2^64 / golden ratio).
const SPREAD: i64 = -0x61c8_8646_80b5_83eb;
/// The shortest lifetime on every platform, by the port.
const SHORTEST_TTL: u32 = 60;

/// The store, over both of Spin's interfaces: the first does not block the other requests of
/// the instance, the second can count and list. They share their entries.
pub(crate) struct SpinKeyValue {
    values: Store,
    counters: Bucket,
}

impl SpinKeyValue {
    /// `None` when the component was granted no store, or it cannot be reached.
    pub(crate) async fn open() -> Option<Self> {
        let values = Store::open(LABEL).await.ok()?;
        let counters = store::open(LABEL).ok()?;
        Some(Self { values, counters })
    }

    /// Whether the entry has ended; what cannot be read serves nobody, so it has.
    async fn ended(&self, key: &str, now: Millis) -> Result<bool, KeyValueError> {
        let stored = self.values.get(key).await.map_err(failed)?;
        Ok(stored.is_some_and(|bytes| fresh(&bytes, now).is_none()))
    }

    async fn forget(&self, key: &str) -> Result<(), KeyValueError> {
        if let Some(name) = key.strip_prefix("e/") {
            // The counter first: were its end gone before it, nothing would say when it ended.
            self.values
                .delete(format!("c/{name}"))
                .await
                .map_err(failed)?;
        }
        self.values.delete(key).await.map_err(failed)
    }

    async fn end_counter(&self, name: &str, ends: Millis) -> Result<(), KeyValueError> {
        self.values
            .set(format!("e/{name}"), stamped(ends, ""))
            .await
            .map_err(failed)
    }
}

impl KeyValue for SpinKeyValue {
    const COUNTS: bool = true;

    async fn get(&self, key: &str, now: Millis) -> Result<Option<String>, KeyValueError> {
        let stored = self.values.get(format!("v/{key}")).await.map_err(failed)?;
        Ok(stored.and_then(|bytes| fresh(&bytes, now).map(str::to_owned)))
    }

    async fn put(
        &self,
        key: &str,
        value: &str,
        ttl_seconds: u32,
        now: Millis,
    ) -> Result<(), KeyValueError> {
        let ttl = i64::from(ttl_seconds.max(SHORTEST_TTL)).saturating_mul(1_000);
        self.values
            .set(format!("v/{key}"), stamped(now.plus(ttl), value))
            .await
            .map_err(failed)
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.values.delete(format!("v/{key}")).await.map_err(failed)
    }

    async fn add(&self, key: &str, amount: i64, ends: Millis) -> Result<i64, KeyValueError> {
        let counter = format!("c/{key}");
        if amount == 0 {
            // An increment by nothing would still be a synchronised write.
            let stored = self.values.get(&counter).await.map_err(failed)?;
            return Ok(stored.as_deref().map_or(0, count));
        }
        let total = increment(&self.counters, &counter, amount)
            .map_err(|error| KeyValueError(format!("{error:?}")))?;
        if total == amount {
            // Only the first one writes the end, once for a counter.
            self.end_counter(key, ends).await?;
        }
        Ok(total)
    }

    async fn sweep(&self, now: Millis, limit: u32) -> Result<u32, KeyValueError> {
        // Not the streaming `get_keys`: Spin's SQLite store stays locked until that stream has
        // been read, and any other call of this instance in between would wait for ever.
        let listed = self
            .counters
            .list_keys(None)
            .map_err(|error| KeyValueError(format!("{error:?}")))?;
        let keys = listed.keys;
        let counters_with_end: BTreeSet<&str> = keys
            .iter()
            .filter_map(|key| key.strip_prefix("e/"))
            .collect();
        // A budget of reads, from another place each time, so that each sweep is short and
        // every entry's turn comes.
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let start = usize::try_from(now.0.wrapping_mul(SPREAD).unsigned_abs() >> 32).unwrap_or(0);
        let start = start.checked_rem(keys.len()).unwrap_or(0);
        let turn = keys
            .iter()
            .cycle()
            .skip(start)
            .take(keys.len().min(limit.saturating_mul(10)));
        let mut deleted = 0_u32;
        for key in turn {
            if usize::try_from(deleted).unwrap_or(usize::MAX) >= limit {
                break;
            }
            if let Some(name) = key.strip_prefix("c/") {
                if !counters_with_end.contains(name) {
                    // Its instance died before it wrote the end.
                    self.end_counter(name, now.plus(HOUR)).await?;
                }
            } else if ours(key) && self.ended(key, now).await? {
                self.forget(key).await?;
                deleted = deleted.saturating_add(1);
            }
        }
        Ok(deleted)
    }
}

/// Whether the key is one that carries its end; a component added to the application may keep
/// others in the same store.
fn ours(key: &str) -> bool {
    key.starts_with("v/") || key.starts_with("e/")
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what map_err hands over"
)]
fn failed(error: spin_sdk::key_value::Error) -> KeyValueError {
    KeyValueError(error.to_string())
}

/// `<expires, Unix milliseconds>\n<value>`.
fn stamped(expires: Millis, value: &str) -> String {
    format!("{}\n{value}", expires.0)
}

/// The value of a stamped entry that has not expired.
fn fresh(stored: &[u8], now: Millis) -> Option<&str> {
    let (expires, value) = core::str::from_utf8(stored).ok()?.split_once('\n')?;
    let expires: i64 = expires.parse().ok()?;
    (expires > now.0).then_some(value)
}

/// A counter as the stores keep it: SQLite as 8 bytes, little endian, Redis as decimal digits.
/// Eight digits read as bytes would be above 3 × 10^18, which no counter here reaches.
fn count(stored: &[u8]) -> i64 {
    let digits = core::str::from_utf8(stored)
        .ok()
        .and_then(|text| text.parse().ok());
    let binary = || stored.try_into().ok().map(i64::from_le_bytes);
    digits.or_else(binary).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_expire_by_their_stamp() {
        let stored = stamped(Millis(1_000), "a\nb");
        assert_eq!(fresh(stored.as_bytes(), Millis(999)), Some("a\nb"));
        assert_eq!(fresh(stored.as_bytes(), Millis(1_000)), None);
        for broken in [&b""[..], b"1000", b"x\ny", b"\xff\n", &7_i64.to_le_bytes()] {
            assert_eq!(fresh(broken, Millis(0)), None, "{broken:?}");
        }
    }

    #[test]
    fn both_stores_counters_are_read() {
        for n in [0_i64, 1, 100, 12_345_678, -3] {
            assert_eq!(count(&n.to_le_bytes()), n);
            assert_eq!(count(n.to_string().as_bytes()), n);
        }
        assert_eq!(count(b""), 0);
    }
}
