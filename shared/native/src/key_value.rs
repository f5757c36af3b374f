//! The key-value port in memory, shared by all requests of the process.

use std::cell::RefCell;
use std::collections::BTreeMap;

use edgekeep_core::port::{KeyValue, KeyValueError};
use edgekeep_core::time::{Millis, SECOND};

/// What every platform makes of shorter lifetimes, in seconds.
const SHORTEST_TTL: u32 = 60;

/// Entries and counters, each with its end.
#[derive(Debug, Default)]
pub struct Memory {
    entries: RefCell<BTreeMap<String, (String, Millis)>>,
    counters: RefCell<BTreeMap<String, (i64, Millis)>>,
}

impl KeyValue for Memory {
    const COUNTS: bool = true;

    async fn get(&self, key: &str, now: Millis) -> Result<Option<String>, KeyValueError> {
        let entries = self.entries.borrow();
        let live = entries.get(key).filter(|(_, ends)| *ends > now);
        Ok(live.map(|(value, _)| value.clone()))
    }

    async fn put(
        &self,
        key: &str,
        value: &str,
        ttl_seconds: u32,
        now: Millis,
    ) -> Result<(), KeyValueError> {
        let ends = now.plus(i64::from(ttl_seconds.max(SHORTEST_TTL)).saturating_mul(SECOND));
        self.entries
            .borrow_mut()
            .insert(key.to_owned(), (value.to_owned(), ends));
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.entries.borrow_mut().remove(key);
        Ok(())
    }

    async fn add(&self, key: &str, amount: i64, ends: Millis) -> Result<i64, KeyValueError> {
        let mut counters = self.counters.borrow_mut();
        let counter = counters.entry(key.to_owned()).or_insert((0, ends));
        counter.0 = counter.0.saturating_add(amount);
        Ok(counter.0)
    }

    async fn sweep(&self, now: Millis, limit: u32) -> Result<u32, KeyValueError> {
        let mut left = limit;
        // Spends one of what is left for each expired entry that goes.
        let mut keep = |ends: Millis| {
            let goes = ends <= now && left > 0;
            left = left.saturating_sub(u32::from(goes));
            !goes
        };
        self.entries.borrow_mut().retain(|_, (_, ends)| keep(*ends));
        self.counters
            .borrow_mut()
            .retain(|_, (_, ends)| keep(*ends));
        Ok(limit.saturating_sub(left))
    }
}
