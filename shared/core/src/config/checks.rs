//! How single variables are read and judged.

use core::ops::RangeInclusive;

use super::{Config, ConfigError, Environment, MailProvider, Secret};
use crate::guard::rate_limit::Limits;
use crate::port::Level;

/// Shortest key, in characters (256 bits of base64 are 44; OWASP asks for 256 bits or more).
const MIN_KEY_CHARS: usize = 32;

/// Parts of values that are found in examples and tutorials.
const SAMPLES: [&str; 8] = [
    "changeme",
    "change-me",
    "change_me",
    "your_",
    "your-",
    "example",
    "placeholder",
    "xxxx",
];

pub(super) struct Loader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    strict: bool,
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
    fn value(&self, name: &str) -> Option<String> {
        (self.get)(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// An error where the rules are strict, a warning elsewhere.
    fn weakness(&mut self, text: String) {
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

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let text = self.value(name).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn secrets(&self, name: &str) -> Vec<Secret> {
        self.list(name).into_iter().map(Secret).collect()
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

    /// A signing key: required everywhere, long and unlike a sample where strict.
    pub(super) fn key(&mut self, name: &str) -> Secret {
        let Some(text) = self.value(name) else {
            self.problem(format!(
                "{name} is not set (scripts/secret prints a new one)"
            ));
            return Secret(String::new());
        };
        if text.chars().count() < MIN_KEY_CHARS {
            self.weakness(format!("{name} has fewer than {MIN_KEY_CHARS} characters"));
        }
        if is_sample(&text) {
            self.weakness(format!("{name} looks like a sample value"));
        }
        Secret(text)
    }

    pub(super) fn check_keys_differ(&mut self, config: &Config) {
        let keys = [
            ("JWT_SECRET", &config.jwt_secret),
            ("JWT_REFRESH_SECRET", &config.refresh_secret),
            ("SERVICE_JWT_SECRET", &config.service_secret),
        ];
        for (index, (name, key)) in keys.iter().enumerate() {
            for (other_name, other) in keys.iter().skip(index.saturating_add(1)) {
                if !key.expose().is_empty() && key == other {
                    self.weakness(format!("{name} and {other_name} must differ"));
                }
            }
        }
    }

    pub(super) fn url(&mut self, name: &str, default: &str) -> String {
        let given = self.value(name);
        if given.is_none() && self.strict && default.contains("127.0.0.1") {
            self.problem(format!("{name} is not set"));
        }
        let url = given.unwrap_or_else(|| default.to_owned());
        let secure = url.strip_prefix("https://");
        let host = secure
            .or_else(|| url.strip_prefix("http://"))
            .unwrap_or_default();
        if host.is_empty() || host.starts_with('/') || url.contains(char::is_whitespace) {
            self.problem(format!("{name} must be an http or https URL"));
        } else if secure.is_none() {
            // Not a problem on a laptop, so not even a warning there.
            if self.strict {
                self.problem(format!("{name} must be https"));
            }
        }
        url.trim_end_matches('/').to_owned()
    }

    pub(super) fn origins(&mut self, name: &str) -> Vec<String> {
        let origins = self.list(name);
        for origin in &origins {
            let host = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"))
                .unwrap_or_default();
            if host.is_empty() || host.contains(['/', '*']) {
                self.problem(format!(
                    "{name} must list exact origins such as https://app.example.com; \
                     wildcards and paths are refused"
                ));
                break;
            }
        }
        origins
    }

    pub(super) fn webhook_secrets(&mut self, billing: bool) -> Vec<Secret> {
        let name = "STRIPE_WEBHOOK_SECRET";
        let secrets = self.list(name);
        if billing && secrets.is_empty() {
            self.problem(format!(
                "{name} is not set although BILLING_ENABLED is true"
            ));
        }
        for secret in &secrets {
            if !secret.starts_with("whsec_") || is_sample(secret) {
                self.weakness(format!("{name} must be the endpoint's own whsec_… secret"));
            }
        }
        secrets.into_iter().map(Secret).collect()
    }

    pub(super) fn stripe_key(&mut self, billing: bool, environment: Environment) -> Option<Secret> {
        let name = "STRIPE_SECRET_KEY";
        let key = self.value(name).filter(|_| billing)?;
        if !(key.starts_with("sk_") || key.starts_with("rk_")) || is_sample(&key) {
            self.problem(format!("{name} must be a Stripe key (sk_… or rk_…)"));
        } else if key.contains("_test_") && environment == Environment::Production {
            self.problem(format!("{name} is a test mode key"));
        }
        Some(Secret(key))
    }

    pub(super) fn mail_provider(&mut self) -> MailProvider {
        match self.value("EMAIL_PROVIDER").as_deref() {
            None | Some("development") => {
                if self.strict {
                    self.problem("EMAIL_PROVIDER must name a provider that sends".to_owned());
                }
                MailProvider::Development
            }
            Some("resend") => {
                if let Some(key) = self.value("RESEND_API_KEY") {
                    return MailProvider::Resend(Secret(key));
                }
                self.problem("RESEND_API_KEY is not set".to_owned());
                MailProvider::Development
            }
            Some(_) => {
                self.problem("EMAIL_PROVIDER must be development or resend".to_owned());
                MailProvider::Development
            }
        }
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

    pub(super) fn limits(&mut self) -> Limits {
        let mut limits = Limits::default();
        for part in self.list("RATE_LIMITS") {
            if !limits.set(&part) {
                self.problem(
                    "RATE_LIMITS must be pairs such as read=600,write=60 of known classes"
                        .to_owned(),
                );
                break;
            }
        }
        limits
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

fn is_sample(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let one_character = text
        .chars()
        .next()
        .is_some_and(|first| text.chars().all(|c| c == first));
    one_character || SAMPLES.iter().any(|sample| lower.contains(sample))
}
