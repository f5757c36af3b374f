//! The variables of test servers.

use std::collections::BTreeMap;

use edgekeep_core::app::App;

/// What makes a test server one that production accepts.
pub const PRODUCTION: [(&str, &str); 19] = [
    ("ENVIRONMENT", "production"),
    ("TEST_CLOCK", "false"),
    ("TRUSTED_PROXIES", ""),
    ("EMAIL_PROVIDER", "resend"),
    ("RESEND_API_KEY", "re_M7yGz2WqkT4vXcB9hR1sLd"),
    ("EMAIL_FROM", "noreply@acme.test"),
    ("GATEWAY_URL", "https://api.acme.test"),
    ("FRONTEND_URL", "https://app.acme.test"),
    ("OAUTH_PROVIDERS", ""),
    ("EXTERNAL_ISSUERS", ""),
    ("JWT_SECRET", "q1Zl8TjVnB5xWc2RyUo7KmPd4GhSf9Ae"),
    ("JWT_REFRESH_SECRET", "w2Xk9UiYmN6zVb3TtRp8LqJs5FgDh0Ce"),
    ("SERVICE_JWT_SECRET", "e3Cj0OhPlM7aBv4YrEu9KwHd6SfGi1Qx"),
    ("JWT_OLD_SECRETS", ""),
    ("JWT_REFRESH_OLD_SECRETS", ""),
    ("SERVICE_JWT_OLD_SECRETS", ""),
    ("METRICS_TOKEN", "u8Rc5YnBvK3xMq9WtLz2HpJd7SgFe6Ax"),
    ("AUDIT_SECRET", "t7Nb2XkLqV5oZr8WsPy1JmHc4UeGd9Fi"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_r4Vh1IgAkL8sNc5UeWq0JyTf"),
];

/// The variables of a test server, with changes.
pub fn variables(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let file = include_str!("../../acceptance/vars");
    let lines = file.lines().filter_map(|line| line.split_once('='));
    let mut all: BTreeMap<String, String> = lines
        .filter(|(name, _)| !name.starts_with('#'))
        .map(|(n, v)| (n.to_owned(), v.trim_matches('\'').to_owned()))
        .collect();
    all.insert("LOG_LEVEL".to_owned(), "error".to_owned());
    // Nobody answers there; the tests about it turn it on.
    all.remove("PASSWORD_BREACH_CHECK");
    all.remove("HIBP_API_BASE");
    // So events are believed; the tests about Stripe's own word set a key.
    all.remove("STRIPE_SECRET_KEY");
    all.remove("STRIPE_API_BASE");
    all.insert(
        "RATE_LIMITS".to_owned(),
        "global=1000000,write=1000000,ingest=1000000,auth=1000000,ai=1000000,payments=1000000"
            .to_owned(),
    );
    all.extend(
        changes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    all
}

pub(crate) fn app(changes: &[(&str, &str)]) -> App {
    let variables = variables(changes);
    App::new(|name| variables.get(name).cloned())
}
