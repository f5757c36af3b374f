//! Counting in memory, and adding it to what all instances counted.

use super::families::{Series, usage_logs_dropped};
use super::store;
use crate::port::{Database as _, Platform};
use crate::sql::Statement;
use crate::time::{Millis, SECOND};
use crate::tracking::{Buffer, Entry};

/// How long after its time a write may still be under way. After that it counts as lost with its
/// request, and the next count waits anew.
const OVERDUE: i64 = 10 * SECOND;

/// Counts in the order of their series. A vector, because a few dozen stand in it at most, and a map
/// would put 4 KB of code into each function.
pub(super) type Counts = Vec<(Series, i64)>;

/// What this instance counted and has not written yet.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: Counts,
    requests: Buffer,
    /// Until when somebody waits to write it.
    awaited_until: Millis,
}

impl Metrics {
    /// Adds; true when the caller must see to it that [`write`] runs.
    fn add(&mut self, counted: &[(Series, i64)], now: Millis, gather: u32) -> bool {
        self.sum(counted);
        if self.counts.is_empty() || now.0 < self.awaited_until.0 {
            return false;
        }
        self.awaited_until = now.plus(i64::from(gather).saturating_add(OVERDUE));
        true
    }

    fn sum(&mut self, counted: &[(Series, i64)]) {
        for &(series, amount) in counted {
            match self
                .counts
                .binary_search_by(|(known, _)| known.cmp(&series))
            {
                Ok(at) => {
                    if let Some((_, count)) = self.counts.get_mut(at) {
                        *count = count.saturating_add(amount);
                    }
                }
                Err(at) => self.counts.insert(at, (series, amount)),
            }
        }
    }

    /// Counts what did not find room among the requests.
    fn lost(&mut self, requests: i64) {
        if requests > 0 {
            self.sum(&[(usage_logs_dropped(), requests)]);
        }
    }

    /// Everything, which the caller now has to write or give back.
    pub(super) fn take(&mut self) -> Taken {
        self.awaited_until = Millis::default();
        Taken {
            counts: core::mem::take(&mut self.counts),
            requests: core::mem::take(&mut self.requests),
        }
    }

    /// After a write that failed.
    pub(super) fn give_back(&mut self, taken: Taken) {
        self.sum(&taken.counts);
        let lost = self.requests.give_back(taken.requests);
        self.lost(lost);
    }
}

/// What is being written.
#[derive(Debug)]
pub(super) struct Taken {
    counts: Counts,
    requests: Buffer,
}

impl Taken {
    /// The statements that add it to what all instances have, for one batch; none for nothing. Rows are in one order,
    /// so that two instances cannot wait for each other's.
    pub(super) fn statements(&self) -> Vec<Statement> {
        let counts = counted(&self.counts);
        self.requests
            .statement()
            .into_iter()
            .chain(counts)
            .collect()
    }
}

/// Counts one of a series.
pub fn count<P: Platform>(platform: &P, series: Series) {
    add(platform, &[(series, 1)], platform.now());
}

/// Counts several; `now` is the platform's time, not a request's, which tests may move.
pub(crate) fn add<P: Platform>(platform: &P, counted: &[(Series, i64)], now: Millis) {
    let Ok(ready) = platform.app().ready() else {
        return;
    };
    if ready.metrics.borrow_mut().add(counted, now, P::GATHER) {
        let later = platform.clone();
        platform.defer(async move {
            later.sleep(P::GATHER).await;
            write(&later).await;
        });
    }
}

/// Keeps a request until it is written with the counts, for which somebody waits already: every request has some.
pub(crate) fn track<P: Platform>(platform: &P, entry: Entry) {
    if let Ok(ready) = platform.app().ready() {
        let metrics = &mut *ready.metrics.borrow_mut();
        let lost = metrics.requests.add(entry);
        metrics.lost(lost);
    }
}

/// The statement that adds these counts; `None` for none.
fn counted(counts: &[(Series, i64)]) -> Option<Statement> {
    if counts.is_empty() {
        return None;
    }
    let rows: Vec<_> = counts
        .iter()
        .map(|(series, amount)| (series.name(), series.labels(), amount))
        .collect();
    let rows = serde_json::to_string(&rows).ok()?;
    Some(store::ADD.bind([rows.into()]))
}

/// Writes what this instance counted, and the requests that it saw. What cannot be written is kept for the next time.
pub async fn write<P: Platform>(platform: &P) {
    let (Ok(ready), Ok(database)) = (platform.app().ready(), platform.database()) else {
        return;
    };
    let taken = ready.metrics.borrow_mut().take();
    let statements = taken.statements();
    if !statements.is_empty() && database.batch(&statements).await.is_err() {
        ready.metrics.borrow_mut().give_back(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::super::families::{auth_bypass_detected, kv_errors};
    use super::*;

    const START: Millis = Millis(1_000_000);

    fn of(counts: &[(Series, i64)], series: Series) -> i64 {
        let own = counts.iter().filter(|(known, _)| *known == series);
        own.map(|(_, count)| count).sum()
    }

    fn one(series: Series) -> [(Series, i64); 1] {
        [(series, 1)]
    }

    /// Rows: O-12 O-13
    #[test]
    fn one_write_is_awaited_at_a_time_and_holds_everything() {
        let mut metrics = Metrics::default();
        assert!(metrics.add(&one(kv_errors("get")), START, 5_000));
        for second in 0..5 {
            assert!(!metrics.add(&one(kv_errors("get")), START.plus(second * SECOND), 5_000));
        }
        assert!(!metrics.add(&one(auth_bypass_detected()), START, 5_000));
        let taken = metrics.take().counts;
        assert_eq!(of(&taken, kv_errors("get")), 6);
        assert_eq!(of(&taken, auth_bypass_detected()), 1);
        assert!(metrics.take().counts.is_empty());
        assert!(metrics.add(&one(kv_errors("get")), START.plus(6 * SECOND), 5_000));
    }

    #[test]
    fn a_write_that_was_lost_with_its_request_is_awaited_anew() {
        let mut metrics = Metrics::default();
        assert!(metrics.add(&one(kv_errors("get")), START, 5_000));
        assert!(!metrics.add(&one(kv_errors("get")), START.plus(14 * SECOND), 5_000));
        assert!(metrics.add(&one(kv_errors("get")), START.plus(15 * SECOND), 5_000));
        assert_eq!(of(&metrics.take().counts, kv_errors("get")), 3);
    }

    #[test]
    fn nothing_counted_is_nothing_to_write() {
        let mut metrics = Metrics::default();
        assert!(!metrics.add(&[], START, 5_000));
        assert!(metrics.take().statements().is_empty());
    }

    #[test]
    fn a_failed_write_is_added_to_what_came_meanwhile() {
        let mut metrics = Metrics::default();
        metrics.add(&one(kv_errors("get")), START, 5_000);
        let taken = metrics.take();
        metrics.add(&one(kv_errors("get")), START, 5_000);
        metrics.give_back(taken);
        assert_eq!(of(&metrics.take().counts, kv_errors("get")), 2);
    }

    #[test]
    fn the_rows_are_one_parameter_in_order() {
        let mut metrics = Metrics::default();
        metrics.add(
            &[(kv_errors("put"), 2), (kv_errors("get"), 1)],
            START,
            5_000,
        );
        let statements = metrics.take().statements();
        let text = r#"[["kv_errors_total","get",1],["kv_errors_total","put",2]]"#;
        assert_eq!(statements.len(), 1);
        assert_eq!(statements[0].params, [text.into()]);
    }
}
