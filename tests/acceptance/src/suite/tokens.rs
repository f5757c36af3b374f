//! Access tokens under attack: everything that is not exactly what this installation issued is a
//! 401 with its challenge, on every stack. The table follows RFC 8725 and the attacks it names.

use ed25519_dalek::SigningKey;
use edgekeep_core::crypto::base64url;
use serde_json::{Value, json};

use super::mfa::armed;
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{api_key, founder};
use crate::forge::{self, Forged};

tests! { "tokens":
    claims_are_checked_though_the_signature_is_right ["A-14" "A-16" "A-17"];
    keys_and_algorithms_are_ours_to_choose ["A-14" "A-16"];
    odd_forms_are_refused ["A-14" "A-16"];
    other_credentials_are_no_access_tokens ["A-14" "A-13"];
    former_keys_verify_until_they_are_dropped ["A-14" "Q-11"];
    a_token_gets_no_further_than_its_session ["A-14" "A-43"];
}

/// Routes of three functions: each verifies by itself.
const READS: [&str; 3] = ["/api/v1/auth/me", "/api/v1/jobs", "/api/v1/api-keys"];
/// The same for wrong tokens, whose sender counts by address: of reads there are too few a minute.
const WRITES: [&str; 3] = ["/api/v1/auth/logout", "/api/v1/jobs", "/api/v1/api-keys"];

fn get(api: &Api, path: &str, token: &str) -> Answer {
    api.get(path).bearer(token).send()
}

/// Asserts that no function takes it for an access token.
#[track_caller]
fn refused(api: &Api, token: &str, code: &str, why: &str) {
    for route in WRITES {
        let answer = api.call("POST", route).bearer(token).send();
        assert_eq!(answer.status, 401, "{why} at {route}: {}", answer.text());
        let body = answer.refused(401, code);
        assert_eq!(body["error"]["type"], "auth", "{why}");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{why}: {challenge}"
        );
    }
}

#[track_caller]
fn taken(api: &Api, token: &str, why: &str) {
    for route in READS {
        let answer = get(api, route, token);
        assert_eq!(answer.status, 200, "{why} at {route}: {}", answer.text());
    }
}

fn claims_are_checked_though_the_signature_is_right(api: &Api) {
    let founder = founder(api);
    let (real, key) = (Forged::from(&founder.access), forge::server_key());
    taken(
        api,
        &real.signed(&key),
        "made again, letter by letter its own claims",
    );
    let now = api.now().seconds();
    let wrong: [(&str, Value); 19] = [
        ("iss", json!("https://evil.example.com")),
        ("iss", json!("edgekeep-service")),
        ("iss", Value::Null),
        ("aud", json!("another-api")),
        ("aud", json!(["edgekeep-api"])),
        ("aud", Value::Null),
        ("nbf", json!(now + 3_600)),
        ("nbf", json!("now")),
        ("exp", Value::Null),
        ("exp", json!(now + 86_400)),
        ("exp", json!(1e300)),
        ("iat", Value::Null),
        ("iat", json!(now - 86_400)),
        ("role", json!("root")),
        ("role", json!("FOUNDER")),
        ("role", Value::Null),
        ("sub", Value::Null),
        ("sid", json!(7)),
        ("ten", Value::Null),
    ];
    for (claim, value) in wrong {
        let why = format!("{claim} = {value}");
        let token = real.clone().claim(claim, value).signed(&key);
        refused(api, &token, "TOKEN_INVALID", &why);
    }
    let past = real
        .claim("iat", json!(now - 901))
        .claim("nbf", json!(now - 901));
    let past = past.claim("exp", json!(now - 1)).signed(&key);
    refused(api, &past, "TOKEN_EXPIRED", "exp in the past");
}

fn keys_and_algorithms_are_ours_to_choose(api: &Api) {
    let founder = founder(api);
    let (real, key) = (Forged::from(&founder.access), forge::server_key());
    let public = key.verifying_key();
    let own = SigningKey::from_bytes(&[7; 32]);
    let own_kid = forge::kid(&own.verifying_key());

    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let token = real.clone().header("alg", json!(alg));
        refused(api, &format!("{}.", token.message()), "TOKEN_INVALID", alg);
        refused(api, &token.signed(&key), "TOKEN_INVALID", alg);
    }
    // What is public, taken for a secret.
    let hs256 = real.clone().header("alg", json!("HS256")).message();
    let x = base64url(public.as_bytes());
    let secrets = [
        public.as_bytes().to_vec(),
        x.clone().into_bytes(),
        forge::jwk(&public).to_string().into_bytes(),
        forge::pem(&public).into_bytes(),
        forge::pem(&public).trim_end().as_bytes().to_vec(),
        Vec::new(),
    ];
    for secret in secrets {
        let token = forge::authenticated(&hs256, &secret);
        refused(api, &token, "TOKEN_INVALID", "HS256 by the public key");
    }
    for alg in [
        "HS256", "HS512", "ES256", "ES256K", "ES384", "RS256", "PS256", "eddsa", "Ed448",
    ] {
        let token = real.clone().header("alg", json!(alg)).signed(&key);
        refused(api, &token, "TOKEN_INVALID", alg);
    }
    let by_another = [
        ("no kid", Value::Null),
        ("an empty kid", json!("")),
        ("the attacker's kid", json!(own_kid)),
        ("a path", json!("../../dev/null")),
        ("SQL", json!("' UNION SELECT 'secret' --")),
        ("a URL", json!("https://evil.example.com/key")),
        ("a list", json!([real.header["kid"]])),
    ];
    for (why, kid) in by_another {
        refused(
            api,
            &real.clone().header("kid", kid.clone()).signed(&own),
            "TOKEN_INVALID",
            why,
        );
        refused(
            api,
            &real.clone().header("kid", kid).signed(&key),
            "TOKEN_INVALID",
            why,
        );
    }
    refused(
        api,
        &real.signed(&own),
        "TOKEN_INVALID",
        "our kid, another's signature",
    );
    let brought = [
        ("jwk", forge::jwk(&own.verifying_key())),
        ("jku", json!("https://evil.example.com/jwks.json")),
        ("x5u", json!("https://evil.example.com/chain.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!(base64url(&[0; 20]))),
        ("x5t#S256", json!(base64url(&[0; 32]))),
    ];
    for (name, value) in brought {
        let token = real.clone().header(name, value);
        refused(api, &token.signed(&own), "TOKEN_INVALID", name);
        let token = token.header("kid", json!(own_kid));
        refused(api, &token.signed(&own), "TOKEN_INVALID", name);
        // Even with the right signature: nobody who means well sends these.
        let token = token.header("kid", real.header["kid"].clone());
        refused(api, &token.signed(&key), "TOKEN_INVALID", name);
    }
}

fn odd_forms_are_refused(api: &Api) {
    let founder = founder(api);
    let (real, key) = (Forged::from(&founder.access), forge::server_key());
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("typ", json!("JWT")),
        ("typ", json!("service+jwt")),
        ("typ", Value::Null),
    ] {
        let why = format!("{name} = {value}");
        let token = real.clone().header(name, value).signed(&key);
        refused(api, &token, "TOKEN_INVALID", &why);
    }
    let (header, claims) = real.open_texts();
    let twice = [
        (r#","alg":"EdDSA"}"#, "}"),
        (r#","alg":"none"}"#, "}"),
        (r#","kid":"x"}"#, "}"),
        (r#","typ":"at+jwt"}"#, "}"),
        ("}", r#","sub":"usr_another"}"#),
        ("}", r#","role":"founder"}"#),
        ("}", r#","sid":"ses_another"}"#),
        ("}", r#","exp":9999999999}"#),
        ("}", r#","iss":"edgekeep"}"#),
        ("", "}"),
        ("}", ""),
        ("}]", "}"),
        ("}", "}{}"),
    ];
    for (head, tail) in twice {
        let message = forge::message(&format!("{header}{head}"), &format!("{claims}{tail}"));
        let why = format!("{head} {tail}");
        refused(api, &forge::signed(&message, &key), "TOKEN_INVALID", &why);
    }
    let real = real.signed(&key);
    let parts: Vec<&str> = real.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    let large = "x".repeat(6_000);
    let mut odd = vec![
        forge::respelled(&real),
        format!("{real}="),
        format!("{real}=="),
        format!("{real}."),
        format!("{real}.{signature}"),
        format!(".{real}"),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{signature}"),
        format!(".{body}.{signature}"),
        // A character of the other alphabet of base64.
        format!("{head}.{body}.+{}", &signature[1..]),
        format!("{head}.{body}.{}", "A".repeat(86)),
        format!("{head}.{body}.{signature}{signature}"),
        format!("{head}.{body}.\u{20}{signature}"),
        format!("{}.{body}.{signature}", base64url(b"[]")),
        format!("{}.{body}.{signature}", base64url(b"{}")),
        format!("{}.{body}.{signature}", base64url(b"\xff\xfe")),
        Forged::from(&real).claim("more", json!(large)).signed(&key),
        "a".repeat(6_000),
        "..".to_owned(),
        ".".repeat(3_000),
    ];
    odd.extend([1, 2, 3, 10, 40, 86].map(|cut| real[..real.len() - cut].to_owned()));
    for token in odd {
        let shown: String = token.chars().take(60).collect();
        refused(api, &token, "TOKEN_INVALID", &shown);
    }
    taken(api, &real, "after all that");
}

fn other_credentials_are_no_access_tokens(api: &Api) {
    let founder = founder(api);
    refused(api, &founder.refresh, "TOKEN_INVALID", "a refresh token");
    for function in ["auth", "jobs", "accounts", "api"] {
        let token = api.service_token(function);
        refused(api, &token, "TOKEN_INVALID", "a service token");
    }
    // A service's secret signs no access token, whatever the token says of itself.
    let secret = std::env::var("SERVICE_JWT_SECRET").unwrap();
    let service = edgekeep_core::crypto::derive_key(&secret, "service-jwt");
    let claims = Forged::from(&founder.access).header("alg", json!("HS256"));
    let token = forge::authenticated(&claims.message(), &service);
    refused(
        api,
        &token,
        "TOKEN_INVALID",
        "an access token by the service key",
    );
    let pre = armed(api).begin(api);
    refused(
        api,
        &pre,
        "TOKEN_INVALID",
        "a sign-in that waits for its second factor",
    );
    let key = api_key(api, &founder, &["jobs"]);
    let answer = get(api, "/api/v1/auth/me", &key);
    answer.refused(403, "FORBIDDEN");
    let cookie = format!("__Host-ek_access={pre}");
    api.get("/api/v1/auth/me")
        .header("cookie", &cookie)
        .send()
        .refused(401, "TOKEN_INVALID");
    // And an access token is none of the others.
    let body = json!({"refresh_token": founder.access});
    api.post("/api/v1/auth/refresh", &body)
        .send()
        .blames("refresh_token");
    let body = json!({"mfa_token": founder.access, "code": "000000"});
    api.post("/api/v1/auth/mfa/verify", &body)
        .send()
        .blames("mfa_token");
    let tick = api
        .call("POST", "/api/v1/scheduler/tick")
        .bearer(&founder.access);
    tick.send().refused(401, "TOKEN_INVALID");
}

fn former_keys_verify_until_they_are_dropped(api: &Api) {
    let founder = founder(api);
    let real = Forged::from(&founder.access);
    let by = |secret: &str| {
        let key = forge::key(secret);
        let kid = forge::kid(&key.verifying_key());
        (
            kid.clone(),
            real.clone().header("kid", json!(kid)).signed(&key),
        )
    };
    let published = api.get("/.well-known/jwks.json").send().json();
    let kids: Vec<&Value> = published["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["kid"])
        .collect();
    let (current, _) = by(&std::env::var("JWT_SECRET").unwrap());
    let (former, token) = by(&std::env::var("JWT_OLD_SECRETS").unwrap());
    assert_eq!(kids, [&json!(current), &json!(former)], "the newest signs");
    assert_eq!(real.header["kid"], current);
    taken(api, &token, "by the former secret, which is still listed");
    let (_, token) = by("a secret that was dropped, or never was here");
    refused(
        api,
        &token,
        "TOKEN_INVALID",
        "by a secret that is not listed",
    );
}

/// Whoever stole the signing key still needs a session of the user that the token names.
fn a_token_gets_no_further_than_its_session(api: &Api) {
    let (mine, theirs) = (founder(api), founder(api));
    let (real, key) = (Forged::from(&mine.access), forge::server_key());
    for (claim, value) in [
        ("sub", &theirs.user),
        ("ten", &theirs.tenant),
        ("sid", &"ses_00000000000000000000000000".to_owned()),
    ] {
        let token = real.clone().claim(claim, json!(value)).signed(&key);
        get(api, "/api/v1/auth/me", &token).refused(401, "SESSION_ENDED");
        get(api, "/api/v1/jobs", &token).refused(401, "SESSION_ENDED");
    }
    // The role in a token is for services that only read it; what holds is the row.
    let token = real.claim("role", json!("client")).signed(&key);
    let me = get(api, "/api/v1/auth/me", &token).data(200);
    assert_eq!(me["role"], "founder");
}
