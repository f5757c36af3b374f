use std::collections::BTreeMap;

use super::*;

fn good() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("ENVIRONMENT", "production"),
        ("JWT_SECRET", "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIzNDU2Nzg="),
        (
            "JWT_REFRESH_SECRET",
            "QW5vdGhlcktleUFub3RoZXJLZXlBbm90aGVyS2V5MTI=",
        ),
        (
            "SERVICE_JWT_SECRET",
            "VGhpcmRLZXlUaGlyZEtleVRoaXJkS2V5VGhpcmRLZXk=",
        ),
        (
            "AUDIT_SECRET",
            "RmlmdGhLZXkxRmlmdGhLZXkyRmlmdGhLZXkzRmlmdGg=",
        ),
        ("GATEWAY_URL", "https://api.acme.test"),
        ("FRONTEND_URL", "https://app.acme.test"),
        ("EMAIL_PROVIDER", "resend"),
        ("RESEND_API_KEY", "re_M7yGz2WqkT4vXcB9hR1sLd"),
        ("EMAIL_FROM", "Acme <noreply@acme.test>"),
    ])
}

fn load(values: &BTreeMap<&'static str, &'static str>) -> Result<Config, ConfigError> {
    Config::load(|name| values.get(name).map(|text| (*text).to_owned()))
}

#[test]
fn defaults_hold_for_a_small_production_setup() {
    let config = load(&good()).unwrap();
    assert!(!config.features.on(Feature::Billing));
    assert_eq!(config.issuer, "edgekeep");
    assert_eq!(config.max_body_bytes, 1_048_576);
    assert!(config.cors_origins.is_empty());
    assert!(config.warnings.is_empty());
}

/// Rows: Q-02 R-06
#[test]
fn all_problems_are_reported_at_once() {
    let values = BTreeMap::from([("MAX_BODY_BYTES", "lots"), ("CORS_ORIGINS", "*")]);
    let error = load(&values).unwrap_err().to_string();
    for name in [
        "JWT_SECRET",
        "JWT_REFRESH_SECRET",
        "SERVICE_JWT_SECRET",
        "AUDIT_SECRET",
        "GATEWAY_URL",
        "FRONTEND_URL",
        "EMAIL_PROVIDER",
        "MAX_BODY_BYTES",
        "CORS_ORIGINS",
    ] {
        assert!(error.contains(name), "{name} is missing from: {error}");
    }
}

/// Rows: Q-04 Q-07
#[test]
fn each_bad_value_is_refused_by_name_and_never_shown() {
    let bad = [
        ("ENVIRONMENT", "prod-hunter2"),
        ("JWT_SECRET", "hunter2-too-short-31-characters"),
        ("JWT_SECRET", "changeme-hunter2-changeme-hunter2-changeme"),
        (
            "JWT_REFRESH_SECRET",
            "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIzNDU2Nzg=",
        ),
        ("GATEWAY_URL", "http://hunter2.test"),
        ("GATEWAY_URL", "hunter2"),
        ("CORS_ORIGINS", "https://hunter2.test/path"),
        ("SECURITY_CONTACT", "hunter2@acme.test"),
        ("SECURITY_CONTACT", "http://hunter2.test"),
        ("SECURITY_CONTACT", "mailto:a@acme.test hunter2"),
        ("SECURITY_CONTACT", "mailto:a@acme.test\nhunter2: x"),
        ("BILLING_ENABLED", "hunter2"),
        ("EMAIL_PROVIDER", "hunter2"),
        ("TRIAL_DAYS", "hunter2"),
        ("TRIAL_DAYS", "366"),
        ("FEATURES_DISABLED", "hunter2"),
        ("FEATURES_DISABLED", "jobs,hunter2"),
        // It has a variable of its own.
        ("FEATURES_DISABLED", "billing"),
        ("LOG_LEVEL", "hunter2"),
        ("RATE_LIMITS", "hunter2=1"),
        ("MAX_BODY_BYTES", "-1"),
        ("DB_POOL_MAX", "0"),
        ("DB_POOL_MAX", "hunter2"),
        ("REQUEST_TRACKING", "hunter2"),
        ("FRONTEND_URL", "ftp://hunter2"),
        ("TEST_CLOCK", "true"),
        ("ENVIRONMENT", "Production-hunter2"),
        ("GATEWAY_URL", "https://hunter2.test?x=1"),
        ("GATEWAY_URL", "https://me@hunter2.test"),
        ("GATEWAY_URL", "https://hunter2.test:port"),
        ("FRONTEND_URL", "https://hunter2.localhost:8080"),
        ("FRONTEND_URL", "https://127.0.0.1"),
        ("FRONTEND_URL", "https://[::1]"),
        ("CORS_ORIGINS", "http://hunter2.test"),
        ("CORS_ORIGINS", "https://Hunter2.test"),
        ("CORS_ORIGINS", "https://hunter2.test:443"),
        ("CORS_ORIGINS", "https://a.test,https://*.hunter2.test"),
        ("CORS_ORIGINS", "https://a.test https://hunter2.test"),
        ("STRIPE_API_BASE", "https://stripe.hunter2.test"),
        ("STRIPE_API_BASE", "http://api.stripe.com"),
        ("STRIPE_API_BASE", "https://api.stripe.com.hunter2.test"),
        ("EMAIL_FROM", ""),
        ("EMAIL_FROM", "hunter2"),
        ("EMAIL_FROM", "hunter2@localhost"),
        ("EMAIL_FROM", "a@acme.test, hunter2@acme.test"),
        ("RESEND_API_KEY", "re_…"),
        ("RESEND_API_KEY", "re_hunter2"),
        ("RESEND_API_KEY", "hunter2_M7yGz2WqkT4vXcB9hR1sLd"),
        ("RATE_LIMITS", "auth=30,auth=300000"),
        ("TRUSTED_PROXIES", "hunter2.internal"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0"),
    ];
    for (name, value) in bad {
        let mut values = good();
        values.insert(name, value);
        let error = load(&values).unwrap_err().to_string();
        assert!(error.contains(name), "{name}={value}: {error}");
        assert!(!error.contains("hunter2"), "{name} leaks: {error}");
    }
}

/// Rows: Q-17
#[test]
fn features_are_on_unless_they_are_named() {
    let mut values = good();
    values.insert(
        "FEATURES_DISABLED",
        " registration, api_keys,,registration ",
    );
    let features = load(&values).unwrap().features;
    for feature in Feature::ALL {
        let off = [Feature::Registration, Feature::ApiKeys, Feature::Billing].contains(&feature);
        assert_eq!(features.on(feature), !off, "{}", feature.name());
    }
    values.insert("FEATURES_DISABLED", "Jobs");
    values.insert("LOG_LEVEL", "loud");
    let problems = load(&values).unwrap_err().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
}

/// Rows: Q-05
#[test]
fn billing_asks_for_stripe_secrets_only_when_on() {
    let mut values = good();
    values.insert("BILLING_ENABLED", "true");
    assert!(
        load(&values)
            .unwrap_err()
            .to_string()
            .contains("STRIPE_WEBHOOK_SECRET")
    );
    values.insert("STRIPE_WEBHOOK_SECRET", "whsec_T9mPq4XwLz7RkVb2NcYd8HsJ");
    assert!(load(&values).is_ok());
    values.insert("STRIPE_SECRET_KEY", "sk_test_51abcdef");
    assert!(load(&values).unwrap_err().to_string().contains("test mode"));
    values.insert("STRIPE_SECRET_KEY", "your_key_here");
    assert!(
        load(&values)
            .unwrap_err()
            .to_string()
            .contains("STRIPE_SECRET_KEY")
    );
}

/// What a former secret has signed is accepted like what the current one signs.
///
/// Rows: Q-04
#[test]
fn former_secrets_are_judged_like_current_ones() {
    let access = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIzNDU2Nzg=";
    for name in [
        "JWT_OLD_SECRETS",
        "JWT_REFRESH_OLD_SECRETS",
        "SERVICE_JWT_OLD_SECRETS",
        "AUDIT_OLD_SECRETS",
    ] {
        let strong = "Rm91cnRoS2V5Rm91cnRoS2V5Rm91cnRoS2V5Rm91cnQ=";
        let mut values = good();
        values.insert(name, strong);
        assert!(load(&values).unwrap().warnings.is_empty(), "{name}");
        let bad = [
            ("a", "fewer than 32"),
            ("changeme", "sample"),
            ("Rm91cnRoS2V5Rm91cnRoS2V5Rm91cnRoS2V5Rm91cnQ=,a", "fewer"),
            ("abababababababababababababababababababab", "sample"),
            // Of another purpose, or of this one: neither was ever rolled.
            (access, "must differ"),
            (
                "Rm91cnRoS2V5Rm91cnRoS2V5Rm91cnRoS2V5Rm91cnQ=,Rm91cnRoS2V5Rm91cnRoS2V5Rm91cnRoS2V5Rm91cnQ=",
                "must differ",
            ),
        ];
        for (value, says) in bad {
            values.insert(name, value);
            let error = load(&values).unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains(says),
                "{value}: {error}"
            );
            let mut laptop = values.clone();
            laptop.insert("ENVIRONMENT", "development");
            let warnings = load(&laptop).unwrap().warnings.join("; ");
            assert!(warnings.contains(name), "{value}: {warnings}");
        }
        let many = (0..9)
            .map(|n| format!("{strong}{n}"))
            .collect::<Vec<_>>()
            .join(",");
        let refused = Config::load(|asked| match asked {
            _ if asked == name => Some(many.clone()),
            _ => good().get(asked).map(|text| (*text).to_owned()),
        });
        assert!(refused.unwrap_err().to_string().contains("more than 8"));
    }
}

/// Rows: Q-05
#[test]
fn webhook_secrets_are_long_and_used_for_nothing_else() {
    let mut values = good();
    values.insert("BILLING_ENABLED", "true");
    for bad in [
        "whsec_",
        "whsec_tooshort",
        "whsec_T9mPq4XwLz7RkVb2NcYd8HsJ,whsec_",
        concat!("whsec_", "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa"),
        "T9mPq4XwLz7RkVb2NcYd8HsJT9mPq4XwLz7R",
        "whsec_acceptance0123456789acceptance",
    ] {
        values.insert("STRIPE_WEBHOOK_SECRET", bad);
        let error = load(&values).unwrap_err().to_string();
        assert!(error.contains("STRIPE_WEBHOOK_SECRET"), "{bad}: {error}");
    }
    let shared = "whsec_T9mPq4XwLz7RkVb2NcYd8HsJ";
    values.insert("STRIPE_WEBHOOK_SECRET", shared);
    assert!(load(&values).is_ok());
    values.insert("SERVICE_JWT_SECRET", shared);
    let error = load(&values).unwrap_err().to_string();
    assert!(
        error.contains("STRIPE_WEBHOOK_SECRET must differ"),
        "{error}"
    );
    values.insert(
        "SERVICE_JWT_SECRET",
        "VGhpcmRLZXlUaGlyZEtleVRoaXJkS2V5VGhpcmRLZXk=",
    );
    values.insert("STRIPE_SECRET_KEY", "sk_live_");
    let error = load(&values).unwrap_err().to_string();
    assert!(error.contains("STRIPE_SECRET_KEY"), "{error}");
}

/// The acceptance tests' variables are public.
#[test]
fn the_secrets_of_our_tests_are_samples() {
    let file = include_str!("../../../../tests/acceptance/vars");
    let mut values = good();
    values.insert("BILLING_ENABLED", "true");
    let secrets = file
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| name.ends_with("_SECRET"));
    values.extend(secrets);
    let error = load(&values).unwrap_err().to_string();
    assert_eq!(error.matches("sample").count(), 4, "{error}");
    assert!(error.contains("STRIPE_WEBHOOK_SECRET"), "{error}");
}

#[test]
fn staging_is_as_strict_as_production() {
    let mut values = good();
    values.insert("ENVIRONMENT", "staging");
    assert!(load(&values).is_ok());
    values.insert("TEST_CLOCK", "true");
    assert!(
        load(&values)
            .unwrap_err()
            .to_string()
            .contains("TEST_CLOCK")
    );
    values.insert("TEST_CLOCK", "True");
    assert!(
        load(&values)
            .unwrap_err()
            .to_string()
            .contains("TEST_CLOCK")
    );
}

#[test]
fn tests_may_have_another_stripe_and_no_tls() {
    let mut values = good();
    values.insert("ENVIRONMENT", "test");
    values.insert("STRIPE_API_BASE", "http://127.0.0.1:9/");
    values.insert("GATEWAY_URL", "http://[::1]:8080/base/");
    values.insert("CORS_ORIGINS", "http://localhost:5173, http://[::1]:5173");
    let config = load(&values).unwrap();
    assert_eq!(config.stripe_api_base, "http://127.0.0.1:9");
    assert_eq!(config.gateway_url, "http://[::1]:8080/base");
    assert_eq!(config.cors_origins.len(), 2);
    assert!(config.warnings.is_empty());
}

#[test]
fn a_laptop_is_warned_where_production_refuses() {
    let values = BTreeMap::from([
        ("ENVIRONMENT", "development"),
        ("JWT_SECRET", "short"),
        ("JWT_REFRESH_SECRET", "short"),
        ("SERVICE_JWT_SECRET", "short too"),
    ]);
    let warnings = load(&values).unwrap().warnings.join("; ");
    assert!(warnings.contains("JWT_SECRET has fewer"), "{warnings}");
    assert!(warnings.contains("must differ"), "{warnings}");
}

#[test]
fn every_variable_that_is_read_stands_in_the_table() {
    let asked = core::cell::RefCell::new(Vec::new());
    let mut values = good();
    values.insert("BILLING_ENABLED", "true");
    let _ = Config::load(|name| {
        asked.borrow_mut().push(name.to_owned());
        values.get(name).map(|text| (*text).to_owned())
    });
    for name in asked.borrow().iter() {
        assert!(
            VARIABLES.iter().any(|variable| variable.name == name),
            "{name}"
        );
    }
}

/// Rows: Q-08 Q-18
#[test]
fn what_is_not_set_is_what_the_table_says() {
    let mut values = good();
    values.insert("ENVIRONMENT", "development");
    for name in [
        "GATEWAY_URL",
        "FRONTEND_URL",
        "EMAIL_PROVIDER",
        "EMAIL_FROM",
        "RESEND_API_KEY",
    ] {
        values.remove(name);
    }
    let left_out = format!("{:?}", load(&values).unwrap());
    let environment = VARIABLES
        .iter()
        .find(|variable| variable.name == "ENVIRONMENT");
    for variable in VARIABLES {
        if variable.name != "ENVIRONMENT"
            && let Some(default) = variable.default
        {
            let set = values.insert(variable.name, default);
            assert_eq!(set, None, "{} is not left out", variable.name);
            assert_eq!(
                format!("{:?}", load(&values).unwrap()),
                left_out,
                "{}",
                variable.name
            );
        }
    }
    let mut production = good();
    production.remove("ENVIRONMENT");
    let found = load(&production).unwrap().environment.name();
    assert_eq!(
        environment.and_then(|variable| variable.default),
        Some(found)
    );
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let text = format!("{:?}", load(&good()).unwrap());
    assert!(!text.contains("Zm9v") && !text.contains("re_M7"), "{text}");
}

/// Rows: A-22
#[test]
fn one_id_means_one_issuer_and_one_secret_one_purpose() {
    let with = |external: &str| {
        let mut values = good();
        values.insert(
            "OAUTH_PROVIDERS",
            r#"[{"id":"acme","issuer":"https://id.acme.test","client_id":"a","client_secret":"b"}]"#,
        );
        let text = format!("[{{{external}}}]");
        let loaded = Config::load(|name| match name {
            "EXTERNAL_ISSUERS" => Some(text.clone()),
            name => values.get(name).map(|text| (*text).to_owned()),
        });
        crate::auth::oauth::Issuer::configured(&loaded.unwrap()).is_ok()
    };
    for (issuer, subject, agrees) in [
        ("https://id.acme.test", "sub", true),
        ("https://id.acme.test", "email", false),
        ("https://other.test", "sub", false),
    ] {
        let external = format!(
            r#""id":"acme","issuer":"{issuer}","audience":"a","jwks_url":"https://k",
                "claims":{{"subject":"{subject}"}}"#
        );
        assert_eq!(with(&external), agrees, "{issuer} {subject}");
    }
    let shared =
        |secret: &str| format!(r#""id":"b","issuer":"i","audience":"a","secret":"{secret}""#);
    assert!(with(&shared("q1Zl8TjVnB5xWc2RyUo7KmPd4GhSf9Ae")));
    assert!(!with(&shared(good()["JWT_SECRET"])));
}

/// Rows: U-01 Q-04
#[test]
fn each_mail_provider_asks_for_what_it_needs() {
    let token = "7c1f9e52-4b0d-48a6-9d3e-b15a2c8f6e70";
    for (provider, set, missing) in [
        (
            "postmark",
            vec![("POSTMARK_SERVER_TOKEN", token)],
            "POSTMARK_SERVER_TOKEN",
        ),
        (
            "http",
            vec![
                ("EMAIL_HTTP_URL", "https://mail.acme.test/send"),
                ("EMAIL_HTTP_TOKEN", token),
            ],
            "EMAIL_HTTP_TOKEN",
        ),
    ] {
        let mut values = good();
        values.insert("EMAIL_PROVIDER", provider);
        values.remove("RESEND_API_KEY");
        let error = load(&values).unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
        values.extend(set.iter().copied());
        let config = load(&values).unwrap();
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert!(!format!("{config:?}").contains(token));
        for (name, bad) in [
            (missing, "hunter2"),
            (missing, "hunter2-hunter2-hunter2 two words"),
            ("EMAIL_HTTP_URL", "http://hunter2.test/send"),
            ("EMAIL_HTTP_URL", "https://127.0.0.1/hunter2"),
        ] {
            if provider == "postmark" && name == "EMAIL_HTTP_URL" {
                continue;
            }
            let mut values = values.clone();
            values.insert(name, bad);
            let error = load(&values).unwrap_err().to_string();
            assert!(
                error.contains(name) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
