//! One request's counts, and what they say.

use core::fmt::Write as _;

use super::decide::{Seen, Verdict, cost};
use super::policy::{Limits, Policy, Quota, RateClass};
use super::{Caller, settle, store};
use crate::app::Ready;
use crate::http::{Code, Error};
use crate::key_value;
use crate::port::{KeyValue, Platform};
use crate::time::Millis;

/// What one request was counted in.
#[derive(Debug)]
pub struct Charge {
    caller: Caller,
    counts: Vec<Counted>,
    now: Millis,
    /// Of the plan: how much it allows, how much is left, and seconds until it begins anew.
    pub(crate) quota: Option<[i64; 3]>,
}

#[derive(Debug)]
struct Counted {
    policy: Policy,
    /// By which it is judged.
    quota: Quota,
    /// By which it was counted.
    charged_by: Quota,
    seen: Seen,
    /// Whether the store has counted it, and not the isolate.
    stored: bool,
}

impl Counted {
    fn verdict(&self, now: Millis) -> Verdict {
        Verdict::new(self.quota, self.seen, now)
    }
}

/// Counts one request of `caller` in every policy of its class; `None` for unlimited classes. A
/// failing KV only narrows the view to this isolate.
pub async fn charge<P: Platform>(
    platform: &P,
    ready: &Ready,
    class: RateClass,
    caller: Caller,
    now: Millis,
    kv_calls: &core::cell::Cell<u32>,
) -> Option<Charge> {
    let policies = class.policies();
    if policies.is_empty() {
        return None;
    }
    let learnt = ready.limiter.borrow().limits(caller);
    let limits = learnt.unwrap_or(ready.config.limits);
    let mut counts = Vec::with_capacity(policies.len());
    for &policy in policies {
        let quota = limits.of(policy);
        let (seen, stored) = count(platform, ready, policy, caller, quota, now, kv_calls).await;
        counts.push(Counted {
            policy,
            quota,
            charged_by: quota,
            seen,
            stored,
        });
    }
    Some(Charge {
        caller,
        counts,
        now,
        quota: None,
    })
}

async fn count<P: Platform>(
    platform: &P,
    ready: &Ready,
    policy: Policy,
    caller: Caller,
    quota: Quota,
    now: Millis,
    kv_calls: &core::cell::Cell<u32>,
) -> (Seen, bool) {
    if P::KeyValue::COUNTS
        && let Some(store) = key_value::store(platform)
    {
        kv_calls.set(kv_calls.get().saturating_add(2));
        let counted = store::count(store, policy, caller, quota, now).await;
        if let Some(seen) = settle(platform, "add", counted) {
            return (seen, true);
        }
    }
    let (seen, due) = ready.limiter.borrow_mut().count(policy, caller, quota, now);
    if due && !P::KeyValue::COUNTS {
        kv_calls.set(kv_calls.get().saturating_add(2));
        let later = platform.clone();
        platform.defer(async move { store::merge(&later, policy, caller, quota, now).await });
    }
    (seen, false)
}

impl Charge {
    /// Who was counted.
    pub const fn caller(&self) -> Caller {
        self.caller
    }

    /// The time of the request.
    pub const fn now(&self) -> Millis {
        self.now
    }

    /// Judges it by other limits from now on. What was counted by another algorithm keeps it for
    /// this request.
    pub fn judge_by(&mut self, limits: &Limits) {
        for counted in &mut self.counts {
            counted.quota.limit = limits.of(counted.policy).limit;
        }
    }

    /// Says that the request stays counted although it is refused.
    pub fn keep(&mut self) {
        for counted in &mut self.counts {
            let current = &mut counted.seen.current;
            *current = current.saturating_add(cost(counted.charged_by));
        }
    }

    /// The count that decides: the one to wait for longest, else the one with least left.
    fn tightest(&self) -> Option<(&Counted, Verdict)> {
        let all = self.counts.iter();
        all.map(|counted| (counted, counted.verdict(self.now)))
            .min_by_key(|(_, verdict)| {
                (
                    verdict.allowed,
                    core::cmp::Reverse(verdict.retry_seconds),
                    verdict.remaining,
                )
            })
    }

    /// Whether it may not pass.
    pub fn is_refused(&self) -> bool {
        self.tightest().is_some_and(|(_, verdict)| !verdict.allowed)
    }

    /// Why it may not pass, if it may not.
    pub fn refusal(&self) -> Option<Error> {
        let (counted, verdict) = self.tightest()?;
        if verdict.allowed {
            return None;
        }
        let (policy, limit) = (counted.policy.name(), counted.quota.limit);
        let (wait, base) = (verdict.retry_seconds.max(1), Code::RateLimited.message());
        let message = format!("{base} The limit {policy} is {limit} a minute: wait {wait} s.");
        Some(
            Error::new(Code::RateLimited)
                .with_message(message)
                .with_member("policy", policy)
                .with_member("limit", limit)
                .with_limit(policy, limit.into())
                .with_retry_after(wait),
        )
    }

    /// Takes back what was counted, of a request that does not pass: who is refused uses nothing up.
    pub async fn undo<P: Platform>(&self, platform: &P, ready: &Ready) {
        for counted in &self.counts {
            let (policy, quota) = (counted.policy, counted.charged_by);
            if P::KeyValue::COUNTS && counted.stored {
                if let Some(store) = key_value::store(platform) {
                    let undone = store::undo(store, policy, self.caller, quota, self.now).await;
                    settle(platform, "add", undone);
                }
            } else {
                let mut limiter = ready.limiter.borrow_mut();
                limiter.undo(policy, self.caller, quota, counted.seen);
            }
        }
    }

    /// The answer's header fields: the `X-RateLimit` family of the tightest limit (reset in Unix
    /// seconds), and all of them as the structured fields of
    /// draft-ietf-httpapi-ratelimit-headers-10.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let Some((counted, verdict)) = self.tightest() else {
            return Vec::new();
        };
        let reset = i64::from(verdict.reset_seconds);
        let (mut policies, mut states) = (String::new(), String::new());
        for counted in &self.counts {
            let comma = if policies.is_empty() { "" } else { ", " };
            let (name, limit) = (counted.policy.name(), counted.quota.limit);
            let Verdict {
                remaining,
                reset_seconds,
                ..
            } = counted.verdict(self.now);
            // Into a String it cannot fail.
            let _ = write!(policies, "{comma}\"{name}\";q={limit};w=60");
            let _ = write!(states, "{comma}\"{name}\";r={remaining};t={reset_seconds}");
        }
        if let Some([limit, remaining, reset]) = self.quota {
            let _ = write!(policies, ", \"quota\";q={limit}");
            let _ = write!(states, ", \"quota\";r={remaining};t={reset}");
        }
        vec![
            ("x-ratelimit-limit", counted.quota.limit.to_string()),
            ("x-ratelimit-remaining", verdict.remaining.to_string()),
            (
                "x-ratelimit-reset",
                self.now.seconds().saturating_add(reset).to_string(),
            ),
            ("ratelimit-policy", policies),
            ("ratelimit", states),
        ]
    }
}
