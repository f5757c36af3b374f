//! Parsers of what strangers send, tried with what is drawn: rules that must hold for any input.
//!
//! Each property runs for a third of a second, or for `FUZZ_MS` milliseconds. A failure makes its input small and
//! prints a seed; put `.seed(…)` into `check` to see it again.

mod credentials;
mod draw;
mod headers;
mod values;

use std::cell::RefCell;

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use edgekeep_robustness::{Answer, Call, Founder, World, text};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

/// Tries a property with as many inputs as there is time for.
#[expect(clippy::disallowed_methods, reason = "a test has an environment")]
fn check(property: impl FnMut(&mut Unstructured<'_>) -> Result<()>) {
    let millis = std::env::var("FUZZ_MS")
        .ok()
        .and_then(|text| text.parse().ok());
    arbtest(property).budget_ms(millis.unwrap_or(300));
}

/// A world that can be asked from code that does not wait.
struct Bench {
    runtime: Runtime,
    local: LocalSet,
    world: World,
    founder: Founder,
    /// May read usage, from 198.51.100.7 alone.
    key: String,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let local = LocalSet::new();
        let (world, founder, key) = local.block_on(&runtime, async {
            let world = World::new(&[]).await;
            let founder = world.founder("f@example.com").await;
            let body =
                json!({"name": "k", "scopes": ["usage:read"], "allowed_ips": ["198.51.100.7"]});
            let call = Call::post("/api/v1/api-keys", &body).bearer(&founder.access);
            let key = text(&world.send(call).await.data(201)["key"]);
            (world, founder, key)
        });
        Self {
            runtime,
            local,
            world,
            founder,
            key,
        }
    }

    fn send(&self, call: Call) -> Answer {
        self.local.block_on(&self.runtime, self.world.send(call))
    }

    /// Status and error code of an answer.
    fn told(&self, call: Call) -> (u16, String) {
        let answer = self.send(call);
        let body = answer.json();
        let code = body["error"]["code"].as_str().unwrap_or_default();
        (answer.status(), code.to_owned())
    }
}

/// How often each side of a property was seen: one that never meets both shows nothing, unless the machine
/// had no time for many.
#[derive(Default)]
struct Sides(RefCell<(u32, u32)>);

impl Sides {
    fn saw(&self, yes: bool) {
        let mut sides = self.0.borrow_mut();
        if yes {
            sides.0 += 1;
        } else {
            sides.1 += 1;
        }
    }

    #[track_caller]
    fn both(&self) {
        let (yes, no) = *self.0.borrow();
        assert!(yes + no < 400 || (yes > 0 && no > 0), "{yes} and {no}");
    }
}
