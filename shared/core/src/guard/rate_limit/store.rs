//! Counting in the key-value store: in one that counts atomically with every request, in one that
//! does not by joining what isolates counted (docs/rate-limiting.md).

use super::decide::{Seen, WINDOW, cost, micros, window};
use super::policy::{Algorithm, Policy, Quota};
use super::{Caller, settle};
use crate::key_value;
use crate::port::{KeyValue, KeyValueError, Platform};
use crate::time::{HOUR, Millis, SECOND};

fn key(policy: Policy, caller: Caller, part: i64) -> String {
    format!("rl:{}:{}:{part}", policy.name(), caller.hex())
}

/// Additions that count one request in a store that counts, or take it back. They are data, and one
/// loop runs them, because each place that waits is code in every function.
struct Steps {
    policy: Policy,
    caller: Caller,
    quota: Quota,
    now: Millis,
}

/// What each step has answered.
type Answers = [i64; 4];

impl Steps {
    fn key(&self, part: i64) -> String {
        key(self.policy, self.caller, part)
    }

    /// The step of that number, if it is needed: key and amount.
    fn step(&self, number: usize, undo: bool, answers: Answers) -> Option<(String, i64)> {
        let cost = cost(self.quota);
        let (minute, hour) = (window(self.now), self.now.0.div_euclid(HOUR));
        let second = || format!("{}:s", self.key(self.now.seconds()));
        match (self.quota.algorithm, undo, number) {
            (Algorithm::Sliding, false, 0) => Some((self.key(minute.saturating_sub(1)), 0)),
            (Algorithm::Sliding | Algorithm::Fixed, false, 1) => Some((self.key(minute), 1)),
            (Algorithm::Sliding | Algorithm::Fixed, true, 1) => Some((self.key(minute), -1)),
            (Algorithm::Bucket, false, 0) => Some((second(), 1)),
            (Algorithm::Bucket, true, 0) => Some((second(), -1)),
            (Algorithm::Bucket, false, 1) => Some((self.key(hour), cost)),
            (Algorithm::Bucket, true, 1) => Some((self.key(hour), cost.saturating_neg())),
            (Algorithm::Bucket, false, 2) => {
                // A sum of costs alone: nobody has brought it up to now in this hour yet.
                let begun = micros(Millis(hour.saturating_mul(HOUR)));
                let (before, _) = self.bucket(answers);
                (before < begun).then(|| (self.key(hour.saturating_sub(1)), 0))
            }
            (Algorithm::Bucket, false, 3) => {
                let (before, base) = self.bucket(answers);
                let first = answers.first() == Some(&1);
                (first && before < base).then(|| (self.key(hour), base.saturating_sub(before)))
            }
            _ => None,
        }
    }

    /// A bucket's time before this request, and the time that it has at least. The first one of a
    /// second brings it up to now.
    fn bucket(&self, [number, total, earlier, _]: Answers) -> (i64, i64) {
        let now = if number == 1 {
            self.now
        } else {
            Millis(self.now.seconds().saturating_mul(SECOND))
        };
        let before = total.saturating_sub(cost(self.quota));
        (before, micros(now).max(earlier))
    }

    async fn run<K: KeyValue>(&self, store: &K, undo: bool) -> Result<Answers, KeyValueError> {
        let mut answers = [0; 4];
        for number in 0..answers.len() {
            let Some((key, amount)) = self.step(number, undo, answers) else {
                continue;
            };
            // Windows and seconds are read for two minutes; a bucket's time lasts an hour and is handed
            // on to the next one.
            let long = self.quota.algorithm == Algorithm::Bucket && number > 0;
            let lives = if long { 3 * HOUR } else { 2 * WINDOW };
            let answer = store.add(&key, amount, self.now.plus(lives)).await?;
            if let Some(place) = answers.get_mut(number) {
                *place = answer;
            }
        }
        Ok(answers)
    }
}

/// Counts one request in a store that counts. What was counted before it.
///
/// A bucket stands on additions alone: its time moves by the cost of a request with each, and once a
/// second one of them, the first of that second, brings it up to now if it was full. Those that come
/// before that has happened know it by their number in the second.
pub(super) async fn count<K: KeyValue>(
    store: &K,
    policy: Policy,
    caller: Caller,
    quota: Quota,
    now: Millis,
) -> Result<Seen, KeyValueError> {
    let steps = Steps {
        policy,
        caller,
        quota,
        now,
    };
    let answers = steps.run(store, false).await?;
    let [first, second, ..] = answers;
    if quota.algorithm == Algorithm::Bucket {
        let (before, base) = steps.bucket(answers);
        let others = cost(quota).saturating_mul(first.saturating_sub(1));
        return Ok(Seen {
            current: before.max(base.saturating_add(others)),
            ..Seen::default()
        });
    }
    Ok(Seen {
        window: window(now),
        previous: first,
        current: second.saturating_sub(1),
    })
}

/// Takes back what [`count`] counted, of a request that did not pass.
pub(super) async fn undo<K: KeyValue>(
    store: &K,
    policy: Policy,
    caller: Caller,
    quota: Quota,
    now: Millis,
) -> Result<(), KeyValueError> {
    let steps = Steps {
        policy,
        caller,
        quota,
        now,
    };
    steps.run(store, true).await.map(drop)
}

/// Adds what this isolate counted to the store's count, and learns the others'.
pub(super) async fn merge<P: Platform>(
    platform: &P,
    policy: Policy,
    caller: Caller,
    quota: Quota,
    now: Millis,
) {
    let (Ok(ready), Some(store)) = (platform.app().ready(), key_value::store(platform)) else {
        return;
    };
    let window = match quota.algorithm {
        Algorithm::Bucket => 0,
        Algorithm::Sliding | Algorithm::Fixed => window(now),
    };
    let key = key(policy, caller, window);
    let Some(stored) = settle(platform, "get", store.get(&key, now).await) else {
        return;
    };
    let stored = stored.and_then(|text| text.parse().ok()).unwrap_or(0);
    let joined = ready
        .limiter
        .borrow_mut()
        .join(policy, caller, quota, window, stored);
    let Some((total, ours)) = joined else {
        return;
    };
    let put = store.put(&key, &total.to_string(), 120, now).await;
    if settle(platform, "put", put).is_some() {
        let mut limiter = ready.limiter.borrow_mut();
        limiter.pushed(policy, caller, window, ours);
    }
}
