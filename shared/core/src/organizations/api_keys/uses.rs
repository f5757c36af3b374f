//! How often a key is used, without a write for each request.
//!
//! An isolate counts for itself. A key's first use is written at once, later ones a minute after
//! the write before, or when the key has been silent for a while; always after the answer. What
//! an isolate has not written when it ends is lost: at most the uses of one minute. Where
//! instances are too short-lived to count (Spin) every use is written, after its answer.

use core::cell::RefCell;
use std::collections::BTreeMap;

use super::store::ADD_USES;
use crate::port::{Database as _, Platform};
use crate::sql::Statement;
use crate::time::{MINUTE, Millis, SECOND};

/// Between two writes for one key.
const PAUSE: i64 = MINUTE;
/// How long after a use the isolate looks whether its key has fallen silent. Workers let work go
/// on for 30 s after an answer.
const SILENCE: i64 = 20 * SECOND;
/// Keys that are remembered; above, what has been written is forgotten.
const MAX_KEYS: usize = 4_096;
/// Keys written by one batch; the others wait for the next.
const BATCH: usize = 50;

/// The uses that this isolate counted.
#[derive(Debug, Default)]
pub struct Uses {
    keys: BTreeMap<String, Count>,
    /// Until when somebody waits to write for keys that fall silent.
    watched_until: Millis,
}

#[derive(Debug, Default)]
struct Count {
    /// Not written yet.
    more: i64,
    last: Millis,
    written_at: Option<Millis>,
}

/// What is to be done after a use.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    Write,
    Watch,
    Nothing,
}

impl Uses {
    fn count(&mut self, key: &str, now: Millis) -> Then {
        if self.keys.len() >= MAX_KEYS && !self.keys.contains_key(key) {
            self.keys.retain(|_, count| count.more > 0);
        }
        let count = self.keys.entry(key.to_owned()).or_default();
        count.more = count.more.saturating_add(1);
        count.last = now;
        if count.written_at.is_none_or(|at| now.since(at) >= PAUSE) {
            return Then::Write;
        }
        if now.0 < self.watched_until.0 {
            return Then::Nothing;
        }
        self.watched_until = now.plus(SILENCE);
        Then::Watch
    }

    /// What is due, in the order of the ids, so that two writers cannot wait for each other.
    fn take(&mut self, now: Millis, silence: i64) -> Vec<(String, i64, Millis)> {
        let due = self.keys.iter_mut().filter(|(_, count)| {
            let paused = count.written_at.is_none_or(|at| now.since(at) >= PAUSE);
            count.more > 0 && (paused || now.since(count.last) >= silence)
        });
        due.take(BATCH)
            .map(|(key, count)| {
                count.written_at = Some(now);
                (key.clone(), core::mem::take(&mut count.more), count.last)
            })
            .collect()
    }

    /// After a write that failed.
    fn give_back(&mut self, taken: Vec<(String, i64, Millis)>) {
        for (key, more, last) in taken {
            let count = self.keys.entry(key).or_default();
            count.more = count.more.saturating_add(more);
            count.last = if count.last.0 > last.0 {
                count.last
            } else {
                last
            };
        }
    }
}

/// Counts one use of a key that was let in. Nothing of it can fail the request.
pub(crate) fn count<P: Platform>(platform: &P, uses: &RefCell<Uses>, key: &str, now: Millis) {
    let then = uses.borrow_mut().count(key, now);
    let later = platform.clone();
    match then {
        // An instance that ends soon cannot wait for more.
        _ if !P::LASTS => platform.defer(async move { write(&later, now, 0).await }),
        Then::Write => platform.defer(async move { write(&later, now, SILENCE).await }),
        Then::Watch => platform.defer(async move {
            later.sleep(u32::try_from(SILENCE).unwrap_or(0)).await;
            // A second less, because the timer may fire a little early.
            write(&later, now.plus(SILENCE), SILENCE.saturating_sub(SECOND)).await;
        }),
        Then::Nothing => {}
    }
}

async fn write<P: Platform>(platform: &P, now: Millis, silence: i64) {
    let (Ok(ready), Ok(database)) = (platform.app().ready(), platform.database()) else {
        return;
    };
    let taken = ready.uses.borrow_mut().take(now, silence);
    let statements: Vec<Statement> = taken
        .iter()
        .map(|(key, more, last)| {
            ADD_USES.bind([key.as_str().into(), (*more).into(), (*last).into()])
        })
        .collect();
    if !statements.is_empty() && database.batch(&statements).await.is_err() {
        ready.uses.borrow_mut().give_back(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000);

    #[test]
    fn a_busy_key_is_written_once_a_minute_and_loses_nothing() {
        let (mut uses, mut writes, mut written) = (Uses::default(), 0, 0);
        for second in 0..600 {
            let now = START.plus(second * SECOND);
            if uses.count("k", now) == Then::Write {
                let taken = uses.take(now, SILENCE);
                writes += 1;
                written += taken.iter().map(|(_, more, _)| more).sum::<i64>();
            }
        }
        assert_eq!(writes, 10);
        assert_eq!(written, 541, "the last minute is not due yet");
        let rest = uses.take(START.plus(600 * SECOND), 0);
        assert_eq!(rest[0].1, 59);
    }

    #[test]
    fn a_key_that_falls_silent_is_written_soon() {
        let mut uses = Uses::default();
        assert_eq!(uses.count("k", START), Then::Write);
        assert_eq!(uses.take(START, SILENCE).len(), 1);
        assert_eq!(uses.count("k", START.plus(1)), Then::Watch);
        assert_eq!(uses.count("k", START.plus(2)), Then::Nothing);
        assert!(uses.take(START.plus(SECOND), SILENCE).is_empty());
        let taken = uses.take(START.plus(SILENCE + 2), SILENCE);
        assert_eq!(taken, [("k".to_owned(), 2, START.plus(2))]);
    }

    #[test]
    fn a_failed_write_is_tried_again() {
        let mut uses = Uses::default();
        uses.count("k", START);
        let taken = uses.take(START, SILENCE);
        uses.count("k", START.plus(5));
        uses.give_back(taken);
        let again = uses.take(START.plus(PAUSE), SILENCE);
        assert_eq!(again, [("k".to_owned(), 2, START.plus(5))]);
    }

    #[test]
    fn memory_is_bounded_by_keys_in_use() {
        let mut uses = Uses::default();
        for number in 0..MAX_KEYS * 2 {
            uses.count(&number.to_string(), START);
            uses.take(START, 0);
        }
        assert!(uses.keys.len() <= MAX_KEYS);
    }
}
