//! The key-value store as the core uses it: nothing here fails a request. Errors are counted, and a
//! store that keeps failing is left alone for some seconds, so that nobody waits for it
//! (docs/resilience.md).

use crate::http::Context;
use crate::metrics;
use crate::port::{KeyValue as _, KeyValueError, Platform};
use crate::time::{Millis, SECOND};

/// The name of its breaker.
pub(crate) const NAME: &str = "key_value";

/// Expired entries deleted in one pass of the sweep, on stores that do not expire them.
const PASS: u32 = 1_000;
/// No pass begins after so many entries, or after so many milliseconds: the next tick goes on.
const MOST: u32 = 100_000;
const SWEEP_TIME: i64 = 20 * SECOND;

/// The value, if there is one and the store gives it.
pub(crate) async fn get<P: Platform>(platform: &P, key: &str, now: Millis) -> Option<String> {
    let store = store(platform)?;
    let result = store.get(key, now).await;
    settle(platform, "get", result)?
}

/// Whether the store has kept it; `ttl` in seconds.
pub(crate) async fn put<P: Platform>(
    platform: &P,
    key: &str,
    value: &str,
    ttl: u32,
    now: Millis,
) -> bool {
    let Some(store) = store(platform) else {
        return false;
    };
    let result = store.put(key, value, ttl, now).await;
    settle(platform, "put", result).is_some()
}

/// The same after the answer, for what nobody waits for.
pub(crate) fn put_later<P: Platform>(
    platform: &P,
    key: String,
    value: String,
    ttl: u32,
    now: Millis,
) {
    let later = platform.clone();
    platform.defer(async move {
        put(&later, &key, &value, ttl, now).await;
    });
}

/// Deletes what has expired, and says how many or why not. A pass that found as much as it may delete
/// is followed by another: counters come with every caller, so a fixed number would fall behind.
pub(crate) async fn sweep<P: Platform>(cx: &Context<'_, P>) -> String {
    let start = cx.clock();
    let mut deleted = 0_u32;
    loop {
        let Some(store) = store(cx.platform) else {
            return "no store".to_owned();
        };
        let now = cx.clock();
        let Some(count) = settle(cx.platform, "sweep", store.sweep(now, PASS).await) else {
            return format!("failed after {deleted} entries");
        };
        deleted = deleted.saturating_add(count);
        if count < PASS || deleted >= MOST || cx.clock().since(start) >= SWEEP_TIME {
            return format!("{deleted} entries");
        }
    }
}

/// Asks it, whatever its breaker says: for those who want to know how it is.
///
/// # Errors
/// Why it does not work, for the log.
pub(crate) async fn check<P: Platform>(platform: &P, now: Millis) -> Result<(), String> {
    let store = platform.key_value().ok_or("not bound")?;
    let result = store.get("health", now).await;
    result.map(|_| ()).map_err(|error| error.to_string())
}

/// The store, unless there is none or it is left alone; for calls whose end goes to [`settle`].
pub(crate) fn store<P: Platform>(platform: &P) -> Option<&P::KeyValue> {
    let store = platform.key_value()?;
    // Without a configuration there is no memory of its failures either.
    let Ok(ready) = platform.app().ready() else {
        return Some(store);
    };
    ready.key_value.admits(platform).then_some(store)
}

/// Takes the end of a call.
pub(crate) fn settle<P: Platform, T>(
    platform: &P,
    operation: &'static str,
    result: Result<T, KeyValueError>,
) -> Option<T> {
    let failed = result.is_err();
    if failed {
        metrics::count(platform, metrics::kv_errors(operation));
    }
    if let Ok(ready) = platform.app().ready() {
        ready.key_value.settle(platform, failed);
    }
    result.ok()
}
