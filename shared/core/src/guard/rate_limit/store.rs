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

/// Counts one request in a store that counts. What was counted before it.
pub(super) async fn count<K: KeyValue>(
    store: &K,
    policy: Policy,
    caller: Caller,
    quota: Quota,
    now: Millis,
) -> Result<Seen, KeyValueError> {
    let window = window(now);
    if quota.algorithm == Algorithm::Bucket {
        return fill(store, policy, caller, quota, now).await;
    }
    let ends = now.plus(2 * WINDOW);
    let previous = if quota.algorithm == Algorithm::Fixed {
        0
    } else {
        let earlier = key(policy, caller, window.saturating_sub(1));
        store.add(&earlier, 0, ends).await?
    };
    let total = store.add(&key(policy, caller, window), 1, ends).await?;
    Ok(Seen {
        window,
        previous,
        current: total.saturating_sub(1),
    })
}

/// The keys of a bucket: its time, which lasts an hour and is handed on to the next one, and the
/// requests of one second.
fn bucket(policy: Policy, caller: Caller, now: Millis) -> [String; 3] {
    let hour = now.0.div_euclid(HOUR);
    [
        key(policy, caller, hour.saturating_sub(1)),
        key(policy, caller, hour),
        format!("{}:s", key(policy, caller, now.seconds())),
    ]
}

/// A bucket on top of additions. Its time moves by the cost of a request with each, and once a
/// second one of them, the first of that second, brings it up to now if it was full. Those that
/// come before that has happened know it by their number in the second.
async fn fill<K: KeyValue>(
    store: &K,
    policy: Policy,
    caller: Caller,
    quota: Quota,
    now: Millis,
) -> Result<Seen, KeyValueError> {
    let [earlier, time, second] = bucket(policy, caller, now);
    let cost = cost(quota);
    let number = store.add(&second, 1, now.plus(2 * WINDOW)).await?;
    let ends = now.plus(3 * HOUR);
    let before = store.add(&time, cost, ends).await?.saturating_sub(cost);
    let full = if number == 1 {
        micros(now)
    } else {
        micros(Millis(now.seconds().saturating_mul(SECOND)))
    };
    // A sum of costs alone: nobody has brought it up to now in this hour yet.
    let base = if before < micros(Millis(now.0.saturating_sub(now.0.rem_euclid(HOUR)))) {
        full.max(store.add(&earlier, 0, ends).await?)
    } else {
        full
    };
    if number == 1 && before < base {
        store.add(&time, base.saturating_sub(before), ends).await?;
    }
    let others = cost.saturating_mul(number.saturating_sub(1));
    Ok(Seen {
        current: before.max(base.saturating_add(others)),
        ..Seen::default()
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
    let ends = now.plus(3 * HOUR);
    let (key, cost) = if quota.algorithm == Algorithm::Bucket {
        let [_, time, second] = bucket(policy, caller, now);
        store.add(&second, -1, ends).await?;
        (time, cost(quota))
    } else {
        (key(policy, caller, window(now)), 1)
    };
    store.add(&key, cost.saturating_neg(), ends).await.map(drop)
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
