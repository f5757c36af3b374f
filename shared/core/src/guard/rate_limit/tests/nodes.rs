//! Several isolates that join their counts in a store that shows a value late, in simulated time.
//! What is asserted here stands in docs/rate-limiting.md.

use super::*;
use crate::guard::rate_limit::decide::cost;

/// Isolates and the store that they share.
struct World {
    isolates: Vec<Limiter>,
    /// What was written, and when.
    written: BTreeMap<i64, Vec<(Millis, i64)>>,
    /// How long a read does not see a write.
    lag: i64,
    requests: u32,
    calls: u32,
}

impl World {
    fn new(isolates: u32, lag: i64, busy: bool) -> Self {
        let mut isolates: Vec<_> = (0..isolates).map(|_| Limiter::default()).collect();
        if busy {
            isolates.iter_mut().for_each(Limiter::earn);
        }
        Self {
            isolates,
            written: BTreeMap::new(),
            lag,
            requests: 0,
            calls: 0,
        }
    }

    /// One request in the next isolate, and the merge that follows it.
    fn ask(&mut self, name: &str, quota: Quota, now: Millis) -> bool {
        let (policy, caller) = (Policy::Write, caller(name));
        let at = self.requests as usize % self.isolates.len();
        self.requests += 1;
        let isolate = &mut self.isolates[at];
        let (seen, due) = isolate.count(policy, caller, quota, now);
        let allowed = Verdict::new(quota, seen, now).allowed;
        if !allowed {
            isolate.undo(policy, caller, quota, seen);
        }
        if due {
            self.calls += 2;
            let writes = self.written.entry(seen.window).or_default();
            let seen_by = now.minus(self.lag);
            let stored = writes.iter().rev().find(|(at, _)| *at <= seen_by);
            let stored = stored.map_or(0, |(_, value)| *value);
            if let Some((total, ours)) = isolate.join(policy, caller, quota, seen.window, stored) {
                writes.push((now, total));
                isolate.pushed(policy, caller, seen.window, ours);
            }
        }
        allowed
    }

    /// How many of `load` times the limit pass in one minute, evenly spread.
    fn minute(&mut self, quota: Quota, load: u32) -> u32 {
        let asked = load * quota.limit;
        let pace = |n: u32| i64::from(n) * MINUTE / i64::from(asked);
        let passed = (0..asked).filter(|n| self.ask("a", quota, START.plus(pace(*n))));
        u32::try_from(passed.count()).unwrap()
    }
}

/// Rows: E-08 E-10
#[test]
fn nodes_keep_to_the_stated_bounds() {
    for algorithm in ALGORITHMS {
        for limit in [10, 100, 600] {
            let quota = Quota { limit, algorithm };
            // A bucket gives what it holds, and what drips in meanwhile.
            let whole = if algorithm == Algorithm::Bucket {
                2 * limit
            } else {
                limit
            };
            for nodes in [1, 3, 9] {
                for load in [2, 10] {
                    let stated = [
                        // Without a lag: each node holds back a quarter of the limit at most, if
                        // it has credit.
                        (0, true, whole + nodes * limit.div_ceil(4)),
                        // With one, or without credit, each counts alone.
                        (5_000, true, nodes * whole),
                        (60_000, true, nodes * whole),
                        (60_000, false, nodes * whole),
                    ];
                    for (lag, busy, most) in stated {
                        let passed = World::new(nodes, lag, busy).minute(quota, load * nodes);
                        let most = most.min(nodes * whole);
                        assert!(
                            (limit..=most).contains(&passed),
                            "{quota:?}, {nodes} nodes, lag {lag}, {load}: {passed}, not {most}"
                        );
                    }
                }
            }
        }
    }
}

/// Rows: E-31
#[test]
fn the_page_states_the_bounds_that_are_asserted() {
    let page = include_str!("../../../../../../docs/rate-limiting.md");
    for nodes in [1, 3, 9] {
        let credit = (100 + nodes * 25).min(nodes * 100);
        let row = format!("| {nodes} | {credit} | {} |", nodes * 100);
        assert!(page.contains(&row), "{row}");
    }
}

/// Rows: E-08
#[test]
fn one_node_is_exact_and_nobody_within_the_limit_is_refused() {
    for limit in [10, 100, 600] {
        for algorithm in [Algorithm::Sliding, Algorithm::Fixed] {
            let quota = Quota { limit, algorithm };
            assert_eq!(World::new(1, 60_000, true).minute(quota, 5), limit);
            for nodes in [1, 3, 9] {
                for lag in [0, 60_000] {
                    assert_eq!(World::new(nodes, lag, true).minute(quota, 1), limit);
                }
            }
        }
    }
}

/// Rows: AC-11
#[test]
fn a_request_costs_a_tenth_of_a_kv_call_at_most() {
    for (limit, callers, pace) in [(10, 1, 6_000), (10, 5, 1_000), (30, 3, 500), (100, 1, 600)] {
        for algorithm in ALGORITHMS {
            let quota = Quota { limit, algorithm };
            for nodes in [1, 2, 5] {
                let mut world = World::new(nodes, 0, false);
                for n in 0..2_000 {
                    let now = START.plus(i64::from(n) * pace);
                    world.ask(&(n % callers).to_string(), quota, now);
                    assert!(
                        world.calls * 10 <= world.requests,
                        "{quota:?} {callers} {n}"
                    );
                }
            }
        }
    }
}

/// A store that has lost a write, or shows an old one, takes nothing back that was known.
#[test]
fn what_was_known_is_not_forgotten_by_a_stale_read() {
    for algorithm in ALGORITHMS {
        let quota = Quota {
            limit: 100,
            algorithm,
        };
        let (policy, caller) = (Policy::Write, caller("a"));
        let mut limiter = Limiter::default();
        let (mut seen, _) = limiter.count(policy, caller, quota, START);
        for _ in 0..39 {
            (seen, _) = limiter.count(policy, caller, quota, START);
        }
        let (total, ours) = limiter.join(policy, caller, quota, seen.window, 0).unwrap();
        assert_eq!((total, ours), (seen.current + cost(quota), 40));
        limiter.pushed(policy, caller, seen.window, ours);
        let (again, none) = limiter.join(policy, caller, quota, seen.window, 3).unwrap();
        assert_eq!((again, none), (total, 0));
    }
}
