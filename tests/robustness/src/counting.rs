//! The same world with a store that counts atomically, as Spin's does, and can fail.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use edgekeep_core::app::App;
use edgekeep_core::functions;
use edgekeep_core::port::{self, EntropyError, KeyValueError, Level, Missing};
use edgekeep_core::time::Millis;
use edgekeep_native::{Memory, Wakes};

use crate::{Answer, Call, FaultyDatabase, Network, World};

/// The store, which remembers the keys of its counters.
#[derive(Default)]
pub struct CountingStore {
    memory: Memory,
    down: Cell<bool>,
    counters: std::cell::RefCell<BTreeSet<(String, i64)>>,
}

/// A world whose store counts.
#[derive(Clone)]
pub struct Counting {
    /// Everything but the store.
    pub world: World,
    store: Rc<CountingStore>,
}

impl Counting {
    pub fn new(world: &World) -> Self {
        Self {
            world: world.clone(),
            store: Rc::default(),
        }
    }

    /// Another instance, on the same database and store.
    #[must_use]
    pub fn with(&self, changes: &[(&str, &str)]) -> Self {
        Self {
            world: self.world.with(changes),
            store: self.store.clone(),
        }
    }

    pub fn store_down(&self, down: bool) {
        self.store.down.set(down);
    }

    /// Every counter's key, and how many milliseconds after its first request it ends.
    pub fn counters(&self) -> Vec<(String, i64)> {
        self.store.counters.borrow().iter().cloned().collect()
    }

    pub async fn send(&self, call: Call) -> Answer {
        Answer(functions::serve(self, call).await)
    }
}

impl CountingStore {
    fn up(&self) -> Result<&Memory, KeyValueError> {
        let up = (!self.down.get()).then_some(&self.memory);
        up.ok_or_else(|| KeyValueError("injected".to_owned()))
    }
}

impl port::KeyValue for CountingStore {
    const COUNTS: bool = true;

    async fn get(&self, key: &str, now: Millis) -> Result<Option<String>, KeyValueError> {
        self.up()?.get(key, now).await
    }
    async fn put(
        &self,
        key: &str,
        value: &str,
        ttl: u32,
        now: Millis,
    ) -> Result<(), KeyValueError> {
        self.up()?.put(key, value, ttl, now).await
    }
    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.up()?.delete(key).await
    }
    async fn add(&self, key: &str, amount: i64, ends: Millis) -> Result<i64, KeyValueError> {
        let total = self.up()?.add(key, amount, ends).await?;
        let lives = ends.since(Millis(now()));
        self.counters.borrow_mut().insert((key.to_owned(), lives));
        Ok(total)
    }
    async fn sweep(&self, now: Millis, limit: u32) -> Result<u32, KeyValueError> {
        self.up()?.sweep(now, limit).await
    }
}

#[allow(clippy::disallowed_methods, reason = "a test may look at the clock")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("a date")
}

impl port::Platform for Counting {
    type Database = FaultyDatabase;
    type KeyValue = CountingStore;
    type Outbound = Network;
    type Queue = Wakes;
    const GATHER: u32 = u32::MAX;

    fn app(&self) -> &App {
        self.world.app()
    }
    fn database(&self) -> Result<&FaultyDatabase, Missing> {
        self.world.database()
    }
    fn key_value(&self) -> Option<&CountingStore> {
        Some(&self.store)
    }
    fn outbound(&self) -> &Network {
        self.world.outbound()
    }
    fn queue(&self) -> &Wakes {
        self.world.queue()
    }
    fn now(&self) -> Millis {
        self.world.now()
    }
    fn random(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.world.random(bytes)
    }
    fn log(&self, level: Level, line: &str) {
        self.world.log(level, line);
    }
    fn sleep(&self, millis: u32) -> impl Future<Output = ()> {
        self.world.sleep(millis)
    }
    fn defer(&self, work: impl Future<Output = ()> + 'static) {
        self.world.defer(work);
    }
}
