//! What one isolate counts and has learnt.

use super::Caller;
use super::decide::{Seen, cost};
use super::policy::{Algorithm, Limits, Policy, Quota};
use crate::generations::Generations;
use crate::time::{Millis, SECOND};

/// Counters in one generation.
const MAX_COUNTERS: usize = 5_000;

/// Callers whose limits an isolate keeps at most.
const MAX_LEARNT: usize = 2_000;

/// So long nobody asks the database again whether a refusal is right.
const FRESH: i64 = 5 * SECOND;

/// Requests that pay for a merge: it is two KV calls, and a request may cost a tenth of one.
const MERGE_COST: u32 = 20;

/// Requests whose credit an isolate saves at most: busy minutes may follow quiet ones, but not with
/// any number of merges at once.
const MAX_CREDIT: u32 = MERGE_COST.saturating_mul(100);

/// The counters of one isolate.
#[derive(Debug, Default)]
pub struct Limiter {
    counters: Generations<(Policy, Caller), Counter, MAX_COUNTERS>,
    /// Requests that have not paid for a merge yet.
    credit: u32,
    /// Limits of callers that are not the defaults, and when the database said so; also the
    /// defaults of who was refused by them. Sorted by caller.
    learnt: Vec<(Caller, Limits, Millis)>,
    /// Whether the log says that limits in the database are unsound.
    told_unsound: bool,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    algorithm: Algorithm,
    seen: Seen,
    /// Requests in `seen` that KV does not know of.
    fresh: u32,
    merged_at: Millis,
}

impl Counter {
    fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            seen: Seen::default(),
            fresh: 0,
            merged_at: Millis::default(),
        }
    }

    fn roll(&mut self, quota: Quota, now: Millis) {
        let before = self.seen.window;
        self.seen.roll(quota, now);
        if self.seen.window != before {
            self.fresh = 0;
        }
    }
}

impl Limiter {
    /// Counts one request. What was counted before it, and whether counts should be merged into KV
    /// now.
    pub(super) fn count(
        &mut self,
        policy: Policy,
        caller: Caller,
        quota: Quota,
        now: Millis,
    ) -> (Seen, bool) {
        self.credit = self.credit.saturating_add(1).min(MAX_CREDIT);
        let counter = self
            .counters
            .entry((policy, caller), || Counter::new(quota.algorithm));
        if counter.algorithm != quota.algorithm {
            *counter = Counter::new(quota.algorithm);
        }
        counter.roll(quota, now);
        let seen = counter.seen;
        counter.seen.current = seen.current.saturating_add(cost(quota));
        counter.fresh = counter.fresh.saturating_add(1);
        let due = counter.fresh.saturating_mul(4) >= quota.limit
            && now.since(counter.merged_at) >= SECOND
            && self.credit >= MERGE_COST;
        if due {
            counter.merged_at = now;
            self.credit = self.credit.saturating_sub(MERGE_COST);
        }
        (seen, due)
    }

    /// Takes back what [`Self::count`] counted, of a request that did not pass.
    pub(super) fn undo(&mut self, policy: Policy, caller: Caller, quota: Quota, seen: Seen) {
        if let Some(counter) = self.counters.young_mut(&(policy, caller))
            && counter.seen.window == seen.window
            && counter.fresh > 0
        {
            counter.seen.current = counter.seen.current.saturating_sub(cost(quota));
            counter.fresh = counter.fresh.saturating_sub(1);
        }
    }

    /// Joins what the store has counted with what this isolate has. What the store should hold
    /// then, and how many requests of ours are new in it; `None` when the minute is over.
    pub(super) fn join(
        &mut self,
        policy: Policy,
        caller: Caller,
        quota: Quota,
        window: i64,
        stored: i64,
    ) -> Option<(i64, u32)> {
        let counter = self.counters.young_mut(&(policy, caller))?;
        if counter.seen.window != window {
            return None;
        }
        let ours = i64::from(counter.fresh).saturating_mul(cost(quota));
        // A store that lags, or lost a write, may know less than was known here before.
        let total = counter.seen.current.max(stored.saturating_add(ours));
        counter.seen.current = total;
        Some((total, counter.fresh))
    }

    /// The store has so many requests of ours now.
    pub(super) fn pushed(&mut self, policy: Policy, caller: Caller, window: i64, ours: u32) {
        if let Some(counter) = self.counters.young_mut(&(policy, caller))
            && counter.seen.window == window
        {
            counter.fresh = counter.fresh.saturating_sub(ours);
        }
    }

    /// The limits of a caller, if they were learnt.
    pub(super) fn limits(&self, caller: Caller) -> Option<Limits> {
        Some(self.learnt.get(self.place(caller).ok()?)?.1)
    }

    /// Whether the caller's limits were learnt just now.
    pub(crate) fn is_fresh(&self, caller: Caller, now: Millis) -> bool {
        let known = self.place(caller).ok().and_then(|at| self.learnt.get(at));
        known.is_some_and(|(_, _, at)| (0..=FRESH).contains(&now.since(*at)))
    }

    fn place(&self, caller: Caller) -> Result<usize, usize> {
        self.learnt
            .binary_search_by(|(known, _, _)| known.cmp(&caller))
    }

    /// Learns a caller's limits. Those that need not be kept take no place of their own.
    pub(super) fn learn(&mut self, caller: Caller, limits: Limits, keep: bool, now: Millis) {
        let new = (caller, limits, now);
        match self.place(caller) {
            Ok(at) => {
                if let Some(known) = self.learnt.get_mut(at) {
                    *known = new;
                }
            }
            Err(at) if keep && self.learnt.len() < MAX_LEARNT => self.learnt.insert(at, new),
            Err(_) if keep => self.learnt = vec![new],
            Err(_) => {}
        }
    }

    /// Whether this was said before.
    pub(super) fn told_unsound(&mut self) -> bool {
        core::mem::replace(&mut self.told_unsound, true)
    }
}

#[cfg(test)]
impl Limiter {
    /// Requests that came before, whose credit is saved.
    pub(super) fn earn(&mut self) {
        self.credit = MAX_CREDIT;
    }

    pub(super) fn len(&self) -> usize {
        self.counters.len().max(self.learnt.len())
    }
}
