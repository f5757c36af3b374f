//! What one isolate keeps between requests.

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::auth::token::{TokenCache, TokenKeys};
use crate::config::{Config, ConfigError, VARIABLES};
use crate::guard::rate_limit::Limiter;

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
    /// Access tokens that this isolate has verified before.
    pub tokens: RefCell<TokenCache>,
    /// Counters of the general rate limit.
    pub limiter: RefCell<Limiter>,
    /// Whether the configuration's warnings are in the log.
    pub warned: Cell<bool>,
    /// Tenants of API keys that this isolate has seen.
    pub key_tenants: RefCell<KeyTenants>,
}

/// Which tenant an API key belongs to, by the hash of its secret. A key never changes its
/// tenant, so this is never stale; whether the key still holds is asked every time.
#[derive(Debug, Default)]
pub struct KeyTenants(BTreeMap<String, String>);

impl KeyTenants {
    const MAX: usize = 4_096;

    /// The tenant, if this key was seen.
    pub fn get(&self, secret_hash: &str) -> Option<String> {
        self.0.get(secret_hash).cloned()
    }

    /// Remembers; forgets everything first when full.
    pub fn learn(&mut self, secret_hash: &str, tenant: &str) {
        if self.0.contains_key(secret_hash) {
            return;
        }
        if self.0.len() >= Self::MAX {
            self.0.clear();
        }
        self.0.insert(secret_hash.to_owned(), tenant.to_owned());
    }
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
            config,
            tokens: RefCell::default(),
            limiter: RefCell::default(),
            warned: Cell::default(),
            key_tenants: RefCell::default(),
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
