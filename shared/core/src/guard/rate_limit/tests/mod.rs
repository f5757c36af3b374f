//! The same cases for every algorithm and every way to count: an isolate by itself, and a store that
//! counts. `nodes` lets several isolates share a store that lags.

mod nodes;

use core::cell::RefCell;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;

use super::decide::Verdict;
use super::limiter::Limiter;
use super::policy::{Algorithm, Limits, Policy, Quota};
use super::{Caller, store};
use crate::port::{KeyValue, KeyValueError};
use crate::time::{HOUR, MINUTE, Millis, SECOND};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sliding, Algorithm::Fixed, Algorithm::Bucket];

/// Ten minutes past some hour.
const START: Millis = Millis(400_000 * HOUR + 10 * MINUTE);

fn caller(name: &str) -> Caller {
    Caller::keyed(b"key", name)
}

/// Something that one caller asks, and that counts.
trait Counts {
    fn ask(&mut self, quota: Quota, now: Millis) -> Verdict;
}

impl Counts for Limiter {
    fn ask(&mut self, quota: Quota, now: Millis) -> Verdict {
        let (policy, caller) = (Policy::Write, caller("a"));
        let (seen, _) = self.count(policy, caller, quota, now);
        let verdict = Verdict::new(quota, seen, now);
        if !verdict.allowed {
            self.undo(policy, caller, quota, seen);
        }
        verdict
    }
}

/// As Spin's store: atomic additions.
#[derive(Default)]
struct Store {
    counters: RefCell<BTreeMap<String, (i64, Millis)>>,
    calls: u32,
    /// Whether others get a turn before each call.
    slow: bool,
}

impl KeyValue for Store {
    const COUNTS: bool = true;

    async fn get(&self, _: &str, _: Millis) -> Result<Option<String>, KeyValueError> {
        Ok(None)
    }
    async fn put(&self, _: &str, _: &str, _: u32, _: Millis) -> Result<(), KeyValueError> {
        Ok(())
    }
    async fn delete(&self, _: &str) -> Result<(), KeyValueError> {
        Ok(())
    }
    async fn add(&self, key: &str, amount: i64, ends: Millis) -> Result<i64, KeyValueError> {
        let mut first = self.slow;
        core::future::poll_fn(|_| {
            if core::mem::take(&mut first) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        let mut counters = self.counters.borrow_mut();
        let counter = counters.entry(key.to_owned()).or_insert((0, ends));
        counter.0 += amount;
        Ok(counter.0)
    }
    async fn sweep(&self, _: Millis, _: u32) -> Result<u32, KeyValueError> {
        Ok(0)
    }
}

/// Runs what never waits.
fn ready<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

impl Counts for Store {
    fn ask(&mut self, quota: Quota, now: Millis) -> Verdict {
        let (policy, caller) = (Policy::Write, caller("a"));
        self.calls += 1;
        // As the platforms do once a minute.
        if self.calls.is_multiple_of(100) {
            self.counters
                .borrow_mut()
                .retain(|_, (_, ends)| *ends > now);
        }
        let seen = ready(store::count(self, policy, caller, quota, now)).unwrap();
        let verdict = Verdict::new(quota, seen, now);
        if !verdict.allowed {
            ready(store::undo(self, policy, caller, quota, now)).unwrap();
        }
        verdict
    }
}

/// Every algorithm with several limits, on every store.
fn everywhere(limits: &[u32], case: impl Fn(&mut dyn Counts, Quota, bool)) {
    for &limit in limits {
        for algorithm in ALGORITHMS {
            let quota = Quota { limit, algorithm };
            case(&mut Limiter::default(), quota, false);
            case(&mut Store::default(), quota, true);
        }
    }
}

/// Rows: E-08 E-10
#[test]
fn from_rest_exactly_the_limit_passes_at_once() {
    everywhere(&[1, 2, 5, 7, 10, 100, 999], |counts, quota, _| {
        for (round, offset) in (0_i64..).zip([0, 1, 999, 30_000, 59_999]) {
            let now = START.plus(offset).plus(round * 10 * MINUTE);
            let passed = (0..3 * quota.limit).filter(|_| counts.ask(quota, now).allowed);
            assert_eq!(passed.count(), quota.limit as usize, "{quota:?} {offset}");
            let now = now.plus(2 * MINUTE);
            assert_eq!(counts.ask(quota, now).remaining, quota.limit - 1);
        }
    });
}

/// Numbers that look like chance, the same each time.
fn chance(state: &mut u64) -> i64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    i64::try_from(*state >> 40).unwrap()
}

/// Calm and wild arrivals over twenty minutes, and when they passed.
fn passed(counts: &mut dyn Counts, quota: Quota, seed: u64) -> Vec<Millis> {
    let (mut state, mut now, mut all) = (seed, START, Vec::new());
    while now.since(START) < 20 * MINUTE {
        let mean = MINUTE / i64::from(quota.limit);
        // A burst, or a pace from a tenth of the limit to ten times of it.
        let pace = match chance(&mut state) % 4 {
            0 => 0,
            n => mean * 10 / (n * n * n * 4),
        };
        for _ in 0..=chance(&mut state) % (2 * i64::from(quota.limit)) {
            if counts.ask(quota, now).allowed {
                all.push(now);
            }
            now = now.plus(pace * (chance(&mut state) % 100) / 50);
        }
        now = now.plus(chance(&mut state) % (20 * mean + 1));
    }
    all
}

/// Rows: E-09
#[test]
fn no_burst_is_above_the_capacity_and_no_rate_above_the_refill() {
    everywhere(&[1, 5, 10, 60], |counts, quota, shared| {
        let limit = i64::from(quota.limit);
        let all = passed(counts, quota, u64::from(quota.limit) * 77 + 5);
        assert!(
            all.len() > 30 || quota.limit == 1,
            "{quota:?}: {}",
            all.len()
        );
        for (first, from) in all.iter().enumerate() {
            for (last, to) in all.iter().enumerate().skip(first) {
                let count = i64::try_from(last - first + 1).unwrap();
                let span = to.since(*from);
                let most = match quota.algorithm {
                    // Capacity and refill. A store that counts brings a bucket up to now once a
                    // second, so that much more may have dripped in.
                    Algorithm::Bucket => {
                        let second = if shared { SECOND } else { 0 };
                        limit + (span + second) * limit / MINUTE + 1
                    }
                    // Each minute that is touched has the limit once.
                    _ => limit * (to.0.div_euclid(MINUTE) - from.0.div_euclid(MINUTE) + 1),
                };
                assert!(count <= most, "{quota:?}: {count} in {span} ms, not {most}");
            }
        }
    });
}

/// A bucket that was emptied gives the next token after a minute's share, not after the minute.
///
/// Rows: E-09
#[test]
fn a_bucket_refills_token_by_token() {
    everywhere(&[10], |counts, quota, _| {
        if quota.algorithm != Algorithm::Bucket {
            return;
        }
        for _ in 0..10 {
            assert!(counts.ask(quota, START).allowed);
        }
        let refused = counts.ask(quota, START);
        let told = (refused.allowed, refused.retry_seconds, refused.remaining);
        assert_eq!(told, (false, 6, 0));
        assert!(!counts.ask(quota, START.plus(5_999)).allowed);
        assert!(counts.ask(quota, START.plus(6_000)).allowed);
        assert!(!counts.ask(quota, START.plus(6_001)).allowed);
        let later = counts.ask(quota, START.plus(6_000 + 30_000));
        assert_eq!((later.allowed, later.remaining), (true, 4));
    });
}

/// A bucket in a store is kept an hour at a time, and what it holds goes on into the next.
#[test]
fn a_bucket_goes_on_into_the_next_hour() {
    let quota = Quota {
        limit: 10,
        algorithm: Algorithm::Bucket,
    };
    let mut store = Store::default();
    let end = Millis(400_001 * HOUR - 1);
    let passed = |store: &mut Store, now| (0..50).filter(|_| store.ask(quota, now).allowed).count();
    assert_eq!(passed(&mut store, end), 10);
    assert_eq!(passed(&mut store, end.plus(1)), 0);
    assert_eq!(passed(&mut store, end.plus(12_001)), 2);
    assert_eq!(passed(&mut store, end.plus(5 * HOUR)), 10);
}

/// Requests in flight at once: each step of one comes between two steps of the others.
///
/// Rows: E-08
#[test]
fn requests_at_once_never_let_more_pass() {
    for limit in [1, 5, 40] {
        for algorithm in ALGORITHMS {
            for idle in [0, 20 * SECOND, 10 * MINUTE] {
                let quota = Quota { limit, algorithm };
                let store = Store {
                    slow: true,
                    ..Store::default()
                };
                let together = |now: Millis| {
                    let asked = (0..3 * limit).map(|_| {
                        let ask = store::count(&store, Policy::Write, caller("a"), quota, now);
                        Box::pin(
                            async move { Verdict::new(quota, ask.await.unwrap(), now).allowed },
                        )
                    });
                    all(asked.collect())
                };
                let passed = together(START.plus(700));
                assert_eq!(passed, limit as usize, "{quota:?}");
                let more = together(START.plus(700 + idle));
                assert!(more <= limit as usize, "{quota:?} {idle}: {more}");
            }
        }
    }
}

/// Runs all in turns, a step at a time; how many said yes.
fn all(mut works: Vec<core::pin::Pin<Box<impl Future<Output = bool>>>>) -> usize {
    let mut yes = 0;
    let mut context = Context::from_waker(Waker::noop());
    while !works.is_empty() {
        works.retain_mut(|work| match work.as_mut().poll(&mut context) {
            Poll::Ready(said) => {
                yes += usize::from(said);
                false
            }
            Poll::Pending => true,
        });
    }
    yes
}

/// A caller who bursts, waits exactly as long as it is told, and asks again must get through; and a
/// second earlier it does not.
///
/// Rows: E-03
#[test]
fn waiting_as_long_as_told_lets_one_request_pass() {
    for burst in [1, 2, 5] {
        for start in [0, 1, 999, 1_000, 29_999, 30_000, 59_000, 59_999] {
            everywhere(&[1, 2, 7, 10, 100], |counts, quota, shared| {
                let mut now = START.plus(start);
                for round in 0..4 {
                    let passed = (0..burst * quota.limit)
                        .filter(|_| counts.ask(quota, now).allowed)
                        .count();
                    assert!(passed <= quota.limit as usize, "{passed} of {quota:?}");
                    let refused = counts.ask(quota, now);
                    assert!(!refused.allowed && refused.retry_seconds > 0);
                    assert!(refused.retry_seconds <= 61, "{refused:?}");
                    let wait = i64::from(refused.retry_seconds) * SECOND;
                    let early = now.plus(wait - SECOND);
                    assert!(!counts.ask(quota, early).allowed || shared, "{quota:?}");
                    now = now.plus(wait);
                    let next = counts.ask(quota, now);
                    assert!(
                        next.allowed,
                        "{quota:?} {burst} {start} {round}: {refused:?}"
                    );
                    assert_eq!(next.retry_seconds, 0);
                }
            });
        }
    }
}

/// Rows: E-15
#[test]
fn a_full_minute_fades_over_the_next_or_is_over() {
    everywhere(&[100], |counts, quota, _| {
        let passed = |counts: &mut dyn Counts, now| {
            (0..300).filter(|_| counts.ask(quota, now).allowed).count()
        };
        let minute = START;
        assert_eq!(passed(counts, minute.plus(59_000)), 100);
        let (at_once, at_half) = match quota.algorithm {
            Algorithm::Sliding => (0, 50),
            Algorithm::Fixed => (100, 0),
            Algorithm::Bucket => (1, 50),
        };
        assert_eq!(passed(counts, minute.plus(MINUTE)), at_once, "{quota:?}");
        assert_eq!(passed(counts, minute.plus(MINUTE + 30_000)), at_half);
        assert_eq!(passed(counts, minute.plus(4 * MINUTE)), 100);
    });
}

/// Who is refused uses nothing up, so hammering does not keep anybody out.
#[test]
fn refused_requests_do_not_count() {
    everywhere(&[10], |counts, quota, _| {
        for _ in 0..1_000 {
            counts.ask(quota, START);
        }
        let refused = counts.ask(quota, START.plus(1));
        assert!(refused.retry_seconds <= 61, "{refused:?}");
        assert!(counts.ask(quota, START.plus(121_000)).remaining == 9);
    });
}

/// Strangers with many addresses use up the counters of an isolate; those in use stay.
#[test]
fn counters_in_use_stay_and_memory_is_bounded() {
    let quota = Limits::default().of(Policy::Global);
    let mut limiter = Limiter::default();
    for n in 0..30_000 {
        limiter.count(Policy::Write, caller(&n.to_string()), quota, START);
        if n % 200 == 0 {
            let verdict = limiter.ask(quota, START);
            assert_eq!(verdict.allowed, n < 20_000, "{n}");
        }
        assert!(limiter.len() <= 10_000);
    }
    for n in 0..20_000 {
        let known = caller(&n.to_string());
        limiter.learn(known, Limits::default(), true, START);
        assert_eq!(limiter.limits(known), Some(Limits::default()));
        assert!(limiter.is_fresh(known, START.plus(5_000)));
        assert!(!limiter.is_fresh(known, START.plus(5_001)));
        assert!(limiter.len() <= 10_000);
    }
    let known = caller("19999");
    let changed = Limits::default().with("write=7").unwrap();
    limiter.learn(known, changed, false, START);
    assert_eq!(limiter.limits(known), Some(changed));
    limiter.learn(caller("new"), changed, false, START);
    assert_eq!(limiter.limits(caller("new")), None);
}

/// Rows: E-30
#[test]
fn a_callers_name_is_a_hash_with_a_key() {
    let (one, other) = (caller("192.0.2.1"), Caller::keyed(b"other", "192.0.2.1"));
    assert_ne!(one, other);
    let mut store = Store::default();
    let quota = Limits::default().of(Policy::Write);
    store.ask(quota, START);
    for (key, (_, ends)) in store.counters.borrow().iter() {
        assert!(
            key.starts_with("rl:write:") && key.contains(&caller("a").hex()),
            "{key}"
        );
        assert!(ends.since(START) >= MINUTE);
    }
}
