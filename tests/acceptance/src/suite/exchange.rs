//! Tokens of other issuers, exchanged for a session of ours. `ext` and `shared` of
//! tests/acceptance/vars; the first publishes its keys (issuer.rs), the second shares a secret.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    PASSWORD, accept, founder, invite, login, mail_token, new_email, profile, register, text,
};
use crate::forge::{self, Forged};
use crate::issuer;

const MINUTE: i64 = 60_000;

tests! { "exchange":
    a_known_issuers_token_becomes_a_session ["A-22" "A-12"];
    its_subject_is_the_user_whatever_the_address ["A-22" "D-13"];
    unverified_addresses_make_and_take_nothing ["A-22" "D-13"];
    a_shared_secret_and_mapped_claims_do_too ["A-22"];
    the_tenant_must_be_the_users_own ["A-22"];
    unknown_issuers_and_wrong_tokens_are_refused ["A-22" "A-14"];
    a_second_factor_is_asked_for_all_the_same ["A-22" "D-04"];
    an_exchange_is_no_proof_anew ["A-22"];
    external_tokens_open_no_route_by_themselves ["A-22" "A-14"];
    new_keys_are_fetched_once_a_minute ["A-22"] alone;
    parallel_misses_fetch_keys_once ["AB-02"];
    an_issuer_that_hangs_is_given_up ["P-19"];
    an_issuer_that_fails_is_left_alone ["P-10"] alone;
}

/// A person at the issuer, now.
fn person(api: &Api) -> Value {
    let (email, now) = (new_email(api), api.now().seconds());
    json!({
        "iss": "https://issuer.example.com", "aud": "edgekeep", "sub": format!("sub-{email}"),
        "iat": now, "exp": now + 300, "email": email, "email_verified": true,
    })
}

fn token(claims: &Value) -> String {
    token_by("first", claims)
}

fn token_by(kid: &str, claims: &Value) -> String {
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": kid});
    let message = forge::message(&header.to_string(), &claims.to_string());
    forge::signed(&message, &issuer::key(kid))
}

/// A person at the issuer that shares a secret, who wants into this tenant.
fn shared(api: &Api, email: &str, tenant: &str) -> Value {
    let now = api.now().seconds();
    json!({
        "iss": "https://shared.example.com/auth/v1", "aud": "authenticated",
        "sub": format!("shared-{email}"), "exp": now + 300, "email": email,
        "user_metadata": {"email_verified": true},
        "app_metadata": {"proven": true, "tenant": tenant},
    })
}

fn shared_token(claims: &Value) -> String {
    let message = forge::message(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string());
    forge::authenticated(&message, b"acceptance-shared-secret-0123456789-abcdef")
}

fn exchange(api: &Api, token: &str) -> Answer {
    exchanged(api, token, 0)
}

fn exchanged(api: &Api, token: &str, later: i64) -> Answer {
    let body = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    api.post("/api/v1/auth/token/exchange", &body)
        .later(later)
        .send()
}

fn a_known_issuers_token_becomes_a_session(api: &Api) {
    let person = person(api);
    let tokens = exchange(api, &token(&person)).data(200);
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(900))
    );
    let me = profile(api, &tokens);
    assert_eq!(
        (&me["email"], &me["role"]),
        (&person["email"], &json!("founder"))
    );
    let access = text(&tokens["access_token"]);
    let claims = Forged::from(&access).claims;
    assert_eq!(
        (&claims["iss"], &claims["amr"]),
        (&json!("edgekeep"), &json!(["ext"]))
    );
    // Every function takes it, and none after the session has ended.
    api.get("/api/v1/jobs").bearer(&access).send().data(200);
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    let next = api.post("/api/v1/auth/refresh", &refresh).send().data(200);
    let access = text(&next["access_token"]);
    api.call("POST", "/api/v1/auth/logout")
        .bearer(&access)
        .send()
        .data(200);
    api.get("/api/v1/jobs")
        .bearer(&access)
        .send()
        .refused(401, "SESSION_ENDED");
    let cookies = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "mode": "cookie",
        "subject_token": token(&person), "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    });
    let shown = api
        .post("/api/v1/auth/token/exchange", &cookies)
        .send()
        .data(200);
    assert!(
        shown["access_token"].is_null() && shown["csrf_token"].is_string(),
        "{shown}"
    );
}

fn its_subject_is_the_user_whatever_the_address(api: &Api) {
    // A registered owner of the address is found by it, once; from then on by the subject.
    let founder = founder(api);
    let mut person = person(api);
    person["email"] = json!(founder.email.to_uppercase());
    let first = profile(api, &exchange(api, &token(&person)).data(200));
    assert_eq!(
        (text(&first["id"]), text(&first["tenant"]["id"])),
        (founder.user.clone(), founder.tenant)
    );
    person["email"] = json!(new_email(api));
    person["email_verified"] = json!(false);
    let again = profile(api, &exchange(api, &token(&person)).data(200));
    assert_eq!(text(&again["id"]), founder.user);
    // The same subject at another issuer is somebody else, and that one makes no accounts.
    let mut other = shared(api, &new_email(api), &text(&first["tenant"]["id"]));
    other["sub"] = person["sub"].clone();
    exchange(api, &shared_token(&other)).refused(403, "FORBIDDEN");
}

fn unverified_addresses_make_and_take_nothing(api: &Api) {
    let founder = founder(api);
    for verified in [json!(false), json!("true"), json!(1), Value::Null] {
        let mut person = person(api);
        person["email_verified"] = verified.clone();
        exchange(api, &token(&person)).refused(403, "OAUTH_EMAIL_UNVERIFIED");
        person["email"] = json!(founder.email);
        exchange(api, &token(&person)).refused(403, "OAUTH_EMAIL_UNVERIFIED");
    }
    // Who registered an address that is not theirs loses it to whom the issuer vouches for.
    let person = person(api);
    register(api, &text(&person["email"])).data(201);
    exchange(api, &token(&person)).data(200);
    login(api, &text(&person["email"]), PASSWORD).refused(401, "CREDENTIALS_INVALID");
}

fn a_shared_secret_and_mapped_claims_do_too(api: &Api) {
    let founder = founder(api);
    let claims = shared(api, &founder.email, &founder.tenant);
    let tokens = exchange(api, &shared_token(&claims)).data(200);
    assert_eq!(text(&profile(api, &tokens)["id"]), founder.user);
    // Nobody new gets in, and what users can write of themselves proves nothing.
    let stranger = shared(api, &new_email(api), &founder.tenant);
    exchange(api, &shared_token(&stranger)).refused(403, "FORBIDDEN");
    let mut unproven = shared(api, &founder.email, &founder.tenant);
    unproven["sub"] = json!("another");
    unproven["app_metadata"]["proven"] = json!(false);
    exchange(api, &shared_token(&unproven)).refused(403, "OAUTH_EMAIL_UNVERIFIED");
    let message = forge::message(r#"{"alg":"HS256"}"#, &claims.to_string());
    for secret in ["", "another-shared-secret-0123456789-abcdef"] {
        let forged = forge::authenticated(&message, secret.as_bytes());
        exchange(api, &forged).refused(401, "TOKEN_INVALID");
    }
}

fn the_tenant_must_be_the_users_own(api: &Api) {
    let (host, guest) = (founder(api), founder(api));
    let into = |tenant: &str| exchange(api, &shared_token(&shared(api, &guest.email, tenant)));
    let mine = into(&guest.tenant).data(200);
    assert_eq!(text(&profile(api, &mine)["tenant"]["id"]), guest.tenant);
    into(&host.tenant).refused(403, "FORBIDDEN");
    into("ten_nobody").refused(403, "FORBIDDEN");
    // The membership decides, and its role: nothing in the token says either.
    invite(api, &host, &guest.email, "agent").data(201);
    accept(api, &guest.access, &mail_token(api, &guest.email)).data(200);
    let mut claims = shared(api, &guest.email, &host.tenant);
    claims["role"] = json!("founder");
    let there = profile(api, &exchange(api, &shared_token(&claims)).data(200));
    assert_eq!(
        (text(&there["tenant"]["id"]), &there["role"]),
        (host.tenant.clone(), &json!("agent"))
    );
    let gone = format!("/api/v1/organizations/members/{}", guest.user);
    api.delete(&gone).bearer(&host.access).send().data(200);
    into(&host.tenant).refused(403, "FORBIDDEN");
}

fn unknown_issuers_and_wrong_tokens_are_refused(api: &Api) {
    let good = person(api);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        token(&claims)
    };
    let now = api.now().seconds();
    let wrong = [
        with("iss", json!("https://evil.example.com")),
        with("iss", json!("https://issuer.example.com/")),
        with("iss", json!("https://shared.example.com/auth/v1")),
        with("iss", json!("edgekeep")),
        with("iss", Value::Null),
        with("aud", json!("another")),
        with("aud", json!([])),
        with("exp", Value::Null),
        with("nbf", json!(now + 3_600)),
        with("iat", json!(now + 3_600)),
        with("sub", json!("")),
        with("sub", Value::Null),
        token(&good).replace('.', ""),
        token(&good)[..80].to_owned(),
        forge::respelled(&token(&good)),
        founder(api).access,
        "x".repeat(16_000),
    ];
    for token in wrong {
        let answer = exchange(api, &token);
        answer.refused(401, "TOKEN_INVALID");
        assert!(answer.header("www-authenticate").is_some());
    }
    exchange(api, &with("exp", json!(now - 1))).refused(401, "TOKEN_EXPIRED");
    let key = issuer::key("first");
    let claims = good.to_string();
    let headers = [
        json!({"alg": "none", "kid": "first"}),
        json!({"alg": "HS256", "kid": "first"}),
        json!({"alg": "ES256", "kid": "first"}),
        json!({"alg": "EdDSA"}),
        json!({"alg": "EdDSA", "kid": "enc"}),
        json!({"alg": "EdDSA", "kid": "first", "crit": ["exp"]}),
        json!({"alg": "EdDSA", "kid": "first", "typ": "id_token+jwt"}),
        json!({"alg": "EdDSA", "kid": "second", "jwk": forge::jwk(&key.verifying_key())}),
    ];
    for header in headers {
        let message = forge::message(&header.to_string(), &claims);
        exchange(api, &forge::signed(&message, &key)).refused(401, "TOKEN_INVALID");
    }
    let message = forge::message(r#"{"alg":"EdDSA","kid":"first"}"#, &claims);
    let another = forge::signed(&message, &issuer::key("second"));
    exchange(api, &another).refused(401, "TOKEN_INVALID");
    // What is public is no secret.
    let message = forge::message(r#"{"alg":"HS256","kid":"first"}"#, &claims);
    let public = forge::authenticated(&message, key.verifying_key().as_bytes());
    exchange(api, &public).refused(401, "TOKEN_INVALID");
    let path = "/api/v1/auth/token/exchange";
    let body = json!({"grant_type": "password", "subject_token": "x", "subject_token_type": "x"});
    api.post(path, &body).send().blames("grant_type");
    api.post(path, &json!({})).send().blames("grant_type");
    // An issuer that does not answer is not the caller's fault.
    let mut gone = good;
    gone["iss"] = json!("https://gone.example.com");
    exchange(api, &token(&gone)).refused(503, "UPSTREAM_FAILED");
}

fn a_second_factor_is_asked_for_all_the_same(api: &Api) {
    let founder = founder(api);
    let act = |path: &str, body: &Value| {
        let path = format!("/api/v1/auth/mfa/{path}");
        api.post(&path, body)
            .bearer(&founder.access)
            .send()
            .data(200)
    };
    let secret = text(&act("start", &json!({}))["secret"]);
    act(
        "confirm",
        &json!({"code": crate::authenticator::code(&secret, api.now().0)}),
    );
    let mut person = person(api);
    person["email"] = json!(founder.email);
    let asked = exchange(api, &token(&person)).data(200);
    assert_eq!(asked["mfa_required"], true);
    assert!(asked["access_token"].is_null(), "{asked}");
}

/// A token that somebody stole can be exchanged as often as they like, so a session that is young
/// says nothing about who is there.
fn an_exchange_is_no_proof_anew(api: &Api) {
    let person = person(api);
    let session = || text(&exchange(api, &token(&person)).data(200)["access_token"]);
    let nothing = json!({});
    let close = api.call("DELETE", "/api/v1/auth/me").json(&nothing);
    close
        .bearer(&session())
        .send()
        .refused(403, "REAUTH_REQUIRED");
    let change = json!({"email": new_email(api)});
    let refused = [
        ("/api/v1/auth/email/change", &change),
        ("/api/v1/auth/mfa/start", &nothing),
    ];
    for (path, body) in refused {
        let answer = api.post(path, body).bearer(&session()).send();
        answer.refused(403, "REAUTH_REQUIRED");
    }
}

fn external_tokens_open_no_route_by_themselves(api: &Api) {
    let person = person(api);
    exchange(api, &token(&person)).data(200);
    for path in ["/api/v1/auth/logout", "/api/v1/jobs", "/api/v1/api-keys"] {
        api.call("POST", path)
            .bearer(&token(&person))
            .send()
            .refused(401, "TOKEN_INVALID");
    }
}

/// Alone: others' tokens with unknown keys would count too.
fn new_keys_are_fetched_once_a_minute(api: &Api) {
    let person = person(api);
    exchange(api, &token(&person)).data(200);
    // The keys that are known are not asked for again.
    let before = issuer::asked("jwks");
    for _ in 0..5 {
        exchange(api, &token(&person)).data(200);
    }
    assert_eq!(issuer::asked("jwks"), before);
    // A new key works as soon as a minute is over, and costs one request.
    let kid = format!("rolled-{}", api.now().0);
    issuer::announce(&kid);
    let rolled = token_by(&kid, &person);
    let late = 2 * MINUTE;
    exchanged(api, &rolled, late).data(200);
    assert_eq!(issuer::asked("jwks"), before + 1);
    // Key ids that somebody makes up cost nothing more, however many, and stop nobody else.
    let answers = api.parallel(24, |n| {
        let made_up = token_by(&format!("made-up-{n}-{kid}"), &person);
        exchanged(api, &made_up, late + 1_000).refused(401, "TOKEN_INVALID");
        exchanged(api, &rolled, late + 1_000).status
    });
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(issuer::asked("jwks"), before + 1);
    // Nor do they a minute later, but for one request.
    api.parallel(24, |n| {
        let made_up = token_by(&format!("later-{n}-{kid}"), &person);
        exchanged(api, &made_up, late + 2 * MINUTE).refused(401, "TOKEN_INVALID");
    });
    assert_eq!(issuer::asked("jwks"), before + 2);
}

/// A token that names a key of one of issuer.rs' others, and is signed by nobody they know.
fn forged_at(api: &Api, who: &str, later: i64) -> Answer {
    let seconds = api.now().seconds() + later / 1_000;
    let claims = json!({
        "iss": format!("https://{who}.example.com"), "aud": "edgekeep", "sub": "s",
        "iat": seconds, "exp": seconds + 300,
    });
    let message = forge::message(r#"{"alg":"EdDSA","kid":"first"}"#, &claims.to_string());
    let token = forge::signed(&message, &issuer::key("nobody"));
    exchanged(api, &token, later)
}

fn parallel_misses_fetch_keys_once(api: &Api) {
    std::thread::scope(|scope| {
        let all = [(); 50].map(|()| scope.spawn(|| forged_at(api, "slow", 0)));
        for answer in all {
            answer.join().unwrap().refused(401, "TOKEN_INVALID");
        }
    });
    // On Spin many instances begin at once, each with a cache of its own; the limit bounds them all.
    let instances = if api.stack.starts_with("spin") { 20 } else { 1 };
    let asked = issuer::asked("slow");
    assert!((1..=instances).contains(&asked), "{asked}");
}

fn an_issuer_that_hangs_is_given_up(api: &Api) {
    let began = Instant::now();
    let answer = forged_at(api, "hang", 0);
    answer.refused(504, "UPSTREAM_TIMEOUT");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_eq!(answer.header("retry-after"), Some("5"));
    // Whoever has waited in vain does not wait once more.
    assert_eq!(issuer::asked("hang"), 1);
}

/// In a time of its own, so that the breaker is closed for all others.
fn an_issuer_that_fails_is_left_alone(api: &Api) {
    const LATER: i64 = 60 * MINUTE;
    for n in 1..=5 {
        let answer = forged_at(api, "broken", LATER + n);
        answer.refused(503, "UPSTREAM_FAILED");
        // Each is tried twice.
        assert_eq!(issuer::asked("broken"), 2 * u64::try_from(n).unwrap());
    }
    for _ in 0..3 {
        let answer = forged_at(api, "broken", LATER + 6_000);
        answer.refused(503, "UPSTREAM_FAILED");
        let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((6..=30).contains(&wait), "{wait}");
    }
    assert_eq!(issuer::asked("broken"), 10);
    issuer::mend();
    let answer = forged_at(api, "broken", LATER + 45_000);
    answer.refused(401, "TOKEN_INVALID");
    assert_eq!(issuer::asked("broken"), 11);
}
