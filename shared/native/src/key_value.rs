//! The key-value port in memory, shared by all requests of the process.

use std::cell::RefCell;
use std::collections::BTreeMap;

use edgekeep_core::port::{KeyValue, KeyValueError};
use edgekeep_core::time::{MINUTE, Millis, SECOND};

/// What every platform makes of shorter lifetimes, in seconds.
const SHORTEST_TTL: u32 = 60;

/// Entries and counters, each with its end.
#[derive(Debug, Default)]
pub struct Memory {
    entries: RefCell<BTreeMap<String, Vec<Version>>>,
    counters: RefCell<BTreeMap<String, (i64, Millis)>>,
    faults: Faults,
}

/// A value that an entry has had.
#[derive(Debug)]
struct Version {
    value: String,
    written_at: Millis,
    ends: Millis,
}

/// How the store misbehaves, for tests of whole servers (`KV_FAULTS`, docs/acceptance.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Faults {
    /// Not at all.
    #[default]
    None,
    /// Every call fails.
    Failing,
    /// Every read is a minute behind, as Workers KV may be.
    Stale,
    /// A key takes one write a second, as in Workers KV.
    Rationed,
}

impl Faults {
    /// Reads the variable.
    ///
    /// # Errors
    /// An unknown word, and any where the rules of production hold.
    pub fn read(text: Option<&str>, strict: bool) -> Result<Self, String> {
        let faults = match text.map_or("", str::trim) {
            "" => return Ok(Self::None),
            "failing" => Self::Failing,
            "stale" => Self::Stale,
            "rationed" => Self::Rationed,
            _ => return Err("KV_FAULTS must be failing, stale or rationed".to_owned()),
        };
        if strict {
            return Err("KV_FAULTS must not be set outside development and test".to_owned());
        }
        Ok(faults)
    }
}

impl Memory {
    /// A store that misbehaves.
    pub fn with(faults: Faults) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }

    fn works(&self) -> Result<(), KeyValueError> {
        match self.faults {
            Faults::Failing => Err(KeyValueError("KV_FAULTS=failing".to_owned())),
            Faults::None | Faults::Stale | Faults::Rationed => Ok(()),
        }
    }
}

impl KeyValue for Memory {
    const COUNTS: bool = true;

    async fn get(&self, key: &str, now: Millis) -> Result<Option<String>, KeyValueError> {
        self.works()?;
        let seen = match self.faults {
            Faults::Stale => now.minus(MINUTE),
            Faults::None | Faults::Failing | Faults::Rationed => Millis(i64::MAX),
        };
        let entries = self.entries.borrow();
        let versions = entries.get(key).map_or(&[][..], Vec::as_slice);
        let version = versions
            .iter()
            .rev()
            .find(|version| version.written_at <= seen);
        let live = version.filter(|version| version.ends > now);
        Ok(live.map(|version| version.value.clone()))
    }

    async fn put(
        &self,
        key: &str,
        value: &str,
        ttl_seconds: u32,
        now: Millis,
    ) -> Result<(), KeyValueError> {
        self.works()?;
        let mut entries = self.entries.borrow_mut();
        let versions = entries.entry(key.to_owned()).or_default();
        let soon =
            |version: &Version| now >= version.written_at && now.since(version.written_at) < SECOND;
        if self.faults == Faults::Rationed && versions.last().is_some_and(soon) {
            return Err(KeyValueError("KV_FAULTS=rationed: 429".to_owned()));
        }
        if self.faults != Faults::Stale {
            versions.clear();
        }
        let ttl = i64::from(ttl_seconds.max(SHORTEST_TTL)).saturating_mul(SECOND);
        versions.push(Version {
            value: value.to_owned(),
            written_at: now,
            ends: now.plus(ttl),
        });
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.works()?;
        self.entries.borrow_mut().remove(key);
        Ok(())
    }

    async fn add(&self, key: &str, amount: i64, ends: Millis) -> Result<i64, KeyValueError> {
        self.works()?;
        let mut counters = self.counters.borrow_mut();
        if amount == 0 {
            // A question must not leave an entry behind.
            return Ok(counters.get(key).map_or(0, |(total, _)| *total));
        }
        let counter = counters.entry(key.to_owned()).or_insert((0, ends));
        counter.0 = counter.0.saturating_add(amount);
        Ok(counter.0)
    }

    /// Everything that has ended, whatever the limit: one walk costs the same for any number, and
    /// what is left behind would be memory.
    async fn sweep(&self, now: Millis, _limit: u32) -> Result<u32, KeyValueError> {
        self.works()?;
        let mut entries = self.entries.borrow_mut();
        let mut counters = self.counters.borrow_mut();
        let before = entries.len().saturating_add(counters.len());
        entries.retain(|_, versions| versions.iter().any(|version| version.ends > now));
        counters.retain(|_, (_, ends)| *ends > now);
        let after = entries.len().saturating_add(counters.len());
        Ok(u32::try_from(before.saturating_sub(after)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000_000_000);

    #[test]
    fn faults_are_for_tests_alone() {
        assert_eq!(Faults::read(None, true), Ok(Faults::None));
        assert_eq!(Faults::read(Some(""), true), Ok(Faults::None));
        assert_eq!(Faults::read(Some("stale"), false), Ok(Faults::Stale));
        for text in ["failing", "stale", "rationed", "late"] {
            assert!(Faults::read(Some(text), true).is_err(), "{text}");
        }
        assert!(Faults::read(Some("late"), false).is_err());
    }

    #[tokio::test]
    async fn a_stale_store_shows_what_was_a_minute_ago() {
        let store = Memory::with(Faults::Stale);
        store.put("k", "1", 600, NOW).await.unwrap();
        store
            .put("k", "2", 600, NOW.plus(5 * SECOND))
            .await
            .unwrap();
        let mut seen = Vec::new();
        for second in [0, 59, 60, 64, 65, 604, 605] {
            let value = store.get("k", NOW.plus(second * SECOND)).await.unwrap();
            seen.push(value.unwrap_or_default());
        }
        assert_eq!(seen, ["", "", "1", "1", "2", "2", ""]);
    }

    #[tokio::test]
    async fn a_rationed_store_takes_one_write_a_second_of_each_key() {
        let store = Memory::with(Faults::Rationed);
        let mut taken = Vec::new();
        for (key, millis) in [("a", 0), ("a", 999), ("b", 999), ("a", 1_000)] {
            let put = store.put(key, "v", 600, NOW.plus(millis)).await;
            taken.push(put.is_ok());
        }
        assert_eq!(taken, [true, false, true, true]);
    }

    #[tokio::test]
    async fn one_sweep_takes_all_that_has_ended() {
        let store = Memory::default();
        for n in 0..25_000 {
            store.put(&format!("v{n}"), "v", 60, NOW).await.unwrap();
            let ends = NOW.plus(MINUTE);
            store.add(&format!("c{n}"), 1, ends).await.unwrap();
        }
        store.put("stays", "v", 600, NOW).await.unwrap();
        store.add("stays", 7, NOW.plus(2 * MINUTE)).await.unwrap();
        let swept = store.sweep(NOW.plus(MINUTE), 1_000).await.unwrap();
        assert_eq!(swept, 50_000);
        assert_eq!(store.entries.borrow().len(), 1);
        assert_eq!(store.counters.borrow().len(), 1);
        assert_eq!(store.sweep(NOW.plus(MINUTE), 1_000).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn adding_nothing_leaves_nothing() {
        let store = Memory::default();
        assert_eq!(store.add("k", 0, NOW).await.unwrap(), 0);
        assert!(store.counters.borrow().is_empty());
        store.add("k", 3, NOW).await.unwrap();
        assert_eq!(store.add("k", 0, NOW).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_failing_store_fails() {
        let store = Memory::with(Faults::Failing);
        assert!(store.get("k", NOW).await.is_err());
        assert!(store.put("k", "v", 60, NOW).await.is_err());
        assert!(store.add("k", 1, NOW).await.is_err());
        assert!(store.sweep(NOW, 1).await.is_err() && store.delete("k").await.is_err());
    }
}
