use super::*;
use crate::app::App;

const NOW: Millis = Millis(1_760_000_000_000);

fn app(old: &str, secret: &str) -> App {
    App::new(|name| {
        Some(match name {
            "ENVIRONMENT" => "test".to_owned(),
            "JWT_SECRET" => secret.to_owned(),
            "JWT_OLD_SECRETS" => old.to_owned(),
            "JWT_REFRESH_SECRET" => "b".repeat(40),
            "SERVICE_JWT_SECRET" => "c".repeat(40),
            _ => return None,
        })
    })
}

fn access(app: &App) -> String {
    let subject = Subject {
        user: "usr_1",
        tenant: "ten_1",
        session: "ses_1",
        role: "founder",
        amr: "pwd",
    };
    issue_access(app.ready().unwrap(), &subject, "jti".to_owned(), NOW).unwrap()
}

fn code(app: &App, token: &str, now: Millis) -> Option<Code> {
    verify_access(app.ready().unwrap(), token, now)
        .err()
        .map(|error| error.code())
}

fn signed(app: &App, kid: &str, typ: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut claims = serde_json::json!({
        "iss": "edgekeep", "aud": "edgekeep-api", "sub": "usr_1", "ten": "ten_1", "sid": "ses_1",
        "role": "founder", "jti": "x", "iat": NOW.seconds(), "nbf": NOW.seconds(),
        "exp": NOW.seconds() + 900,
    });
    change(&mut claims);
    let header = serde_json::json!({"alg": "EdDSA", "typ": typ, "kid": kid});
    sealed(app, &header.to_string(), &claims.to_string())
}

fn sealed(app: &App, header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(claims.as_bytes())
    );
    let key = &app.ready().unwrap().keys.signing;
    let signature = ed25519_dalek::Signer::sign(key, message.as_bytes());
    format!("{message}.{}", base64url(&signature.to_bytes()))
}

/// Rows: A-05
#[test]
fn a_fresh_token_is_good_for_exactly_fifteen_minutes() {
    let app = app("", &"a".repeat(40));
    let token = access(&app);
    assert_eq!(code(&app, &token, NOW), None);
    assert_eq!(code(&app, &token, NOW.plus(899_000)), None);
    assert_eq!(
        code(&app, &token, NOW.plus(901_000)),
        Some(Code::TokenExpired)
    );
}

type Change = fn(&mut serde_json::Value);

/// Rows: A-13 A-14
#[test]
fn forged_tokens_are_refused() {
    let app = app("", &"a".repeat(40));
    let kid = app.ready().unwrap().keys.kid.clone();
    assert_eq!(code(&app, &signed(&app, &kid, "at+jwt", |_| ()), NOW), None);
    let changes: [(&str, Change); 11] = [
        ("issuer", |claims| claims["iss"] = "evil".into()),
        ("audience", |claims| claims["aud"] = "other".into()),
        ("role", |claims| claims["role"] = "root".into()),
        ("no exp", |claims| {
            claims.as_object_mut().unwrap().remove("exp");
        }),
        ("no iat", |claims| {
            claims.as_object_mut().unwrap().remove("iat");
        }),
        ("future nbf", |claims| {
            claims["nbf"] = (NOW.seconds() + 60).into();
        }),
        ("a year", |claims| {
            claims["exp"] = (NOW.seconds() + 31_536_000).into();
        }),
        ("no session", |claims| {
            claims.as_object_mut().unwrap().remove("sid");
        }),
        ("no time at all", |claims| claims["exp"] = i64::MAX.into()),
        ("before all time", |claims| claims["iat"] = i64::MIN.into()),
        ("after all time", |claims| claims["nbf"] = u64::MAX.into()),
    ];
    for (name, change) in changes {
        let token = signed(&app, &kid, "at+jwt", change);
        assert_eq!(code(&app, &token, NOW), Some(Code::TokenInvalid), "{name}");
    }
    assert_eq!(
        code(&app, &signed(&app, "other", "at+jwt", |_| ()), NOW),
        Some(Code::TokenInvalid)
    );
    assert_eq!(
        code(&app, &signed(&app, &kid, "JWT", |_| ()), NOW),
        Some(Code::TokenInvalid)
    );
}

/// Rows: A-14
#[test]
fn a_right_signature_excuses_no_odd_form() {
    let app = app("", &"a".repeat(40));
    let kid = &app.ready().unwrap().keys.kid;
    let plain = format!(r#""alg":"EdDSA","typ":"at+jwt","kid":"{kid}""#);
    let times = format!(
        r#""iat":{0},"nbf":{0},"exp":{1}"#,
        NOW.seconds(),
        NOW.seconds() + 900
    );
    let who = r#""iss":"edgekeep","aud":"edgekeep-api","sub":"u","ten":"t","sid":"s","role":"founder","jti":"j""#;
    let token = |header: &str, claims: &str| {
        sealed(
            &app,
            &format!("{{{plain}{header}}}"),
            &format!("{{{who},{times}{claims}}}"),
        )
    };
    assert_eq!(code(&app, &token("", ""), NOW), None);
    let headers = [
        r#","crit":["exp"]"#,
        r#","crit":[]"#,
        r#","b64":false"#,
        r#","jwk":{}"#,
        r#","jku":"https://evil.test/jwks""#,
        r#","x5u":"https://evil.test/chain""#,
        r#","x5c":[]"#,
        r#","x5t":"AAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
        r#","zip":"DEF""#,
        r#","cty":"JWT""#,
        r#","alg":"none""#,
        r#","kid":"other""#,
    ];
    for header in headers {
        let outcome = code(&app, &token(header, ""), NOW);
        assert_eq!(outcome, Some(Code::TokenInvalid), "{header}");
    }
    for claim in [
        r#","sub":"root""#,
        r#","role":"admin""#,
        r#","exp":9999999999"#,
        r#","aud":"edgekeep-api""#,
    ] {
        let outcome = code(&app, &token("", claim), NOW);
        assert_eq!(outcome, Some(Code::TokenInvalid), "{claim}");
    }
    let long = format!(r#","more":"{}""#, "x".repeat(4_000));
    assert_eq!(code(&app, &token("", &long), NOW), Some(Code::TokenInvalid));
}

/// Rows: A-14
#[test]
fn algorithms_cannot_be_swapped() {
    let app = app("", &"a".repeat(40));
    let keys = &app.ready().unwrap().keys;
    let token = access(&app);
    let payload = token.split('.').nth(1).unwrap().to_owned();
    for (alg, signature) in [("none", String::new()), ("HS256", "AAAA".to_owned())] {
        let header = serde_json::json!({"alg": alg, "typ": "at+jwt", "kid": keys.kid});
        let header = base64url(header.to_string().as_bytes());
        let message = format!("{header}.{payload}");
        // The classic: HMAC with the public key as the secret.
        let mac = crate::crypto::hmac_sha256(keys.verifying[0].1.as_bytes(), &[message.as_bytes()]);
        let signature = if signature.is_empty() {
            signature
        } else {
            base64url(&mac)
        };
        assert_eq!(
            code(&app, &format!("{message}.{signature}"), NOW),
            Some(Code::TokenInvalid)
        );
    }
    let service = issue_service(keys, "cron", "scheduler", NOW).unwrap();
    assert_eq!(code(&app, &service, NOW), Some(Code::TokenInvalid));
    for garbage in ["", ".", "..", "a.b.c", "é.é.é", &token[..token.len() - 5]] {
        assert_eq!(
            code(&app, garbage, NOW),
            Some(Code::TokenInvalid),
            "{garbage}"
        );
    }
}

#[test]
fn old_secrets_verify_until_they_are_removed() {
    let before = app("", &"a".repeat(40));
    let token = access(&before);
    let window = app(&"a".repeat(40), &"d".repeat(40));
    assert_eq!(code(&window, &token, NOW), None);
    assert_eq!(
        window.ready().unwrap().keys.jwks()["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let after = app("", &"d".repeat(40));
    assert_eq!(code(&after, &token, NOW), Some(Code::TokenInvalid));
}

/// One letter for each secret of access, refresh and service tokens; and for the former ones.
fn keys_of(now: [&'static str; 3], former: [&'static str; 3]) -> App {
    App::new(move |name| {
        let letter = match name {
            "ENVIRONMENT" => return Some("test".to_owned()),
            "JWT_SECRET" => now[0],
            "JWT_REFRESH_SECRET" => now[1],
            "SERVICE_JWT_SECRET" => now[2],
            "JWT_OLD_SECRETS" => former[0],
            "JWT_REFRESH_OLD_SECRETS" => former[1],
            "SERVICE_JWT_OLD_SECRETS" => former[2],
            _ => return None,
        };
        Some(letter.repeat(40))
    })
}

/// Rows: Q-11
#[test]
fn former_secrets_of_every_purpose_work_until_they_are_removed() {
    let before = keys_of(["a", "b", "c"], ["", "", ""]);
    let keys = &before.ready().unwrap().keys;
    let service = issue_service(keys, "cron", "scheduler", NOW).unwrap();
    let session = "ses_01k9z0000000000000000000aa".to_owned();
    let token = Refresh {
        session,
        counter: 0,
    };
    let refresh = keys.seal(&token);
    let access = access(&before);
    for (former, works) in [(["a", "b", "c"], true), (["", "", ""], false)] {
        let app = keys_of(["d", "e", "f"], former);
        let ready = app.ready().unwrap();
        assert_eq!(code(&app, &access, NOW).is_none(), works);
        assert_eq!(
            verify_service(ready, &service, "scheduler", NOW).is_ok(),
            works
        );
        assert_eq!(ready.keys.open(&refresh).is_some(), works);
        // What is made now is made with the new one.
        assert_ne!(ready.keys.seal(&token), refresh);
    }
}

/// Rows: P-15
#[test]
fn service_tokens_are_for_one_function_and_five_minutes() {
    let app = app("", &"a".repeat(40));
    let ready = app.ready().unwrap();
    let token = issue_service(&ready.keys, "cron", "scheduler", NOW).unwrap();
    assert_eq!(
        verify_service(ready, &token, "scheduler", NOW)
            .unwrap()
            .caller,
        "cron"
    );
    assert!(verify_service(ready, &token, "billing", NOW).is_err());
    assert!(verify_service(ready, &token, "scheduler", NOW.plus(301_000)).is_err());
    assert!(verify_service(ready, &access(&app), "scheduler", NOW).is_err());
}

#[test]
fn the_cache_forgets_at_expiry() {
    let app = app("", &"a".repeat(40));
    let token = access(&app);
    for offset in [0, 1_000, 899_000] {
        assert_eq!(code(&app, &token, NOW.plus(offset)), None);
    }
    assert_eq!(app.ready().unwrap().tokens.borrow().0.len(), 1);
    assert_eq!(
        code(&app, &token, NOW.plus(900_001)),
        Some(Code::TokenExpired)
    );
}

/// The example of RFC 8037, appendix A.3.
#[test]
fn keys_are_named_by_their_thumbprint() {
    let x = crate::crypto::from_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let key = VerifyingKey::from_bytes(&x.try_into().unwrap()).unwrap();
    assert_eq!(key_id(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}
