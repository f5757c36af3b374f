//! Typed configuration, read once per isolate.
//!
//! Every variable stands once, in [`VARIABLES`]; [`Config::load`] reports all problems at once
//! and never a value. docs/config.md is made from the same table.

mod addresses;
mod checks;
mod features;
mod listed;
mod secrets;
mod variables;

use core::fmt;

pub use features::{Feature, Features};
pub(crate) use listed::{Listed, check_id, is_address};
pub(crate) use secrets::is_sample;
pub use variables::{VARIABLES, Variable};

use crate::auth::oauth::provider::Provider;
use crate::guard::client::Proxies;
use crate::guard::rate_limit::Limits;
use crate::time::{DAY, HOUR};
use crate::tracking::Tracking;
use checks::Loader;

/// Where the product runs, which decides how strict the checks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A laptop: mails are kept, problems with secrets are warnings.
    Development,
    /// Automated tests: like development, and the clock may be moved.
    Test,
    /// Before production, with its rules.
    Staging,
    /// Real customers.
    Production,
}

impl Environment {
    /// Whether the rules of production hold.
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }

    /// The value of `ENVIRONMENT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Test => "test",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// A text that must not be shown: its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Which service sends mail.
#[derive(Debug, Clone)]
pub enum MailProvider {
    /// Keeps messages where `GET /api/v1/dev/mailbox` shows them.
    Development,
    /// Sends each as JSON to a URL: Resend's API, Postmark's, or any that takes Resend's form.
    Http {
        /// Where to.
        url: String,
        /// What it knows us by.
        token: Secret,
        /// In Postmark's form instead of Resend's.
        postmark: bool,
    },
}

/// How passwords are looked up in known breaches.
#[derive(Debug, Clone)]
pub struct BreachCheck {
    /// `HIBP_API_BASE`
    pub api_base: String,
    /// `PASSWORD_BREACH_POLICY`: whether an outage refuses passwords instead of letting them pass.
    pub closed: bool,
}

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ENVIRONMENT`
    pub environment: Environment,
    /// `JWT_SECRET`: the Ed25519 signing key is derived from it.
    pub jwt_secret: Secret,
    /// `JWT_OLD_SECRETS`: tokens made with these still verify.
    pub jwt_old_secrets: Vec<Secret>,
    /// `JWT_REFRESH_OLD_SECRETS`: refresh tokens made with these still work.
    pub refresh_old_secrets: Vec<Secret>,
    /// `SERVICE_JWT_OLD_SECRETS`: service tokens made with these still verify.
    pub service_old_secrets: Vec<Secret>,
    /// `JWT_REFRESH_SECRET`: keys of refresh and mail tokens are derived from it.
    pub refresh_secret: Secret,
    /// `SERVICE_JWT_SECRET`: service tokens are signed with it.
    pub service_secret: Secret,
    /// `AUDIT_SECRET`: keys of the audit log's MACs are derived from it.
    pub audit_secret: Secret,
    /// `AUDIT_OLD_SECRETS`: what these sealed still verifies; kept as long as the log.
    pub audit_old_secrets: Vec<Secret>,
    /// `METRICS_TOKEN`, several while one is rolled.
    pub metrics_tokens: Vec<Secret>,
    /// `JWT_ISSUER`, the `iss` of tokens.
    pub issuer: String,
    /// `JWT_AUDIENCE`, the `aud` of tokens.
    pub audience: String,
    /// `GATEWAY_URL`, where this API is reached from outside; links in mails lead there.
    pub gateway_url: String,
    /// `FRONTEND_URL`, where the application is.
    pub frontend_url: String,
    /// `CORS_ORIGINS`, exact origins.
    pub cors_origins: Vec<String>,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Proxies,
    /// `FEATURES_DISABLED` and `BILLING_ENABLED`
    pub features: Features,
    /// `STRIPE_WEBHOOK_SECRET`, several while one is rolled.
    pub stripe_webhook_secrets: Vec<Secret>,
    /// `STRIPE_SECRET_KEY`; with it, state is fetched from Stripe instead of taken from events.
    pub stripe_key: Option<Secret>,
    /// `STRIPE_API_BASE`
    pub stripe_api_base: String,
    /// `BILLING_GRACE_DAYS`, in milliseconds.
    pub billing_grace: i64,
    /// `EMAIL_PROVIDER`
    pub mail: MailProvider,
    /// `EMAIL_FROM`
    pub mail_from: String,
    /// `PASSWORD_BREACH_CHECK`; `None` when it is off.
    pub breach_check: Option<BreachCheck>,
    /// `SECURITY_CONTACT`
    pub security_contact: Option<String>,
    /// `LOG_LEVEL`
    pub log_level: crate::port::Level,
    /// `RATE_LIMITS`, over the defaults of the classes.
    pub limits: Limits,
    /// `SESSION_IDLE_HOURS`, in milliseconds: a session that is not refreshed for so long ends.
    pub session_idle: i64,
    /// `SESSION_MAX_DAYS`, in milliseconds: no session lasts longer, however busy it is.
    pub session_max: i64,
    /// `OAUTH_PROVIDERS`
    pub oauth: Vec<Provider>,
    /// `EXTERNAL_ISSUERS`, read by the one function that needs it.
    pub external_issuers: Option<Secret>,
    /// `TRIAL_DAYS`, in milliseconds; 0 for no trials.
    pub trial_life: i64,
    /// `TRIAL_PLAN`
    pub trial_plan: String,
    /// `DB_POOL_MAX`
    pub pool_max: usize,
    /// `MAX_BODY_BYTES`
    pub max_body_bytes: usize,
    /// `REQUEST_TRACKING`
    pub tracking: Tracking,
    /// `TEST_CLOCK`: requests may carry `X-Test-Clock-Offset-Ms`; never in production.
    pub test_clock: bool,
    /// Problems that production would refuse, by name; logged once.
    pub warnings: Vec<String>,
}

/// Why the product refuses to serve: every problem, by variable name, without values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One sentence a problem.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// Reads and checks everything. `get` answers a variable or secret by name.
    ///
    /// # Errors
    /// All problems together. Weak, equal or sample secrets are errors where
    /// [`Environment::is_strict`], and warnings elsewhere.
    pub fn load(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut from = Loader::new(&get);
        let environment = from.environment();
        let billing_enabled = from.flag("BILLING_ENABLED", false);
        let mail = from.mail_provider();
        let config = Self {
            environment,
            jwt_secret: from.key("JWT_SECRET"),
            jwt_old_secrets: from.former_keys("JWT_OLD_SECRETS"),
            refresh_old_secrets: from.former_keys("JWT_REFRESH_OLD_SECRETS"),
            service_old_secrets: from.former_keys("SERVICE_JWT_OLD_SECRETS"),
            refresh_secret: from.key("JWT_REFRESH_SECRET"),
            service_secret: from.key("SERVICE_JWT_SECRET"),
            audit_secret: from.strict_key("AUDIT_SECRET"),
            audit_old_secrets: from.former_keys("AUDIT_OLD_SECRETS"),
            metrics_tokens: from.bearer_tokens("METRICS_TOKEN"),
            issuer: from.text("JWT_ISSUER", "edgekeep"),
            audience: from.text("JWT_AUDIENCE", "edgekeep-api"),
            gateway_url: from.url("GATEWAY_URL", "http://127.0.0.1:8787"),
            frontend_url: from.url("FRONTEND_URL", "http://127.0.0.1:8787"),
            cors_origins: from.origins("CORS_ORIGINS"),
            trusted_proxies: from.proxies("TRUSTED_PROXIES"),
            features: from.features(billing_enabled),
            stripe_webhook_secrets: from.webhook_secrets(billing_enabled),
            stripe_key: from.stripe_key(billing_enabled, environment),
            stripe_api_base: from.stripe_base(),
            billing_grace: from.span("BILLING_GRACE_DAYS", 14, 0..=90, DAY),
            mail_from: from.mail_from(&mail),
            mail,
            breach_check: from.breach_check(),
            security_contact: from.security_contact(),
            log_level: from.log_level(),
            limits: from.limits(),
            session_idle: from.span("SESSION_IDLE_HOURS", 168, 1..=720, HOUR),
            session_max: from.span("SESSION_MAX_DAYS", 30, 1..=365, DAY),
            oauth: from.oauth_providers(),
            external_issuers: from.value("EXTERNAL_ISSUERS").map(Secret),
            trial_life: from.span("TRIAL_DAYS", 14, 0..=365, DAY),
            trial_plan: from.text("TRIAL_PLAN", "PROFESSIONAL"),
            pool_max: from.size("DB_POOL_MAX", 16, 1..=100),
            max_body_bytes: from.size("MAX_BODY_BYTES", 1_048_576, 1_024..=10_485_760),
            tracking: from.tracking(),
            test_clock: from.test_clock(),
            warnings: Vec::new(),
        };
        from.check_secrets_differ(&config);
        from.finish(config)
    }
}

#[cfg(test)]
mod tests;
