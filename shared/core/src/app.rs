//! What one isolate keeps between requests.

use core::cell::{Cell, OnceCell, RefCell};

use crate::audit::AuditKeys;
use crate::auth::oauth::Issuer;
use crate::auth::password::Memory;
use crate::auth::token::{TokenCache, TokenKeys};
use crate::cache::Cache;
use crate::config::{Config, ConfigError, VARIABLES};
use crate::generations::Generations;
use crate::guard::abuse::Watch;
use crate::guard::breaker::{DATABASE, KEY_VALUE, OwnBreaker};
use crate::guard::rate_limit::Limiter;
use crate::http::database;
use crate::key_value;
use crate::metrics::Metrics;
use crate::organizations::api_keys::uses::Uses;
use crate::outbound::Breakers;

/// Configuration, derived keys and bounded caches of one isolate. Adapters build it once and
/// hand it out by [`crate::port::Platform::app`].
#[derive(Debug)]
pub struct App {
    ready: Result<Ready, ConfigError>,
    variables: Vec<(&'static str, bool)>,
}

/// An [`App`] whose configuration is sound.
#[derive(Debug)]
pub struct Ready {
    /// The configuration.
    pub config: Config,
    /// Keys derived from it.
    pub keys: TokenKeys,
    /// Keys of the audit log.
    pub audit: AuditKeys,
    /// Access tokens that this isolate has verified before.
    pub tokens: RefCell<TokenCache>,
    /// Counters of the general rate limit.
    pub limiter: RefCell<Limiter>,
    /// What callers do wrong.
    pub watch: RefCell<Watch>,
    /// Whether the configuration's warnings are in the log.
    pub warned: Cell<bool>,
    /// Whether the log says that a proxy seems to stand in front.
    pub proxy_warned: Cell<bool>,
    /// Which tenant an API key belongs to, by the hash of its secret. A key never changes its tenant, so
    /// this is never stale; whether the key still holds is asked every time. Only keys that were let
    /// in may come here: anybody can make up others, and they would push out those that count.
    pub key_tenants: RefCell<Generations<String, String, 2_048>>,
    /// Issuers whose tokens are exchanged, or what is wrong with their list.
    pub issuers: OnceCell<Result<Vec<Issuer>, String>>,
    /// Documents of providers and issuers.
    pub cache: RefCell<Cache>,
    /// How often API keys were used.
    pub uses: RefCell<Uses>,
    /// Which of the services that we call fail.
    pub breakers: RefCell<Breakers>,
    /// Whether the key-value store fails.
    pub(crate) key_value: OwnBreaker,
    /// Whether the database cannot be reached.
    pub(crate) database: OwnBreaker,
    /// What was counted and is not written yet.
    pub metrics: RefCell<Metrics>,
    /// Where passwords are hashed.
    pub(crate) hashing: Memory,
}

impl App {
    /// Reads the configuration by `get` and derives the keys.
    pub fn new(get: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name| get(name).is_some_and(|value| !value.trim().is_empty());
        let variables = VARIABLES
            .iter()
            .map(|variable| (variable.name, is_set(variable.name)))
            .collect();
        let ready = Config::load(&get).map(|config| Ready {
            keys: TokenKeys::derive(&config),
            audit: AuditKeys::derive(&config),
            config,
            tokens: RefCell::default(),
            limiter: RefCell::default(),
            watch: RefCell::default(),
            warned: Cell::default(),
            proxy_warned: Cell::default(),
            key_tenants: RefCell::default(),
            issuers: OnceCell::new(),
            cache: RefCell::default(),
            uses: RefCell::default(),
            breakers: RefCell::default(),
            key_value: OwnBreaker::new(key_value::NAME, KEY_VALUE),
            database: OwnBreaker::new(database::NAME, DATABASE),
            metrics: RefCell::default(),
            hashing: Memory::default(),
        });
        Self { ready, variables }
    }

    /// Every variable by name, and whether it is set; never its value.
    pub fn variables(&self) -> &[(&'static str, bool)] {
        &self.variables
    }

    /// The working parts.
    ///
    /// # Errors
    /// The problems of the configuration; every route but the liveness probe answers 503 then.
    pub fn ready(&self) -> Result<&Ready, &ConfigError> {
        self.ready.as_ref()
    }
}
