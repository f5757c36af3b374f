//! The bundle of ports, built once for an instance.

use core::cell::OnceCell;
use core::future::Future;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::rc::Rc;

use edgekeep_core::app::App;
use edgekeep_core::config::VARIABLES;
use edgekeep_core::port::{EntropyError, Level, Missing, Platform};
use edgekeep_core::time::Millis;
use spin_sdk::time::sleep;
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::system_clock;
use spin_sdk::wasip3::random::random::get_random_bytes;
use spin_sdk::wasip3::spawn;

use crate::database::SpinDatabase;
use crate::key_value::SpinKeyValue;
use crate::outbound::{NoQueue, SpinOutbound};

/// The variable that chooses PostgreSQL.
const DATABASE_URL: &str = "database_url";

thread_local! {
    static PLATFORM: OnceCell<SpinPlatform> = const { OnceCell::new() };
}

/// A handle to what the instance keeps.
#[derive(Clone)]
pub(crate) struct SpinPlatform(Rc<Parts>);

struct Parts {
    app: App,
    database: SpinDatabase,
    key_value: Option<SpinKeyValue>,
    outbound: SpinOutbound,
    queue: NoQueue,
}

impl SpinPlatform {
    /// The instance's platform. Requests that arrive together while there is none build one
    /// each, and the first is kept: waiting for each other is not possible here.
    pub(crate) async fn current() -> Self {
        if let Some(kept) = PLATFORM.with(|cell| cell.get().cloned()) {
            return kept;
        }
        let settings = Settings::read().await;
        let built = Self(Rc::new(Parts {
            app: App::new(|name| settings.values.get(name).cloned()),
            database: SpinDatabase::new(settings.database_url),
            key_value: SpinKeyValue::open().await,
            outbound: SpinOutbound,
            queue: NoQueue,
        }));
        if settings.complete {
            PLATFORM.with(|cell| cell.get_or_init(|| built).clone())
        } else {
            // The next request asks the provider again.
            built
        }
    }
}

/// The variables of the component.
struct Settings {
    values: BTreeMap<&'static str, String>,
    database_url: String,
    /// Whether every provider answered.
    complete: bool,
}

impl Settings {
    async fn read() -> Self {
        let mut settings = Self {
            values: BTreeMap::new(),
            database_url: String::new(),
            complete: true,
        };
        for variable in VARIABLES {
            if let Some(value) = settings.variable(&variable.name.to_ascii_lowercase()).await {
                settings.values.insert(variable.name, value);
            }
        }
        if let Some(url) = settings.variable(DATABASE_URL).await {
            url.trim().clone_into(&mut settings.database_url);
        }
        settings
    }

    async fn variable(&mut self, name: &str) -> Option<String> {
        match variables::get(name).await {
            Ok(value) => Some(value),
            Err(variables::Error::Undefined(_)) => None,
            Err(error) => {
                self.complete = false;
                // The name only: a provider's message may quote what it was asked with.
                let kind = match error {
                    variables::Error::InvalidName(_) => "its name is not valid",
                    _ => "its provider failed",
                };
                write_line(&format!(
                    "{{\"level\":\"error\",\"event\":\"variable\",\"name\":\"{name}\",\"cause\":\"{kind}\"}}"
                ));
                None
            }
        }
    }
}

/// Spin collects stderr. One write a line, so that lines of several requests do not mix.
fn write_line(line: &str) {
    let mut text = String::with_capacity(line.len().saturating_add(1));
    text.push_str(line);
    text.push('\n');
    // Who cannot log cannot complain about it either.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

impl Platform for SpinPlatform {
    type Database = SpinDatabase;
    type KeyValue = SpinKeyValue;
    type Outbound = SpinOutbound;
    type Queue = NoQueue;
    /// Spin ends an instance after some requests, or a moment without any.
    const LASTS: bool = false;
    /// An instance with deferred work is not ended, but it holds its memory so long.
    const GATHER: u32 = 500;

    fn app(&self) -> &App {
        &self.0.app
    }

    fn database(&self) -> Result<&SpinDatabase, Missing> {
        Ok(&self.0.database)
    }

    fn key_value(&self) -> Option<&SpinKeyValue> {
        self.0.key_value.as_ref()
    }

    fn outbound(&self) -> &SpinOutbound {
        &self.0.outbound
    }

    fn queue(&self) -> &NoQueue {
        &self.0.queue
    }

    fn now(&self) -> Millis {
        let instant = system_clock::now();
        let millis = i64::from(instant.nanoseconds).div_euclid(1_000_000);
        Millis(instant.seconds.saturating_mul(1_000).saturating_add(millis))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let mut rest = bytes;
        // WASI may give fewer bytes than asked for.
        while !rest.is_empty() {
            let drawn = get_random_bytes(u64::try_from(rest.len()).unwrap_or(u64::MAX));
            let Some((filled, left)) = rest.split_at_mut_checked(drawn.len()) else {
                return Err(EntropyError);
            };
            if filled.is_empty() {
                return Err(EntropyError);
            }
            filled.copy_from_slice(&drawn);
            rest = left;
        }
        Ok(())
    }

    fn log(&self, _level: Level, line: &str) {
        write_line(line);
    }

    async fn sleep(&self, millis: u32) {
        sleep(Duration::from_millis(millis.into())).await;
    }

    fn defer(&self, work: impl Future<Output = ()> + 'static) {
        spawn(work);
    }
}
