//! What refusals and failures say about those who cause them: the hook that every limit passes, and
//! counts of what a source does wrong.

use super::rate_limit::Caller;
use crate::app::Ready;
use crate::http::Code;
use crate::log::Line;
use crate::metrics;
use crate::port::{Level, Platform};
use crate::time::{MINUTE, Millis};

/// Subjects an isolate watches at most in a minute; with more it begins anew.
const MAX_WATCHED: usize = 2_000;

/// Somebody met a limit: the general one, an exact one or a lockout.
#[derive(Debug, Clone, Copy)]
pub struct LimitEvent {
    /// Which.
    pub policy: &'static str,
    /// Who: a keyed hash.
    pub key: Caller,
    /// How much is allowed.
    pub limit: i64,
    /// Seconds to wait.
    pub retry_after: u32,
    /// Whether the request was let pass all the same, because it had written already.
    pub passed: bool,
}

/// What a source does wrong, by the answers it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    /// API keys that are none.
    Keys,
    /// Other credentials that are none.
    Credentials,
    /// Paths and things that there are not.
    Paths,
}

impl Suspicion {
    const fn of(code: Code) -> Option<Self> {
        match code {
            Code::ApiKeyInvalid => Some(Self::Keys),
            Code::RouteNotFound | Code::NotFound => Some(Self::Paths),
            _ if code.status() == 401 => Some(Self::Credentials),
            _ => None,
        }
    }

    /// The label, and how often in a minute is no mistake any more.
    const fn bound(self) -> (&'static str, u32) {
        match self {
            Self::Keys => ("keys", 10),
            Self::Credentials => ("credentials", 30),
            Self::Paths => ("paths", 60),
        }
    }
}

/// How often an isolate saw something of somebody in the current minute.
#[derive(Debug, Default)]
pub struct Watch {
    minute: i64,
    /// Sorted. Not a map: that is some KB of code in each function.
    seen: Vec<(&'static str, Caller, u32)>,
}

impl Watch {
    /// Counts once more; the count.
    pub(crate) fn count(&mut self, what: &'static str, key: Caller, now: Millis) -> u32 {
        let minute = now.0.div_euclid(MINUTE);
        if self.minute != minute || self.seen.len() >= MAX_WATCHED {
            self.seen.clear();
            self.minute = minute;
        }
        let place = |(known, who, _): &(&str, Caller, u32)| (*known, *who).cmp(&(what, key));
        let at = self.seen.binary_search_by(place).unwrap_or_else(|at| {
            self.seen.insert(at, (what, key, 0));
            at
        });
        let Some((_, _, count)) = self.seen.get_mut(at) else {
            return 0;
        };
        *count = count.saturating_add(1);
        *count
    }
}

/// The hook: every refusal by a limit comes here. It counts each, and logs the first one of
/// a minute.
pub(crate) fn limit_met<P: Platform>(platform: &P, ready: &Ready, event: LimitEvent, now: Millis) {
    let outcome = if event.passed { "passed" } else { "refused" };
    metrics::count(platform, metrics::rate_limit_hits(event.policy, outcome));
    if first(ready, event.policy, event.key, now) == 1 && Level::Warn >= ready.config.log_level {
        Line::new(Level::Warn, "limit.met", now)
            .with("policy", event.policy)
            .with("key", event.key.hex())
            .with("limit", event.limit)
            .with("retry_after", event.retry_after)
            .with("outcome", outcome)
            .write(platform);
    }
}

/// Counts an answer with that error to a source; tells of it once a minute when there are too many.
pub(crate) fn failed<P: Platform>(
    platform: &P,
    ready: &Ready,
    code: Code,
    source: impl FnOnce() -> Caller,
    now: Millis,
) {
    let Some(suspicion) = Suspicion::of(code) else {
        return;
    };
    let (kind, bound) = suspicion.bound();
    let key = source();
    if first(ready, kind, key, now) != bound {
        return;
    }
    metrics::count(platform, metrics::abuse_suspected(kind));
    if Level::Warn >= ready.config.log_level {
        Line::new(Level::Warn, "abuse.suspected", now)
            .with("kind", kind)
            .with("key", key.hex())
            .write(platform);
    }
}

fn first(ready: &Ready, what: &'static str, key: Caller, now: Millis) -> u32 {
    ready.watch.borrow_mut().count(what, key, now)
}
