//! The breakers of one instance, and how they are told to others.

use crate::guard::breaker::{Breaker, OUTBOUND, State};
use crate::time::{Millis, SECOND};

/// After so long an instance looks what others know before it calls.
const LOOK: i64 = 5 * SECOND;
/// Hosts that are kept: more than a configuration names. The one that changed first makes room.
const MAX: usize = 32;
/// [`LIFE`](crate::guard::breaker::LIFE) as a lifetime in the key-value store, in seconds.
pub(super) const LIFE_SECONDS: u32 = 120;

/// What this instance knows of the services that it calls.
#[derive(Debug, Default)]
pub struct Breakers {
    known: Vec<Known>,
    looked: Vec<(&'static str, Millis)>,
}

#[derive(Debug)]
struct Known {
    target: &'static str,
    host: String,
    breaker: Breaker,
}

impl Breakers {
    /// Whether others should be asked about this target; if so, whoever asked this does it.
    pub(super) fn is_due(&mut self, target: &'static str, now: Millis) -> bool {
        let looked = self.looked.iter_mut().find(|(name, _)| *name == target);
        let Some((_, at)) = looked else {
            self.looked.push((target, now));
            return true;
        };
        let due = now.since(*at).abs() >= LOOK;
        if due {
            *at = now;
        }
        due
    }

    /// As [`Breaker::admit`].
    pub(super) fn admit(
        &mut self,
        target: &'static str,
        host: &str,
        now: Millis,
    ) -> Result<State, i64> {
        let known = self.find(target, host);
        known.map_or(Ok(State::Closed), |breaker| breaker.admit(OUTBOUND, now))
    }

    /// Takes the end of a call: whether anything changed, and the state if it is another one.
    pub(super) fn settle(
        &mut self,
        target: &'static str,
        host: &str,
        failed: bool,
        now: Millis,
    ) -> (bool, Option<State>) {
        if failed && self.find(target, host).is_none() {
            self.insert(target, host, Breaker::default());
        }
        // Of what never failed there is nothing to keep.
        let Some(breaker) = self.find(target, host) else {
            return (false, None);
        };
        let state = breaker.settle(OUTBOUND, failed, now);
        (breaker.changed_at == now, state)
    }

    /// The worst of a target's hosts.
    pub(crate) fn state(&self, target: &str, now: Millis) -> State {
        let own = self.known.iter().filter(|known| known.target == target);
        let states = own.map(|known| known.breaker.state(OUTBOUND, now));
        states.max().unwrap_or(State::Closed)
    }

    /// What is known of a target: a line for each host, with failures, last change, and until when
    /// nobody calls.
    pub(super) fn told(&self, target: &str, now: Millis) -> String {
        let mut text = String::new();
        for known in &self.known {
            let breaker = &known.breaker;
            if known.target != target || !breaker.holds(now) {
                continue;
            }
            text.push_str(&known.host);
            let numbers = [
                i64::from(breaker.failures),
                breaker.changed_at.0,
                breaker.open_until.0,
            ];
            for number in numbers {
                text.push(' ');
                text.push_str(&number.to_string());
            }
            text.push('\n');
        }
        text
    }

    /// Takes what others told, where it is newer than what is known here.
    pub(super) fn learn(&mut self, target: &'static str, told: &str, now: Millis) {
        for line in told.lines() {
            let Some((host, theirs)) = read(line) else {
                continue;
            };
            if !theirs.holds(now) {
                continue;
            }
            match self.find(target, host) {
                Some(ours) if !tells_more(&theirs, ours, now) => {}
                Some(ours) => *ours = theirs,
                None => self.insert(target, host, theirs),
            }
        }
    }

    fn find(&mut self, target: &str, host: &str) -> Option<&mut Breaker> {
        let found = self
            .known
            .iter_mut()
            .find(|known| known.target == target && known.host == host);
        found.map(|known| &mut known.breaker)
    }

    fn insert(&mut self, target: &'static str, host: &str, breaker: Breaker) {
        let host = host.to_owned();
        let known = Known {
            target,
            host,
            breaker,
        };
        if self.known.len() < MAX {
            self.known.push(known);
            return;
        }
        let oldest = self
            .known
            .iter_mut()
            .min_by_key(|known| known.breaker.changed_at);
        if let Some(oldest) = oldest {
            *oldest = known;
        }
    }
}

/// Of two counts of failures the higher one holds, whoever saw the last of them. A success that
/// came after them ends both.
fn tells_more(theirs: &Breaker, ours: &Breaker, now: Millis) -> bool {
    if !ours.holds(now) {
        return true;
    }
    if theirs.failures > 0 && ours.failures > 0 {
        return (theirs.failures, theirs.changed_at) > (ours.failures, ours.changed_at);
    }
    theirs.changed_at > ours.changed_at
}

fn read(line: &str) -> Option<(&str, Breaker)> {
    let mut parts = line.split(' ');
    let host = parts.next()?;
    let mut number = || parts.next()?.parse::<i64>().ok();
    let breaker = Breaker {
        failures: u32::try_from(number()?).ok()?,
        changed_at: Millis(number()?),
        open_until: Millis(number()?),
    };
    let pause = breaker.open_until.since(breaker.changed_at);
    // Nobody writes that a pause is longer, and nobody is to wait for it.
    (pause <= OUTBOUND.pause).then_some((host, breaker))
}

/// The host and port of a URL; one name for all that are odd.
pub(super) fn host(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || host.len() > 255 || !host.chars().all(plain) {
        return "other".to_owned();
    }
    host.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000_000);

    fn trip(breakers: &mut Breakers, host: &str, now: Millis) {
        for _ in 0..OUTBOUND.failures {
            breakers.settle("a", host, true, now);
        }
    }

    /// Rows: P-10 P-11
    #[test]
    fn another_instance_learns_of_a_trip_and_of_its_end() {
        let (mut one, mut other) = (Breakers::default(), Breakers::default());
        trip(&mut one, "x.test", START);
        assert!(one.admit("a", "x.test", START).is_err());
        assert_eq!(one.admit("a", "y.test", START), Ok(State::Closed));
        assert_eq!(one.admit("b", "x.test", START), Ok(State::Closed));
        assert_eq!(other.admit("a", "x.test", START), Ok(State::Closed));
        other.learn("a", &one.told("a", START), START);
        assert_eq!(other.admit("a", "x.test", START), Err(30_000));
        assert_eq!(other.state("a", START), State::Open);
        let later = START.plus(31_000);
        assert_eq!(one.admit("a", "x.test", later), Ok(State::HalfOpen));
        other.learn("a", &one.told("a", later), later);
        // The probe of one is enough.
        assert!(other.admit("a", "x.test", later).is_err());
        let (changed, state) = one.settle("a", "x.test", false, later.plus(1));
        assert!(changed && state == Some(State::Closed));
        other.learn("a", &one.told("a", later), later);
        assert_eq!(other.admit("a", "x.test", later), Ok(State::Closed));
    }

    #[test]
    fn what_is_old_or_odd_is_not_believed() {
        let mut breakers = Breakers::default();
        let at = START.0;
        let odd = [
            format!("x.test 5 {at} {}", at + 600_000),
            format!("x.test 5 {} {at}", at - 120_000),
            format!("x.test 5 {} {at}", at + 120_000),
            "x.test 5".to_owned(),
            "x.test -1 0 0".to_owned(),
            String::new(),
        ];
        for line in odd {
            breakers.learn("a", &line, START);
            assert_eq!(breakers.state("a", START), State::Closed, "{line}");
        }
        trip(&mut breakers, "x.test", START);
        breakers.settle("a", "x.test", false, START.plus(2));
        breakers.learn("a", &format!("x.test 5 {at} {}", at + 30_000), START);
        assert_eq!(breakers.state("a", START.plus(2)), State::Closed);
    }

    #[test]
    fn others_are_asked_once_in_a_while_and_memory_is_bounded() {
        let mut breakers = Breakers::default();
        assert!(breakers.is_due("a", START) && breakers.is_due("b", START));
        assert!(!breakers.is_due("a", START.plus(4_999)));
        assert!(breakers.is_due("a", START.plus(5_000)));
        for n in 0..1_000 {
            trip(&mut breakers, &format!("{n}.test"), START.plus(n));
        }
        assert_eq!(breakers.known.len(), MAX);
        assert!(breakers.admit("a", "999.test", START.plus(999)).is_err());
    }

    #[test]
    fn hosts_are_of_urls() {
        assert_eq!(host("https://API.example.com/v1?x"), "api.example.com");
        assert_eq!(host("http://127.0.0.1:8190"), "127.0.0.1:8190");
        for odd in ["", "x", "https://a b/", "https://user@a/", "https:///x"] {
            assert_eq!(host(odd), "other", "{odd}");
        }
    }
}
