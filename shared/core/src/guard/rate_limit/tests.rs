use super::*;

const MINUTE_10: Millis = Millis(10 * MINUTE);

fn count(limiter: &mut Limiter, now: Millis) -> Decision {
    limiter.count(RateClass::Read, Caller::new("a"), 100, now).0
}

#[test]
fn the_limit_lets_exactly_its_number_pass_in_one_isolate() {
    let mut limiter = Limiter::default();
    let passed = (0..300)
        .filter(|_| count(&mut limiter, MINUTE_10).allowed)
        .count();
    assert_eq!(passed, 100);
    let refused = count(&mut limiter, MINUTE_10);
    assert_eq!((refused.remaining, refused.reset_seconds), (0, 60));
}

/// Rows: E-15
#[test]
fn a_full_minute_fades_over_the_next() {
    let mut limiter = Limiter::default();
    for _ in 0..100 {
        count(&mut limiter, MINUTE_10);
    }
    assert!(!count(&mut limiter, MINUTE_10.plus(MINUTE)).allowed);
    let half = MINUTE_10.plus(MINUTE + MINUTE / 2);
    let passed = (0..300)
        .filter(|_| count(&mut limiter, half).allowed)
        .count();
    assert_eq!(passed, 50);
    assert!(count(&mut limiter, MINUTE_10.plus(3 * MINUTE)).allowed);
}

/// Isolates and the KV that they share, seen by all at once.
struct World {
    isolates: Vec<Limiter>,
    store: BTreeMap<(Caller, i64), u32>,
    requests: u32,
    calls: u32,
}

impl World {
    fn new(isolates: usize) -> Self {
        Self {
            isolates: (0..isolates).map(|_| Limiter::default()).collect(),
            store: BTreeMap::new(),
            requests: 0,
            calls: 0,
        }
    }

    /// One request in the next isolate, and the merge that follows it.
    fn ask(&mut self, class: RateClass, name: &str, limit: u32, now: Millis) -> bool {
        let (caller, window) = (Caller::new(name), now.0.div_euclid(WINDOW));
        let at = self.requests as usize % self.isolates.len();
        self.requests += 1;
        let isolate = &mut self.isolates[at];
        let (decision, due) = isolate.count(class, caller, limit, now);
        if due {
            self.calls += 2;
            let stored = self.store.entry((caller, window)).or_default();
            if let Some((total, ours)) = isolate.learn(class, caller, window, *stored) {
                *stored = total;
                isolate.pushed(class, caller, window, ours);
            }
        }
        decision.allowed
    }
}

/// Rows: E-15
#[test]
fn a_request_costs_a_tenth_of_a_kv_call_at_most() {
    for (limit, callers, pace) in [(10, 1, 6_000), (10, 5, 1_000), (30, 3, 500), (100, 1, 600)] {
        for isolates in [1, 2, 5] {
            let mut world = World::new(isolates);
            for n in 0..2_000 {
                let now = MINUTE_10.plus(i64::from(n) * pace);
                world.ask(RateClass::Write, &(n % callers).to_string(), limit, now);
                assert!(world.calls * 10 <= world.requests, "{limit} {callers} {n}");
            }
        }
    }
}

/// Isolates that have credit hold `n × limit / 4` back from the others at most; without it each
/// counts alone, so `n × limit` pass.
#[test]
fn several_isolates_keep_to_the_stated_bound() {
    for isolates in [1, 2, 3, 5] {
        for limit in [10, 30, 100, 600] {
            let n = u32::try_from(isolates).unwrap();
            let passed = |world: &mut World| {
                let start = MINUTE_10.plus(MINUTE);
                let asked = 3 * limit.max(10) * n;
                let pace = MINUTE / i64::from(asked);
                let now = |at: u32| start.plus(i64::from(at) * pace);
                let passed =
                    (0..asked).filter(|at| world.ask(RateClass::Read, "a", limit, now(*at)));
                u32::try_from(passed.count()).unwrap()
            };
            let alone = passed(&mut World::new(isolates));
            assert!((limit..=n * limit).contains(&alone), "{n} {limit}: {alone}");

            let mut busy = World::new(isolates);
            for at in 0..MAX_CREDIT * n {
                busy.ask(RateClass::Ingest, &at.to_string(), u32::MAX, MINUTE_10);
            }
            let shared = passed(&mut busy);
            let most = limit + n * limit.div_ceil(4);
            assert!((limit..=most).contains(&shared), "{n} {limit}: {shared}");
        }
    }
}

#[test]
fn limits_are_read_from_pairs() {
    let mut limits = Limits::default();
    assert!(limits.set("read=7") && limits.of(RateClass::Read) == Some(7));
    for bad in [
        "read",
        "read=0",
        "read=-1",
        "unlimited=5",
        "x=1",
        "read=99999999999",
    ] {
        assert!(!limits.set(bad), "{bad}");
    }
}

/// A caller who bursts, waits exactly as long as it is told, and asks again must get through.
#[test]
fn waiting_as_long_as_told_lets_one_request_pass() {
    for limit in [1, 2, 7, 10, 100, 400] {
        for burst in [1, 2, 5, 30] {
            for start in [0, 1, 999, 1_000, 29_999, 30_000, 59_000, 59_999] {
                let now = MINUTE_10.plus(start);
                stores_that_count(limit, burst * limit, now);
                isolates_that_count(limit, burst * limit, now);
            }
        }
    }
}

/// As [`check_shared`] does it: the counter takes refused requests too.
fn stores_that_count(limit: u32, burst: u32, start: Millis) {
    let mut counts: BTreeMap<i64, u32> = BTreeMap::new();
    let mut ask = |now: Millis| {
        let window = now.0.div_euclid(WINDOW);
        let previous = counts.get(&(window - 1)).copied().unwrap_or(0);
        let current = counts.entry(window).or_default();
        *current += 1;
        decide(RateClass::Read, limit, previous, *current - 1, true, now)
    };
    told_the_truth(limit, burst, start, &mut ask);
}

/// As [`Limiter::count`] does it: only what passes counts.
fn isolates_that_count(limit: u32, burst: u32, start: Millis) {
    let mut limiter = Limiter::default();
    let caller = Caller::new("a");
    let mut ask = |now: Millis| limiter.count(RateClass::Read, caller, limit, now).0;
    told_the_truth(limit, burst, start, &mut ask);
}

fn told_the_truth(limit: u32, burst: u32, start: Millis, ask: &mut dyn FnMut(Millis) -> Decision) {
    let mut now = start;
    for round in 0..4 {
        let passed = (0..burst).filter(|_| ask(now).allowed).count();
        assert!(passed <= limit as usize, "{passed} of {limit}");
        let refused = ask(now);
        assert!(!refused.allowed && refused.retry_seconds > 0);
        assert!(refused.retry_seconds <= 61, "{refused:?}");
        now = now.plus(i64::from(refused.retry_seconds) * SECOND);
        let next = ask(now);
        assert!(
            next.allowed,
            "{limit} {burst} {start:?} {round}: {refused:?}"
        );
        assert_eq!(next.retry_seconds, 0);
    }
}

/// Nobody is told to wait a second longer than they must.
#[test]
fn nobody_is_told_to_wait_longer_than_needed() {
    for (limit, previous, current, left) in [
        (100, 100, 0, 60_000),
        (100, 100, 50, 40_000),
        (10, 10, 3, 59_000),
        (5, 0, 5, 100),
        (1, 1, 0, 30_000),
    ] {
        let now = MINUTE_10.plus(WINDOW - left);
        let told = decide(RateClass::Read, limit, previous, current, false, now);
        let passes = |wait: i64| {
            let then = now.plus(wait);
            let next = then.0.div_euclid(WINDOW) > now.0.div_euclid(WINDOW);
            let (previous, current) = if next {
                (current, 0)
            } else {
                (previous, current)
            };
            decide(RateClass::Read, limit, previous, current, false, then).allowed
        };
        let shortest = (0..=120_000).find(|wait| passes(*wait)).unwrap();
        assert_eq!(
            i64::from(told.retry_seconds),
            (shortest + 999) / 1_000,
            "{told:?}"
        );
    }
}

/// Strangers with many addresses use up the counters of an isolate; those of past minutes go first.
#[test]
fn old_counters_go_before_new_ones() {
    let mut limiter = Limiter::default();
    for n in 0..MAX_COUNTERS - 1 {
        limiter.count(RateClass::Read, Caller::new(&n.to_string()), 100, MINUTE_10);
    }
    let later = MINUTE_10.plus(3 * MINUTE);
    for _ in 0..100 {
        count(&mut limiter, later);
    }
    limiter.count(RateClass::Read, Caller::new("one more"), 100, later);
    assert!(!count(&mut limiter, later).allowed);
    assert!(limiter.counters.len() < 10);
}
