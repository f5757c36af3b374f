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
        ("GATEWAY_URL", "https://api.acme.test"),
        ("FRONTEND_URL", "https://app.acme.test"),
        ("EMAIL_PROVIDER", "resend"),
        ("RESEND_API_KEY", "re_1234567890"),
    ])
}

fn load(values: &BTreeMap<&'static str, &'static str>) -> Result<Config, ConfigError> {
    Config::load(|name| values.get(name).map(|text| (*text).to_owned()))
}

#[test]
fn defaults_hold_for_a_small_production_setup() {
    let config = load(&good()).unwrap();
    assert!(!config.billing_enabled);
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
        ("BILLING_ENABLED", "hunter2"),
        ("EMAIL_PROVIDER", "hunter2"),
        ("LOG_LEVEL", "hunter2"),
        ("RATE_LIMITS", "hunter2=1"),
        ("MAX_BODY_BYTES", "-1"),
        ("DB_POOL_MAX", "0"),
        ("DB_POOL_MAX", "hunter2"),
        ("FRONTEND_URL", "ftp://hunter2"),
        ("TEST_CLOCK", "true"),
    ];
    for (name, value) in bad {
        let mut values = good();
        values.insert(name, value);
        let error = load(&values).unwrap_err().to_string();
        assert!(error.contains(name), "{name}={value}: {error}");
        assert!(!error.contains("hunter2"), "{name} leaks: {error}");
    }
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
    values.insert("STRIPE_WEBHOOK_SECRET", "whsec_abcdefghijklmnop");
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
    assert!(!text.contains("Zm9v") && !text.contains("re_12"), "{text}");
}
