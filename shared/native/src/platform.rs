//! The bundle of ports.

use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edgekeep_core::app::App;
use edgekeep_core::port::{self, EntropyError, Level, Missing};
use edgekeep_core::time::Millis;

use crate::{Client, Database, Memory, Wakes};

/// The ports of this process. A clone is a handle to the same things.
#[derive(Debug, Clone)]
pub struct Platform {
    parts: Rc<Parts>,
}

#[derive(Debug)]
struct Parts {
    app: App,
    database: Database,
    key_value: Memory,
    outbound: Client,
    wakes: Wakes,
}

impl Platform {
    /// Ties the ports together.
    pub fn new(app: App, database: Database, wakes: Wakes) -> Self {
        Self::on(app, database, Memory::default(), wakes)
    }

    /// The same on this key-value store.
    pub fn on(app: App, database: Database, key_value: Memory, wakes: Wakes) -> Self {
        let parts = Parts {
            app,
            database,
            key_value,
            outbound: Client::default(),
            wakes,
        };
        Self {
            parts: Rc::new(parts),
        }
    }
}

impl port::Platform for Platform {
    type Database = Database;
    type KeyValue = Memory;
    type Outbound = Client;
    type Queue = Wakes;
    /// A write costs little here, and a process that is stopped waits for it.
    const GATHER: u32 = 1_000;

    fn app(&self) -> &App {
        &self.parts.app
    }

    fn database(&self) -> Result<&Database, Missing> {
        Ok(&self.parts.database)
    }

    fn key_value(&self) -> Option<&Memory> {
        Some(&self.parts.key_value)
    }

    fn outbound(&self) -> &Client {
        &self.parts.outbound
    }

    fn queue(&self) -> &Wakes {
        &self.parts.wakes
    }

    fn now(&self) -> Millis {
        now()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|_| EntropyError)
    }

    fn log(&self, _: Level, line: &str) {
        // A closed stderr is no reason to fail a request.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    async fn sleep(&self, millis: u32) {
        tokio::time::sleep(Duration::from_millis(u64::from(millis))).await;
    }

    fn defer(&self, work: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(work);
    }
}

/// The machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the native clock port is made of it"
)]
pub fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
