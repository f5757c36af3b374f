//! A circuit breaker: what has failed several times in a row is left alone for a while.
//!
//! It is closed while calls are made, open while none is, and half-open when the pause is over: then
//! one call goes ahead as a probe, and its end closes or opens it. A state is a few numbers, so it
//! can be told to other instances.

use core::cell::Cell;

use crate::metrics;
use crate::port::Platform;
use crate::time::{MINUTE, Millis, SECOND};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// Failures in a row that open it.
    pub(crate) failures: u32,
    /// How long nobody calls then, in milliseconds.
    pub(crate) pause: i64,
}

/// So long one probe keeps the next one back. Longer would let a client that always hangs up early keep
/// the breaker open for everybody: a Worker whose client is gone does not go on.
const PROBE: i64 = 2 * SECOND;

/// Other services: a trip costs each caller seconds.
pub(crate) const OUTBOUND: Rule = Rule {
    failures: 5,
    pause: 30 * SECOND,
};
/// The key-value store: whoever skips it is only slower.
pub(crate) const KEY_VALUE: Rule = Rule {
    failures: 5,
    pause: 5 * SECOND,
};
/// The database: without it nothing works, so the pause only has to let it breathe.
pub(crate) const DATABASE: Rule = Rule {
    failures: 5,
    pause: 2 * SECOND,
};

/// How long a state holds after its last change. Failures further apart are not in a row, and what
/// a clock that tests moved has left is nobody else's.
pub(crate) const LIFE: i64 = 2 * MINUTE;

/// The state of one breaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Breaker {
    /// In a row.
    pub(crate) failures: u32,
    /// When it changed last.
    pub(crate) changed_at: Millis,
    /// Until when nobody calls, if there are enough failures.
    pub(crate) open_until: Millis,
}

/// What a breaker is, in the words of its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Closed,
    HalfOpen,
    Open,
}

impl Breaker {
    /// What it is at that time.
    pub(crate) const fn state(&self, rule: Rule, now: Millis) -> State {
        if self.failures < rule.failures || !self.holds(now) {
            State::Closed
        } else if self.open_until.0 > now.0 {
            State::Open
        } else {
            State::HalfOpen
        }
    }

    /// Whether a call may be made, and as what: `Err` says for how many milliseconds none may.
    /// Whoever comes first after the pause is the probe, and the others wait for its end.
    pub(crate) fn admit(&mut self, rule: Rule, now: Millis) -> Result<State, i64> {
        let state = self.state(rule, now);
        if state == State::Open {
            return Err(self.open_until.since(now));
        }
        if state == State::HalfOpen {
            self.changed_at = now;
            self.open_until = now.plus(PROBE);
        }
        Ok(state)
    }

    /// Takes the end of a call. The state that it has led to, if that is another one; a call that
    /// went ahead as a probe says open or closed again.
    pub(crate) fn settle(&mut self, rule: Rule, failed: bool, now: Millis) -> Option<State> {
        let before = if self.holds(now) { self.failures } else { 0 };
        self.failures = if failed { before.saturating_add(1) } else { 0 };
        if before > 0 || failed {
            self.changed_at = now;
        }
        if self.failures >= rule.failures {
            self.open_until = now.plus(rule.pause);
            return Some(State::Open);
        }
        (before >= rule.failures).then_some(State::Closed)
    }

    /// Whether anything of it still counts.
    pub(crate) const fn holds(&self, now: Millis) -> bool {
        now.since(self.changed_at).abs() < LIFE
    }
}

/// The breaker of what every instance judges by itself, with the name that its metrics have.
#[derive(Debug)]
pub(crate) struct OwnBreaker {
    pub(crate) name: &'static str,
    rule: Rule,
    breaker: Cell<Breaker>,
}

impl OwnBreaker {
    pub(crate) fn new(name: &'static str, rule: Rule) -> Self {
        let breaker = Cell::default();
        Self {
            name,
            rule,
            breaker,
        }
    }

    /// What it is now.
    pub(crate) fn state(&self, now: Millis) -> State {
        self.breaker.get().state(self.rule, now)
    }

    /// Whether a call may be made.
    pub(crate) fn admits<P: Platform>(&self, platform: &P) -> bool {
        let mut breaker = self.breaker.get();
        let admitted = breaker.admit(self.rule, platform.now());
        self.breaker.set(breaker);
        match admitted {
            Ok(State::HalfOpen) => self.count(platform, State::HalfOpen),
            Ok(_) => {}
            Err(_) => metrics::count(platform, metrics::breaker_rejections(self.name)),
        }
        admitted.is_ok()
    }

    /// Takes the end of a call.
    pub(crate) fn settle<P: Platform>(&self, platform: &P, failed: bool) {
        let mut breaker = self.breaker.get();
        let state = breaker.settle(self.rule, failed, platform.now());
        self.breaker.set(breaker);
        if let Some(state) = state {
            self.count(platform, state);
        }
    }

    fn count<P: Platform>(&self, platform: &P, state: State) {
        let transition = metrics::breaker_transitions(self.name, state.name());
        metrics::count(platform, transition);
    }
}

impl State {
    /// Its name as a label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000_000);

    fn tripped() -> Breaker {
        let mut breaker = Breaker::default();
        for n in 1..=5 {
            assert_eq!(breaker.admit(OUTBOUND, START), Ok(State::Closed));
            let state = breaker.settle(OUTBOUND, true, START);
            assert_eq!(state, (n == 5).then_some(State::Open));
        }
        breaker
    }

    /// Rows: P-10
    #[test]
    fn failures_in_a_row_open_it_and_one_probe_closes_it() {
        let mut breaker = tripped();
        assert_eq!(breaker.admit(OUTBOUND, START), Err(30_000));
        let late = START.plus(29_999);
        assert_eq!(breaker.admit(OUTBOUND, late), Err(1));
        let over = START.plus(30_000);
        assert_eq!(breaker.state(OUTBOUND, over), State::HalfOpen);
        assert_eq!(breaker.admit(OUTBOUND, over), Ok(State::HalfOpen));
        // Only one.
        assert_eq!(breaker.admit(OUTBOUND, over), Err(2_000));
        assert_eq!(
            breaker.settle(OUTBOUND, false, over.plus(50)),
            Some(State::Closed)
        );
        assert_eq!(breaker.admit(OUTBOUND, over.plus(50)), Ok(State::Closed));
    }

    /// Rows: P-10
    #[test]
    fn a_probe_that_fails_opens_it_again() {
        let mut breaker = tripped();
        let over = START.plus(30_000);
        assert_eq!(breaker.admit(OUTBOUND, over), Ok(State::HalfOpen));
        let state = breaker.settle(OUTBOUND, true, over.plus(1_000));
        assert_eq!(state, Some(State::Open));
        assert_eq!(breaker.admit(OUTBOUND, over.plus(30_999)), Err(1));
        // A probe that never ends, because its client hung up, stands in nobody's way for long.
        for later in [31_000, 33_000, 35_000] {
            let admitted = breaker.admit(OUTBOUND, over.plus(later));
            assert_eq!(admitted, Ok(State::HalfOpen));
        }
    }

    #[test]
    fn a_success_in_between_and_a_long_silence_begin_anew() {
        let mut breaker = Breaker::default();
        for n in 0..50_i64 {
            assert_eq!(breaker.settle(OUTBOUND, n % 5 != 4, START.plus(n)), None);
        }
        for n in 0..10 {
            assert_eq!(
                breaker.settle(OUTBOUND, true, START.plus(n * LIFE + 100)),
                None
            );
        }
        // Neither does a clock that was moved and has come back.
        let mut breaker = tripped();
        let earlier = START.minus(LIFE);
        assert_eq!(breaker.admit(OUTBOUND, earlier), Ok(State::Closed));
    }
}
