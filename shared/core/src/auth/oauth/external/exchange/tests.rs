use serde_json::json;

use super::*;
use crate::config::Listed as _;

const NOW: Millis = Millis(1_760_000_000_000);

fn issuer(more: &str) -> Issuer {
    let text = format!(
        r#"[{{"id":"a","issuer":"https://i","audience":"api","jwks_url":"https://i/k"{more}}}]"#
    );
    Issuer::read_all(&text, true).unwrap().remove(0)
}

fn claims(changes: &Json) -> Map<String, Json> {
    let mut all = json!({
        "iss": "https://i", "aud": "api", "sub": "s", "exp": NOW.seconds() + 60,
        "email": "A@Example.com", "email_verified": true,
    });
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object().unwrap().clone()
}

fn code(changes: &Json) -> Option<Code> {
    judge(&claims(changes), &issuer(""), NOW)
        .err()
        .map(|error| error.code())
}

/// Rows: A-22
#[test]
fn audience_and_times_are_checked() {
    let good = [
        json!({}),
        json!({"aud": ["other", "api"]}),
        json!({"exp": 1_760_000_001.5}),
        json!({"nbf": NOW.seconds() + 30, "iat": NOW.seconds() + 30}),
    ];
    for changes in good {
        assert_eq!(code(&changes), None, "{changes}");
    }
    let bad = [
        json!({"aud": "other"}),
        json!({"aud": ["other"]}),
        json!({"aud": null}),
        json!({"aud": {"api": true}}),
        json!({"exp": null}),
        json!({"exp": "tomorrow"}),
        json!({"exp": 1e300}),
        json!({"nbf": NOW.seconds() + 61}),
        json!({"iat": NOW.seconds() + 61}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "a\nb"}),
    ];
    for changes in bad {
        assert_eq!(code(&changes), Some(Code::TokenInvalid), "{changes}");
    }
    let past = json!({"exp": NOW.seconds()});
    assert_eq!(code(&past), Some(Code::TokenExpired));
}

/// Rows: A-22
#[test]
fn claims_are_mapped_and_only_a_true_is_a_yes() {
    let email = |changes: &Json, more: &str| {
        let (person, tenant) = judge(&claims(changes), &issuer(more), NOW).unwrap();
        (person.verified_email, tenant)
    };
    assert_eq!(email(&json!({}), "").0.as_deref(), Some("a@example.com"));
    for no in [
        json!(false),
        json!("true"),
        json!(1),
        json!(null),
        json!({}),
    ] {
        assert_eq!(email(&json!({"email_verified": no}), "").0, None);
    }
    let more =
        r#","claims":{"subject":"app.id","email_verified":"app.proven","tenant":"app.tenant"}"#;
    let told = json!({"app": {"id": "u7", "proven": true, "tenant": "ten_1"}});
    let (person, tenant) = judge(&claims(&told), &issuer(more), NOW).unwrap();
    assert_eq!(
        (person.subject.as_str(), tenant.as_deref()),
        ("u7", Some("ten_1"))
    );
    assert!(person.verified_email.is_some());
    // The plain claims say nothing then.
    assert!(judge(&claims(&json!({})), &issuer(more), NOW).is_err());
}
