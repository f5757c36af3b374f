//! The verdict on one more request, from what was counted before it.

use super::policy::{Algorithm, Quota};
use crate::time::{MINUTE, Millis, SECOND};

/// Length of the window.
pub(super) const WINDOW: i64 = MINUTE;

/// The minute that a time is in.
pub(super) const fn window(at: Millis) -> i64 {
    at.0.div_euclid(WINDOW)
}

/// What one more request adds to [`Seen::current`]: one, or for a bucket the microseconds until a
/// token has dripped in. Rounded up, so that no more drip in than the limit says.
pub(super) fn cost(quota: Quota) -> i64 {
    let limit = i64::from(quota.limit.max(1));
    match quota.algorithm {
        Algorithm::Bucket => (WINDOW * 1_000)
            .saturating_add(limit.saturating_sub(1))
            .div_euclid(limit),
        Algorithm::Sliding | Algorithm::Fixed => 1,
    }
}

/// What was counted before a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The minute that `current` counts; none for buckets.
    pub window: i64,
    /// Requests that passed in that minute. Of a bucket: when it will be full again, in
    /// microseconds since 1970 (the theoretical arrival time).
    pub current: i64,
    /// Requests that passed in the minute before.
    pub previous: i64,
}

impl Seen {
    /// Forgets what no longer counts at `now`.
    pub(super) fn roll(&mut self, quota: Quota, now: Millis) {
        if quota.algorithm == Algorithm::Bucket {
            self.current = self.current.max(micros(now));
            return;
        }
        let window = window(now);
        let passed = window.saturating_sub(self.window);
        if passed != 0 {
            self.previous = if passed == 1 { self.current } else { 0 };
            self.current = 0;
            self.window = window;
        }
    }

    /// How many requests may pass at `at`, if nothing more is counted until then.
    fn free(mut self, quota: Quota, at: Millis) -> i64 {
        self.roll(quota, at);
        let limit = i64::from(quota.limit);
        let carried = match quota.algorithm {
            Algorithm::Bucket => {
                let lent = self.current.saturating_sub(micros(at));
                let token = cost(quota).max(1);
                return token
                    .saturating_mul(limit)
                    .saturating_sub(lent)
                    .div_euclid(token);
            }
            Algorithm::Fixed => 0,
            // More than the limit passes where isolates do not know of each other. The next window
            // must not pay for it, or nobody could say when it is over.
            Algorithm::Sliding => self.previous.min(limit),
        };
        let carried = carried.saturating_mul(left(at)).div_euclid(WINDOW);
        limit.saturating_sub(carried).saturating_sub(self.current)
    }
}

pub(super) const fn micros(at: Millis) -> i64 {
    at.0.saturating_mul(1_000)
}

/// Milliseconds of its minute that are left at a time.
const fn left(at: Millis) -> i64 {
    WINDOW.saturating_sub(at.0.rem_euclid(WINDOW))
}

/// What a limit says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may pass.
    pub allowed: bool,
    /// Requests left after it.
    pub remaining: u32,
    /// Seconds until the window ends, or the bucket is full again.
    pub reset_seconds: u32,
    /// Seconds until one more request would pass, if nobody else asks; 0 when this one may.
    pub retry_seconds: u32,
}

impl Verdict {
    /// After `seen`, at `now`.
    pub(super) fn new(quota: Quota, seen: Seen, now: Millis) -> Self {
        let free = seen.free(quota, now);
        let in_seconds = |seconds: u32| now.plus(i64::from(seconds).saturating_mul(SECOND));
        // Of whole seconds, the first one that helps. After two minutes everything is forgotten.
        let retry = (0..=120).find(|seconds| seen.free(quota, in_seconds(*seconds)) > 0);
        let reset = match quota.algorithm {
            Algorithm::Bucket => {
                let lent = seen.current.saturating_add(cost(quota));
                lent.saturating_sub(micros(now)).div_euclid(1_000)
            }
            Algorithm::Sliding | Algorithm::Fixed => left(now),
        };
        let reset = reset.saturating_add(SECOND - 1).div_euclid(SECOND);
        Self {
            allowed: free > 0,
            remaining: u32::try_from(free.saturating_sub(1)).unwrap_or(0),
            reset_seconds: u32::try_from(reset.max(1)).unwrap_or(60),
            retry_seconds: retry.unwrap_or(120),
        }
    }
}
