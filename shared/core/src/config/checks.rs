//! How single variables are read and judged.

use core::ops::RangeInclusive;

use super::{BreachCheck, Config, ConfigError, Environment};
use crate::guard::rate_limit::Limits;
use crate::port::Level;
use crate::tracking::Tracking;

/// Longest list: what is longer was pasted by mistake, and is walked on every request.
const MAX_LIST: usize = 100;

pub(super) struct Loader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    pub(super) strict: bool,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        // Until ENVIRONMENT has been read, production holds.
        Self {
            get,
            strict: true,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The value, without surrounding blanks; an empty one counts as not set.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        (self.get)(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    pub(super) fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// An error where the rules are strict, a warning elsewhere.
    pub(super) fn weakness(&mut self, text: String) {
        if self.strict {
            self.problems.push(text);
        } else {
            self.warnings.push(text);
        }
    }

    pub(super) fn environment(&mut self) -> Environment {
        let environment = match self.value("ENVIRONMENT").as_deref() {
            Some("development") => Environment::Development,
            Some("test") => Environment::Test,
            Some("staging") => Environment::Staging,
            Some("production") | None => Environment::Production,
            Some(_) => {
                self.problem(
                    "ENVIRONMENT must be development, test, staging or production".to_owned(),
                );
                Environment::Production
            }
        };
        self.strict = environment.is_strict();
        environment
    }

    pub(super) fn text(&self, name: &str, default: &str) -> String {
        self.value(name).unwrap_or_else(|| default.to_owned())
    }

    /// The parts between commas, without blanks; empty parts do not count.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.value(name).unwrap_or_default();
        let parts = text.split(',').map(str::trim);
        let mut list: Vec<_> = parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        if list.len() > MAX_LIST {
            self.problem(format!("{name} lists more than {MAX_LIST} values"));
            list.clear();
        }
        list
    }

    pub(super) fn flag(&mut self, name: &str, default: bool) -> bool {
        match self.value(name).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.problem(format!("{name} must be true or false"));
                default
            }
        }
    }

    /// A number of units of time, in milliseconds.
    pub(super) fn span(
        &mut self,
        name: &str,
        default: usize,
        range: RangeInclusive<usize>,
        unit: i64,
    ) -> i64 {
        let count = i64::try_from(self.size(name, default, range)).unwrap_or_default();
        count.saturating_mul(unit)
    }

    pub(super) fn size(
        &mut self,
        name: &str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        let Some(text) = self.value(name) else {
            return default;
        };
        match text.parse() {
            Ok(size) if range.contains(&size) => size,
            _ => {
                let (least, most) = (range.start(), range.end());
                self.problem(format!(
                    "{name} must be a whole number from {least} to {most}"
                ));
                default
            }
        }
    }

    pub(super) fn breach_check(&mut self) -> Option<BreachCheck> {
        let on = self.choice("PASSWORD_BREACH_CHECK", ["off", "on"]);
        let closed = self.choice("PASSWORD_BREACH_POLICY", ["open", "closed"]);
        let api_base = self.url("HIBP_API_BASE", "https://api.pwnedpasswords.com");
        on.then_some(BreachCheck { api_base, closed })
    }

    /// Whether the second of two words is set; the first is the default.
    fn choice(&mut self, name: &str, words: [&str; 2]) -> bool {
        let [first, second] = words;
        match self.value(name).as_deref() {
            None => false,
            Some(word) if word == first => false,
            Some(word) if word == second => true,
            Some(_) => {
                self.problem(format!("{name} must be {first} or {second}"));
                false
            }
        }
    }

    pub(super) fn security_contact(&mut self) -> Option<String> {
        let contact = self.value("SECURITY_CONTACT")?;
        let known = ["mailto:", "https://", "tel:"];
        // It becomes a line of a text file.
        let sound = contact.bytes().all(|byte| byte.is_ascii_graphic());
        if !sound || !known.iter().any(|scheme| contact.starts_with(scheme)) {
            self.problem("SECURITY_CONTACT must begin with mailto:, https:// or tel:".to_owned());
        }
        Some(contact)
    }

    pub(super) fn log_level(&mut self) -> Level {
        match self.value("LOG_LEVEL").as_deref() {
            Some("debug") => Level::Debug,
            None | Some("info") => Level::Info,
            Some("warn") => Level::Warn,
            Some("error") => Level::Error,
            Some(_) => {
                self.problem("LOG_LEVEL must be debug, info, warn or error".to_owned());
                Level::Info
            }
        }
    }

    pub(super) fn tracking(&mut self) -> Tracking {
        match self.value("REQUEST_TRACKING").as_deref() {
            None | Some("counts") => Tracking::Counts,
            Some("rows") => Tracking::Rows,
            Some("off") => Tracking::Off,
            Some(_) => {
                self.problem("REQUEST_TRACKING must be counts, rows or off".to_owned());
                Tracking::Counts
            }
        }
    }

    pub(super) fn limits(&mut self) -> Limits {
        let limits = Limits::default();
        let text = self.value("RATE_LIMITS").unwrap_or_default();
        limits.with(&text).unwrap_or_else(|| {
            self.problem(
                "RATE_LIMITS must be pairs such as global=600,write=60:bucket: each of global, \
                 write, auth, ingest, ai and payments at most once, a number from 1 to 10000000, and perhaps \
                 sliding, fixed or bucket"
                    .to_owned(),
            );
            limits
        })
    }

    pub(super) fn test_clock(&mut self) -> bool {
        let wanted = self.flag("TEST_CLOCK", false);
        if wanted && self.strict {
            self.problem("TEST_CLOCK must not be true outside development and test".to_owned());
        }
        wanted && !self.strict
    }

    pub(super) fn finish(self, mut config: Config) -> Result<Config, ConfigError> {
        if self.problems.is_empty() {
            config.warnings = self.warnings;
            Ok(config)
        } else {
            Err(ConfigError {
                problems: self.problems,
            })
        }
    }
}
