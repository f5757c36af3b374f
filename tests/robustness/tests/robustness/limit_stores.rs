//! One table of cases, run over everything that counts: an isolate without a store, one with a store
//! that only joins, a store that counts, and SQL. And every route of every function, behind the one
//! guard.

use std::cell::Cell;
use std::collections::BTreeSet;

use edgekeep_core::functions;
use edgekeep_core::guard::exact_limit::Rule;
use edgekeep_core::guard::rate_limit::{Caller, RateClass, charge};
use edgekeep_core::http::Error;
use edgekeep_core::port::{Database as _, Platform};
use edgekeep_core::time::{MINUTE, Millis, SECOND};
use edgekeep_robustness::{Call, Counting, World, run};

/// Ten seconds into a minute.
const START: Millis = Millis(30_000_000 * MINUTE + 10 * SECOND);
const LIMIT: usize = 12;
const RULE: Rule = Rule {
    name: "test",
    hits: 12,
    window: MINUTE,
};

/// Something that limits one request a time: seconds to wait if it refuses.
trait Store {
    async fn ask(&self, who: &str, now: Millis) -> Result<(), u32>;
}

fn waits(error: &Error) -> u32 {
    assert_eq!(error.code().name(), "RATE_LIMITED");
    error.retry_after().expect("how long to wait")
}

/// The general limit of `platform`, as http/limit.rs uses it.
struct General<P>(P);

impl<P: Platform> Store for General<P> {
    async fn ask(&self, who: &str, now: Millis) -> Result<(), u32> {
        let ready = self.0.app().ready().expect("sound");
        let (caller, kv) = (Caller::new(ready, who), Cell::new(0));
        let charged = charge(&self.0, ready, RateClass::Write, caller, now, &kv).await;
        let charged = charged.expect("limited");
        match charged.refusal() {
            Some(error) => {
                charged.undo(&self.0, ready).await;
                Err(waits(&error))
            }
            None => Ok(()),
        }
    }
}

/// The exact limit.
struct Exact(World);

impl Store for Exact {
    async fn ask(&self, who: &str, now: Millis) -> Result<(), u32> {
        let database = self.0.database().expect("bound");
        let rows = database.query(&RULE.hit(who, now)).await.expect("it works");
        RULE.judge(&rows, now).map_err(|error| waits(&error))
    }
}

/// What must hold of every one.
async fn conforms(name: &str, store: &impl Store) {
    let ask = async |who: &str, now: Millis| store.ask(who, now).await;
    // From rest, the limit and no more; and one caller's requests are nobody else's.
    let mut refusals = Vec::new();
    for _ in 0..3 * LIMIT {
        refusals.extend(ask("noisy", START).await.err());
    }
    assert_eq!(refusals.len(), 2 * LIMIT, "{name}");
    ask("calm", START)
        .await
        .unwrap_or_else(|_| panic!("{name}: calm"));
    // The wait is short, and helps.
    let wait = *refusals.first().expect("one");
    assert!((1..=121).contains(&wait), "{name}: {wait}");
    let then = START.plus(i64::from(wait) * SECOND);
    assert_eq!(ask("noisy", then).await, Ok(()), "{name}: after {wait} s");
    // After a rest all of it is there again.
    let later = START.plus(10 * MINUTE);
    for n in 0..LIMIT {
        assert_eq!(ask("noisy", later).await, Ok(()), "{name}: {n}");
    }
    assert!(ask("noisy", later).await.is_err(), "{name}");
    // Addresses of one network are one caller, where addresses are asked for.
    let same = |a: &str, b: &str| {
        edgekeep_core::guard::client::source(a) == edgekeep_core::guard::client::source(b)
    };
    assert!(same("2001:db8::1", "2001:db8::2"));
}

/// Rows: E-10 E-32
#[test]
fn every_store_keeps_the_same_contract() {
    run(async || {
        for algorithm in ["sliding", "fixed", "bucket"] {
            let limits = format!("write={LIMIT}:{algorithm}");
            let world = World::new(&[("RATE_LIMITS", &limits)]).await;
            let name = |store: &str| format!("{store}, {algorithm}");
            world.key_value_down(true);
            conforms(&name("memory"), &General(world.clone())).await;
            world.key_value_down(false);
            let other = world.with(&[("RATE_LIMITS", &limits)]);
            conforms(&name("joining store"), &General(other)).await;
            let counting = Counting::new(&world.with(&[("RATE_LIMITS", &limits)]));
            conforms(&name("counting store"), &General(counting.clone())).await;
            let down = counting.with(&[("RATE_LIMITS", &limits)]);
            down.store_down(true);
            conforms(&name("counting store that fails"), &General(down)).await;
        }
        conforms("SQL", &Exact(World::new(&[]).await)).await;
    });
}

/// The guard stands before every route of every function, by the table alone.
///
/// Rows: E-11 E-12 E-17 E-29
#[test]
fn every_route_is_limited_as_its_table_says() {
    run(async || {
        let limits = "global=1,write=1,auth=1,ingest=1,ai=1,payments=1";
        let world = World::new(&[("RATE_LIMITS", limits)]).await;
        let mut classes = BTreeSet::new();
        for (n, (function, route)) in functions::routes().into_iter().enumerate() {
            let path = route
                .path
                .split('/')
                .map(|part| if part.starts_with(':') { "x" } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            let ask = async || {
                // Each route by an address of its own; nobody has a credential.
                let call = Call::new(route.method.name(), &path);
                world.send(call.from(&format!("2001:db8:9:{n:x}::1"))).await
            };
            let first = ask().await;
            assert_ne!(first.status(), 429, "{function} {}", route.name);
            let second = ask().await;
            let told = second.0.header("ratelimit-policy").unwrap_or_default();
            let limited = route.rate != RateClass::Unlimited;
            assert_eq!(second.status() == 429, limited, "{function} {}", route.name);
            for policy in route.rate.policies() {
                assert!(told.contains(&format!("\"{}\"", policy.name())), "{told}");
            }
            if let Some(policy) = route.rate.policies().first() {
                assert_eq!(second.json()["error"]["policy"], policy.name());
            }
            classes.insert(route.rate);
        }
        assert_eq!(classes.len(), 7);
    });
}
