//! How secrets are judged: each like the ones beside it, former ones like current ones, because
//! what a former secret signed is accepted all the same.

use super::checks::Loader;
use super::listed::Listed as _;
use super::{Config, Environment, MailProvider, Secret};
use crate::auth::oauth::provider::Provider;

/// Shortest key, in characters (256 bits of base64 are 44; OWASP asks for 256 bits or more).
const MIN_KEY_CHARS: usize = 32;
/// Shortest webhook secret, in characters after its prefix. Those of Stripe's dashboard have 32,
/// those of its command line tool 64.
const MIN_WEBHOOK_CHARS: usize = 24;
/// Shortest key of an outside service, in characters after its prefix (Stripe's have 24 or more,
/// Resend's 32).
const MIN_PROVIDER_CHARS: usize = 16;
/// Fewest different characters in a secret. 32 random hexadecimal digits have fewer only once in
/// a hundred thousand times; what a hand repeats has fewer nearly always.
const MIN_DIFFERENT: usize = 8;
/// Most secrets in a list: each is one more signature for a forged token to cost.
const MAX_SECRETS: usize = 8;

/// Parts of values that are found in examples and tutorials, and in this tree's own tests.
const SAMPLES: [&str; 10] = [
    "changeme",
    "change-me",
    "change_me",
    "your_",
    "your-",
    "example",
    "placeholder",
    "xxxx",
    "0123456789",
    "…",
];

/// Where Resend takes mails.
const RESEND: &str = "https://api.resend.com/emails";
/// Where Postmark does.
const POSTMARK: &str = "https://api.postmarkapp.com/email";

impl Loader<'_> {
    /// A signing key: required everywhere, long and unlike a sample where strict.
    pub(super) fn key(&mut self, name: &str) -> Secret {
        let Some(text) = self.value(name) else {
            self.problem(format!(
                "{name} is not set (scripts/secret prints a new one)"
            ));
            return Secret(String::new());
        };
        self.judge_key(name, &text);
        Secret(text)
    }

    /// A signing key that development and tests may do without.
    pub(super) fn strict_key(&mut self, name: &str) -> Secret {
        if self.strict || self.value(name).is_some() {
            return self.key(name);
        }
        self.weakness(format!("{name} is not set"));
        Secret(String::new())
    }

    /// Former signing keys, which what is signed with them makes as good as the current one.
    pub(super) fn former_keys(&mut self, name: &str) -> Vec<Secret> {
        let list = self.secret_list(name);
        for text in &list {
            self.judge_key(name, text);
        }
        list.into_iter().map(Secret).collect()
    }

    /// Secrets that somebody shows as they are, in an `Authorization` header.
    pub(super) fn bearer_tokens(&mut self, name: &str) -> Vec<Secret> {
        let tokens = self.former_keys(name);
        if !tokens.iter().all(|token| is_header_value(token.expose())) {
            self.problem(format!("{name} must be one word of ASCII"));
        }
        tokens
    }

    fn judge_key(&mut self, name: &str, text: &str) {
        if text.chars().count() < MIN_KEY_CHARS {
            self.weakness(format!("{name} has fewer than {MIN_KEY_CHARS} characters"));
        }
        if is_sample(text) {
            self.weakness(format!("{name} looks like a sample value"));
        }
    }

    fn secret_list(&mut self, name: &str) -> Vec<String> {
        let list = self.list(name);
        if list.len() > MAX_SECRETS {
            self.problem(format!("{name} lists more than {MAX_SECRETS} secrets"));
        }
        list
    }

    /// No secret may stand in two places: what is signed for one purpose would be accepted for
    /// another, and a key that is its own predecessor was never rolled.
    pub(super) fn check_secrets_differ(&mut self, config: &Config) {
        let one = core::slice::from_ref::<Secret>;
        let lists = [
            ("JWT_SECRET", one(&config.jwt_secret)),
            ("JWT_REFRESH_SECRET", one(&config.refresh_secret)),
            ("SERVICE_JWT_SECRET", one(&config.service_secret)),
            ("AUDIT_SECRET", one(&config.audit_secret)),
            ("JWT_OLD_SECRETS", &config.jwt_old_secrets),
            ("JWT_REFRESH_OLD_SECRETS", &config.refresh_old_secrets),
            ("SERVICE_JWT_OLD_SECRETS", &config.service_old_secrets),
            ("AUDIT_OLD_SECRETS", &config.audit_old_secrets),
            ("METRICS_TOKEN", &config.metrics_tokens),
            ("STRIPE_WEBHOOK_SECRET", &config.stripe_webhook_secrets),
        ];
        let all: Vec<_> = lists
            .into_iter()
            .flat_map(|(name, secrets)| secrets.iter().map(move |secret| (name, secret)))
            .filter(|(_, secret)| !secret.expose().is_empty())
            .collect();
        for (index, (name, secret)) in all.iter().enumerate() {
            for (other_name, other) in all.iter().skip(index.saturating_add(1)) {
                if secret == other && name == other_name {
                    self.weakness(format!("{name} must differ: it lists a secret twice"));
                } else if secret == other {
                    self.weakness(format!("{name} and {other_name} must differ"));
                }
            }
        }
    }

    pub(super) fn webhook_secrets(&mut self, billing: bool) -> Vec<Secret> {
        let name = "STRIPE_WEBHOOK_SECRET";
        let secrets = self.secret_list(name);
        if billing && secrets.is_empty() {
            self.problem(format!(
                "{name} is not set although BILLING_ENABLED is true"
            ));
        }
        for secret in &secrets {
            let own = secret.strip_prefix("whsec_");
            if own.is_none_or(is_sample) {
                self.weakness(format!("{name} must be the endpoint's own whsec_… secret"));
            } else if own.is_some_and(|own| own.chars().count() < MIN_WEBHOOK_CHARS) {
                self.weakness(format!(
                    "{name} has fewer than {MIN_WEBHOOK_CHARS} characters after whsec_"
                ));
            }
        }
        secrets.into_iter().map(Secret).collect()
    }

    pub(super) fn stripe_key(&mut self, billing: bool, environment: Environment) -> Option<Secret> {
        let name = "STRIPE_SECRET_KEY";
        let key = self.value(name).filter(|_| billing)?;
        let own = key.strip_prefix("sk_").or_else(|| key.strip_prefix("rk_"));
        if own.is_none_or(is_sample) || !is_header_value(&key) {
            self.problem(format!("{name} must be a Stripe key (sk_… or rk_…)"));
        } else if key.contains("_test_") && environment == Environment::Production {
            self.problem(format!("{name} is a test mode key"));
        } else if own.is_some_and(|own| own.chars().count() < MIN_PROVIDER_CHARS) {
            self.weakness(format!("{name} must be a whole Stripe key"));
        }
        Some(Secret(key))
    }

    pub(super) fn oauth_providers(&mut self) -> Vec<Provider> {
        let Some(text) = self.value("OAUTH_PROVIDERS") else {
            return Vec::new();
        };
        Provider::read_all(&text, self.strict).unwrap_or_else(|problems| {
            for problem in problems {
                self.problem(problem);
            }
            Vec::new()
        })
    }

    pub(super) fn mail_provider(&mut self) -> MailProvider {
        let value = self.value("EMAIL_PROVIDER");
        let (name, prefix, url) = match value.as_deref() {
            None | Some("development") => {
                if self.strict {
                    self.problem("EMAIL_PROVIDER must name a provider that sends".to_owned());
                }
                return MailProvider::Development;
            }
            Some("resend") => ("RESEND_API_KEY", "re_", RESEND.to_owned()),
            Some("postmark") => ("POSTMARK_SERVER_TOKEN", "", POSTMARK.to_owned()),
            // Without an address it is as unsound as one of this machine.
            Some("http") => {
                let url = self.url("EMAIL_HTTP_URL", "http://127.0.0.1");
                ("EMAIL_HTTP_TOKEN", "", url)
            }
            Some(_) => {
                let rule = "EMAIL_PROVIDER must be development, resend, postmark or http";
                self.problem(rule.to_owned());
                return MailProvider::Development;
            }
        };
        let postmark = url == POSTMARK;
        match self.mail_token(name, prefix) {
            None => MailProvider::Development,
            Some(token) => MailProvider::Http {
                url,
                token,
                postmark,
            },
        }
    }

    /// The token of a mail provider, whose keys begin with `prefix`.
    fn mail_token(&mut self, name: &str, prefix: &str) -> Option<Secret> {
        let Some(token) = self.value(name) else {
            self.problem(format!("{name} is not set"));
            return None;
        };
        let own = token.strip_prefix(prefix);
        let whole = own.is_some_and(|own| own.chars().count() >= MIN_PROVIDER_CHARS);
        if !is_header_value(&token) {
            self.problem(format!("{name} must be one word of ASCII"));
        } else if !whole || own.is_none_or(is_sample) {
            self.weakness(format!(
                "{name} must be a whole key of the provider ({prefix}…)"
            ));
        }
        Some(Secret(token))
    }
}

/// Whether it can be sent as it is in an `Authorization` header.
fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether it looks like a value of an example, or like typed by hand.
pub(crate) fn is_sample(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let characters = || text.chars().take(256).enumerate();
    let is_first = |(at, c): &(usize, char)| !text.chars().take(*at).any(|before| before == *c);
    let different = characters().filter(is_first).count();
    let repeats = text.chars().count() >= MIN_DIFFERENT && different < MIN_DIFFERENT;
    let one_character = different <= 1;
    one_character || repeats || SAMPLES.iter().any(|sample| lower.contains(sample))
}
