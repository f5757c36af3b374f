//! The general rate limit: approximate, and cheap enough for every request.
//!
//! A two-cell sliding window of one minute: the count of this minute plus the share of the last
//! one that the sliding minute still covers. An isolate counts for itself and merges into KV
//! each time a quarter of the limit is new, at most once a second and once for twenty requests of
//! all its callers; so a request costs a tenth of a KV call at most (docs/decisions/0014). Stores that count atomically (Spin, native) are asked directly, because Spin's
//! instances are too short-lived to count. What must be exact is in [`super::exact_limit`].

use std::collections::BTreeMap;

use crate::crypto::{digest, hex};
use crate::metrics;
use crate::port::{KeyValue, KeyValueError, Platform};
use crate::time::{MINUTE, Millis, SECOND};

/// Length of the window.
const WINDOW: i64 = MINUTE;

/// Counters an isolate keeps at most; at the limit it forgets those of past windows, and all when
/// none is past.
const MAX_COUNTERS: usize = 10_000;

/// Requests that pay for a merge: it is two KV calls, and a request may cost a tenth of one.
const MERGE_COST: u32 = 20;

/// Requests whose credit an isolate saves at most: busy minutes may follow quiet ones, but not with
/// any number of merges at once.
const MAX_CREDIT: u32 = MERGE_COST.saturating_mul(100);

/// How dear a route is. Limits are requests a minute for one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateClass {
    /// Not limited: probes, and webhooks that must never starve.
    Unlimited,
    /// Reading.
    Read,
    /// Creating and changing.
    Write,
    /// Usage events, which come in bulk.
    Ingest,
    /// Signing in and what belongs to it.
    Auth,
}

impl RateClass {
    const LIMITED: [Self; 4] = [Self::Read, Self::Write, Self::Ingest, Self::Auth];

    /// The name in `RATE_LIMITS` and in the `RateLimit` fields.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::Read => "read",
            Self::Write => "write",
            Self::Ingest => "ingest",
            Self::Auth => "auth",
        }
    }
}

/// Requests a minute, by class.
#[derive(Debug, Clone)]
pub struct Limits {
    read: u32,
    write: u32,
    ingest: u32,
    auth: u32,
}

impl Default for Limits {
    /// The FREE plan's limits.
    fn default() -> Self {
        Self {
            read: 100,
            write: 10,
            ingest: 600,
            auth: 30,
        }
    }
}

impl Limits {
    /// The limit of a class; `None` for unlimited.
    pub const fn of(&self, class: RateClass) -> Option<u32> {
        match class {
            RateClass::Unlimited => None,
            RateClass::Read => Some(self.read),
            RateClass::Write => Some(self.write),
            RateClass::Ingest => Some(self.ingest),
            RateClass::Auth => Some(self.auth),
        }
    }

    /// Takes one `class=number` pair; false when it is not one.
    pub(crate) fn set(&mut self, pair: &str) -> bool {
        let Some((name, number)) = pair.split_once('=') else {
            return false;
        };
        let class = RateClass::LIMITED
            .into_iter()
            .find(|class| class.name() == name.trim());
        let Ok(limit @ 1..) = number.trim().parse::<u32>() else {
            return false;
        };
        match class {
            Some(RateClass::Read) => self.read = limit,
            Some(RateClass::Write) => self.write = limit,
            Some(RateClass::Ingest) => self.ingest = limit,
            Some(RateClass::Auth) => self.auth = limit,
            Some(RateClass::Unlimited) | None => return false,
        }
        true
    }
}

/// What the limit says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The class that was counted.
    pub class: RateClass,
    /// Requests a minute.
    pub limit: u32,
    /// Requests left in the window.
    pub remaining: u32,
    /// Seconds until the window ends.
    pub reset_seconds: u32,
    /// Seconds until one more request would pass, if nobody else asks; 0 when this one may.
    pub retry_seconds: u32,
    /// Whether this request may pass.
    pub allowed: bool,
}

impl Decision {
    /// The answer's header fields: the `X-RateLimit` family (reset in Unix seconds) and the
    /// structured fields of draft-ietf-httpapi-ratelimit-headers-10.
    pub fn headers(&self, now: Millis) -> [(&'static str, String); 5] {
        let Self {
            class,
            limit,
            remaining,
            reset_seconds,
            ..
        } = self;
        let name = class.name();
        let reset_at = now.seconds().saturating_add(i64::from(*reset_seconds));
        [
            ("x-ratelimit-limit", limit.to_string()),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset", reset_at.to_string()),
            ("ratelimit-policy", format!("\"{name}\";q={limit};w=60")),
            (
                "ratelimit",
                format!("\"{name}\";r={remaining};t={reset_seconds}"),
            ),
        ]
    }
}

/// Who is counted: a hash, because KV keys hold no personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller([u8; 16]);

impl Caller {
    /// From any text that identifies the caller, such as a key's hash or an address
    /// ([`super::client`]).
    pub fn new(text: &str) -> Self {
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(digest(&[b"caller", text.as_bytes()])) {
            *to = from;
        }
        Self(short)
    }

    /// From a client address: IPv6 by its /64, which is what one subscriber gets.
    pub fn address(address: &str) -> Self {
        Self::new(&super::client::source(address))
    }
}

/// The counters of one isolate.
#[derive(Debug, Default)]
pub struct Limiter {
    counters: BTreeMap<(RateClass, Caller), Counter>,
    /// Requests that have not paid for a merge yet.
    credit: u32,
}

#[derive(Debug, Default)]
struct Counter {
    /// Which minute `local`, `remote` and `pushed` count.
    window: i64,
    /// Requests of the minute before, ours and others'.
    previous: u32,
    /// Requests this isolate let pass.
    local: u32,
    /// Requests others let pass, as of the last merge.
    remote: u32,
    /// The part of `local` that is in KV.
    pushed: u32,
    merged_at: Millis,
}

impl Limiter {
    /// Counts one request, and says whether counts should be merged into KV now.
    fn count(
        &mut self,
        class: RateClass,
        caller: Caller,
        limit: u32,
        now: Millis,
    ) -> (Decision, bool) {
        if self.counters.len() >= MAX_COUNTERS {
            let earlier = now.0.div_euclid(WINDOW).saturating_sub(1);
            self.counters.retain(|_, counter| counter.window >= earlier);
        }
        if self.counters.len() >= MAX_COUNTERS {
            self.counters.clear();
        }
        self.credit = self.credit.saturating_add(1).min(MAX_CREDIT);
        let counter = self.counters.entry((class, caller)).or_default();
        counter.roll(now);
        let current = counter.local.saturating_add(counter.remote);
        let decision = decide(class, limit, counter.previous, current, false, now);
        if decision.allowed {
            counter.local = counter.local.saturating_add(1);
        }
        let unpushed = counter.local.saturating_sub(counter.pushed);
        let due = unpushed.saturating_mul(4) >= limit
            && now.since(counter.merged_at) >= SECOND
            && self.credit >= MERGE_COST;
        if due {
            counter.merged_at = now;
            self.credit = self.credit.saturating_sub(MERGE_COST);
        }
        (decision, due)
    }

    /// Learns from what the store has counted in `window` what others let pass. What the store
    /// should hold then, and the part of it that is ours; `None` when the minute is over.
    fn learn(
        &mut self,
        class: RateClass,
        caller: Caller,
        window: i64,
        stored: u32,
    ) -> Option<(u32, u32)> {
        let counter = self.counters.get_mut(&(class, caller))?;
        if counter.window != window {
            return None;
        }
        let fresh = counter.local.saturating_sub(counter.pushed);
        counter.remote = stored.saturating_sub(counter.pushed);
        Some((stored.saturating_add(fresh), counter.local))
    }

    /// The store holds `ours` requests of `window` now.
    fn pushed(&mut self, class: RateClass, caller: Caller, window: i64, ours: u32) {
        if let Some(counter) = self.counters.get_mut(&(class, caller))
            && counter.window == window
        {
            counter.pushed = ours;
        }
    }
}

impl Counter {
    fn roll(&mut self, now: Millis) {
        let window = now.0.div_euclid(WINDOW);
        if window == self.window {
            return;
        }
        let total = self.local.saturating_add(self.remote);
        let previous = if window == self.window.saturating_add(1) {
            total
        } else {
            0
        };
        *self = Self {
            window,
            previous,
            merged_at: self.merged_at,
            ..Self::default()
        };
    }
}

/// The sliding window's verdict on one more request, after `previous` in the window before and
/// `current` in this one. `refused_count`: whether the store has counted this one even if it is
/// refused.
fn decide(
    class: RateClass,
    limit: u32,
    previous: u32,
    current: u32,
    refused_count: bool,
    now: Millis,
) -> Decision {
    // More than the limit did not pass. A store that counts refused requests too must not make
    // the next window pay for them, or nobody could say when it is over.
    let previous = i64::from(previous.min(limit));
    let left = WINDOW.saturating_sub(now.0.rem_euclid(WINDOW));
    let carried = previous.saturating_mul(left).div_euclid(WINDOW);
    let free = i64::from(limit)
        .saturating_sub(carried)
        .saturating_sub(i64::from(current));
    let allowed = free > 0;
    let wait = if allowed {
        0
    } else {
        let current = i64::from(current).saturating_add(i64::from(refused_count));
        wait(i64::from(limit), previous, current, left)
    };
    let seconds = |millis: i64| {
        let seconds = millis.saturating_add(SECOND - 1).div_euclid(SECOND);
        u32::try_from(seconds).unwrap_or(60)
    };
    Decision {
        class,
        limit,
        remaining: u32::try_from(free.saturating_sub(1)).unwrap_or(0),
        reset_seconds: seconds(left),
        retry_seconds: seconds(wait),
        allowed,
    }
}

/// Milliseconds until a request would pass, when this window has `left` of them. `previous` of
/// the window before fade meanwhile; if that is not enough, the next window begins with `current`.
fn wait(limit: i64, previous: i64, current: i64, left: i64) -> i64 {
    // The most that may be left of a window for `carried` to be below `free`.
    let fits = |free: i64, previous: i64| {
        if free <= 0 {
            return 0;
        }
        let most = free.saturating_mul(WINDOW).saturating_sub(1);
        most.checked_div_euclid(previous).unwrap_or(WINDOW)
    };
    let here = fits(limit.saturating_sub(current), previous);
    if here > 0 {
        return left.saturating_sub(here).max(0);
    }
    let next = fits(limit, current.min(limit)).min(WINDOW);
    left.saturating_add(WINDOW.saturating_sub(next))
}

fn store_key(class: RateClass, caller: Caller, window: i64) -> String {
    format!("rl:{}:{}:{window}", class.name(), hex(&caller.0))
}

/// Counts one request of `caller` and decides; `None` for unlimited classes. A failing KV
/// only narrows the view to this isolate.
pub async fn check<P: Platform>(
    platform: &P,
    class: RateClass,
    caller: Caller,
    now: Millis,
    kv_calls: &core::cell::Cell<u32>,
) -> Option<Decision> {
    let ready = platform.app().ready().ok()?;
    let limit = ready.config.limits.of(class)?;
    if P::KeyValue::COUNTS
        && let Some(store) = platform.key_value()
    {
        kv_calls.set(kv_calls.get().saturating_add(2));
        match check_shared(store, class, caller, limit, now).await {
            Ok(decision) => return Some(decision),
            Err(_) => metrics::count(platform, metrics::kv_errors("add")),
        }
    }
    let (decision, due) = ready.limiter.borrow_mut().count(class, caller, limit, now);
    if due && !P::KeyValue::COUNTS {
        kv_calls.set(kv_calls.get().saturating_add(2));
        let later = platform.clone();
        platform.defer(async move { merge(&later, class, caller, now).await });
    }
    Some(decision)
}

/// Counts in the store itself.
async fn check_shared<K: KeyValue>(
    store: &K,
    class: RateClass,
    caller: Caller,
    limit: u32,
    now: Millis,
) -> Result<Decision, KeyValueError> {
    let window = now.0.div_euclid(WINDOW);
    let ends = now.plus(2 * WINDOW);
    let earlier = store_key(class, caller, window.saturating_sub(1));
    let previous = store.add(&earlier, 0, ends).await?;
    let current = store
        .add(&store_key(class, caller, window), 1, ends)
        .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(decide(
        class,
        limit,
        count(previous),
        count(current.saturating_sub(1)),
        true,
        now,
    ))
}

/// Adds what this isolate counted to the store's count, and learns the others'.
async fn merge<P: Platform>(platform: &P, class: RateClass, caller: Caller, now: Millis) {
    let (Ok(ready), Some(store)) = (platform.app().ready(), platform.key_value()) else {
        return;
    };
    let window = now.0.div_euclid(WINDOW);
    let key = store_key(class, caller, window);
    let Ok(stored) = store.get(&key, now).await else {
        metrics::count(platform, metrics::kv_errors("get"));
        return;
    };
    let stored: u32 = stored.and_then(|text| text.parse().ok()).unwrap_or(0);
    let learnt = ready
        .limiter
        .borrow_mut()
        .learn(class, caller, window, stored);
    let Some((total, ours)) = learnt else {
        return;
    };
    let put = store.put(&key, &total.to_string(), 120, now).await;
    if put.is_ok() {
        ready
            .limiter
            .borrow_mut()
            .pushed(class, caller, window, ours);
    }
}

#[cfg(test)]
mod tests;
