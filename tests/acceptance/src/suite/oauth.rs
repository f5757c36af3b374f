//! Sign-in through another provider.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{PASSWORD, founder, login, new_email, profile, register, text};
use crate::{idp, others};

tests! { "oauth":
    a_second_factor_is_asked_for ["D-04" "D-11"];
    a_new_person_gets_an_account ["D-11" "D-12"];
    the_same_person_comes_back_to_the_same_account ["D-11"];
    github_is_asked_by_its_api ["D-11"];
    a_browser_comes_back_with_cookies ["D-11" "A-37"];
    only_the_browser_that_started_may_finish ["D-11"];
    what_the_provider_says_is_checked ["D-11"];
    an_unverified_address_takes_nothing_over ["D-13"];
    a_verified_address_finds_its_account ["D-13"];
    who_never_proved_the_address_loses_it ["D-13"];
    a_signed_in_user_links_and_unlinks ["D-13"];
    a_link_ends_with_the_session_that_asked ["D-13"];
    browsers_return_to_the_application_only ["D-14"];
    parallel_first_sign_ins_make_one_account ["D-11"];
    a_provider_that_hangs_is_given_up ["P-19"];
}

/// A browser that went to the provider: its cookie, and where it was sent.
pub(super) struct Away {
    pub(super) cookie: String,
    pub(super) query: Vec<(String, String)>,
}

fn away(answer: &Answer, location: &str) -> Away {
    let cookie = answer.header("set-cookie").unwrap();
    let (cookie, attributes) = cookie.split_once(';').unwrap();
    for wanted in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(attributes.contains(wanted), "{attributes}");
    }
    let (base, query) = location.split_once('?').unwrap();
    assert_eq!(base, format!("{}/authorize", others::base()));
    let query = idp::pairs(query);
    assert!(query.contains(&("code_challenge_method".into(), "S256".into())));
    assert!(query.contains(&("response_type".into(), "code".into())));
    Away {
        cookie: cookie.to_owned(),
        query,
    }
}

pub(super) fn leave(api: &Api, provider: &str, mode: &str) -> Away {
    let path = format!("/api/v1/auth/oauth/{provider}/start?mode={mode}&return_to=%2Fhome%3Fx%3D1");
    let answer = api.get(&path).send();
    assert_eq!(answer.status, 302, "{}", answer.text());
    let location = answer.header("location").unwrap().to_owned();
    away(&answer, &location)
}

pub(super) fn state(away: &Away) -> &str {
    let found = away.query.iter().find(|(name, _)| name == "state");
    &found.unwrap().1
}

pub(super) fn come_back(api: &Api, provider: &str, away: &Away, claims: &Value) -> Answer {
    let code = idp::code(&away.query, claims);
    callback(
        api,
        provider,
        &away.cookie,
        &format!("state={}&code={code}", state(away)),
    )
}

fn callback(api: &Api, provider: &str, cookie: &str, query: &str) -> Answer {
    api.get(&format!("/api/v1/auth/oauth/{provider}/callback?{query}"))
        .header("cookie", cookie)
        .send()
}

pub(super) fn person(api: &Api) -> Value {
    let email = new_email(api);
    json!({"sub": format!("sub-{email}"), "email": email, "email_verified": true})
}

pub(super) fn sign_in(api: &Api, claims: &Value) -> Value {
    let away = leave(api, "mock", "bearer");
    come_back(api, "mock", &away, claims).data(200)
}

/// The tokens of a new person who came through the provider.
pub fn from_provider(api: &Api) -> Value {
    sign_in(api, &person(api))
}

/// A signed-in user asks for a link to the provider.
pub(super) fn link(api: &Api, access: &str, body: &Value, later: i64) -> Answer {
    api.post("/api/v1/auth/oauth/mock/link", body)
        .bearer(access)
        .later(later)
        .send()
}

/// The same with the password, and the browser on its way.
pub(super) fn linking(api: &Api, access: &str) -> Away {
    let answer = link(api, access, &json!({"password": PASSWORD}), 0);
    let url = text(&answer.data(200)["url"]);
    away(&answer, &url)
}

pub(super) fn unlink(api: &Api, access: &str, body: &Value, later: i64) -> Answer {
    api.delete("/api/v1/auth/identities/mock")
        .json(body)
        .bearer(access)
        .later(later)
        .send()
}

fn a_second_factor_is_asked_for(api: &Api) {
    let person = person(api);
    let tokens = sign_in(api, &person);
    let access = text(&tokens["access_token"]);
    let act = |path: &str, body: &Value| {
        let path = format!("/api/v1/auth/mfa/{path}");
        api.post(&path, body).bearer(&access).send().data(200)
    };
    let secret = text(&act("start", &json!({}))["secret"]);
    let code = crate::authenticator::code(&secret, api.now().0);
    let codes = act("confirm", &json!({"code": code}))["recoveryCodes"].clone();

    let asked = sign_in(api, &person);
    assert_eq!(asked["mfa_required"], true);
    assert!(asked["access_token"].is_null(), "{asked}");
    let body = json!({"mfa_token": asked["mfa_token"], "recovery_code": codes[0]});
    let tokens = api.post("/api/v1/auth/mfa/verify", &body).send().data(200);
    profile(api, &tokens);

    let away = leave(api, "mock", "cookie");
    let answer = come_back(api, "mock", &away, &person);
    assert_eq!(answer.status, 302, "{}", answer.text());
    let location = answer.header("location").unwrap();
    assert!(location.ends_with("/home?x=1&mfa=required"), "{location}");
    let cookies = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let set: Vec<&str> = cookies.map(|(_, value)| value.as_str()).collect();
    assert!(
        !set.iter().any(|cookie| cookie.contains("ek_access")),
        "{set:?}"
    );
    let waiting = set
        .iter()
        .find(|cookie| cookie.starts_with("__Host-ek_mfa="));
    let jar = waiting.unwrap().split(';').next().unwrap();
    let verified = api
        .post(
            "/api/v1/auth/mfa/verify",
            &json!({"recovery_code": codes[1]}),
        )
        .header("cookie", jar)
        .send();
    assert!(verified.data(200)["csrf_token"].is_string());
}

fn a_new_person_gets_an_account(api: &Api) {
    let person = person(api);
    let tokens = sign_in(api, &person);
    let me = profile(api, &tokens);
    assert_eq!(
        (&me["email"], &me["role"]),
        (&person["email"], &json!("founder"))
    );
    assert!(me["emailVerifiedAt"].is_string());
    // Its session is as every other: rotation, revocation.
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    let next = api.post("/api/v1/auth/refresh", &refresh).send().data(200);
    let access = text(&next["access_token"]);
    api.call("POST", "/api/v1/auth/logout")
        .bearer(&access)
        .send()
        .data(200);
    api.get("/api/v1/auth/me")
        .bearer(&access)
        .send()
        .refused(401, "SESSION_ENDED");
    // No password leads in.
    login(api, &text(&person["email"]), PASSWORD).refused(401, "CREDENTIALS_INVALID");
}

fn the_same_person_comes_back_to_the_same_account(api: &Api) {
    let mut person = person(api);
    let first = profile(api, &sign_in(api, &person));
    person["email"] = json!(new_email(api));
    let second = profile(api, &sign_in(api, &person));
    assert_eq!(
        first["id"], second["id"],
        "the subject counts, not the address"
    );
    assert_eq!(first["email"], second["email"]);
}

fn github_is_asked_by_its_api(api: &Api) {
    let email = new_email(api);
    let id: i64 = email
        .bytes()
        .fold(7, |sum, byte| (sum * 31 + i64::from(byte)) % 1_000_000_007);
    let away = leave(api, "hub", "bearer");
    let claims = json!({"sub": id, "email": email, "email_verified": true});
    let tokens = come_back(api, "hub", &away, &claims).data(200);
    assert_eq!(profile(api, &tokens)["email"], email);
}

fn a_browser_comes_back_with_cookies(api: &Api) {
    let away = leave(api, "mock", "cookie");
    let person = person(api);
    let answer = come_back(api, "mock", &away, &person);
    assert_eq!(answer.status, 302);
    let location = answer.header("location").unwrap();
    assert!(location.ends_with("/home?x=1"), "{location}");
    let cookies: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| value.split(';').next().unwrap())
        .collect();
    assert_eq!(cookies.len(), 4, "{cookies:?}");
    let me = api
        .get("/api/v1/auth/me")
        .header("cookie", &cookies.join("; "))
        .send();
    assert_eq!(me.data(200)["email"], person["email"]);
    // A refusal leads back too, and says why.
    let away = leave(api, "mock", "cookie");
    let query = format!("state={}&error=access_denied", state(&away));
    let refused = callback(api, "mock", &away.cookie, &query);
    assert_eq!(refused.status, 302);
    let location = refused.header("location").unwrap();
    assert!(
        location.ends_with("/home?x=1&error=OAUTH_REFUSED"),
        "{location}"
    );
}

fn only_the_browser_that_started_may_finish(api: &Api) {
    let (mine, theirs) = (leave(api, "mock", "bearer"), leave(api, "mock", "bearer"));
    let person = person(api);
    let crossed = Away {
        cookie: theirs.cookie.clone(),
        query: mine.query.clone(),
    };
    come_back(api, "mock", &crossed, &person).refused(400, "OAUTH_STATE_INVALID");
    let code = idp::code(&mine.query, &person);
    let query = format!("state={}&code={code}", state(&mine));
    callback(api, "mock", "a=b", &query).refused(400, "OAUTH_STATE_INVALID");
    // Another provider's flow does not fit either, and ten minutes are enough.
    callback(api, "hub", &mine.cookie, &query).refused(400, "OAUTH_STATE_INVALID");
    api.get(&format!("/api/v1/auth/oauth/mock/callback?{query}"))
        .header("cookie", &mine.cookie)
        .later(601_000)
        .send()
        .refused(400, "OAUTH_STATE_INVALID");
    api.get("/api/v1/auth/oauth/nobody/start")
        .send()
        .refused(404, "NOT_FOUND");
}

fn what_the_provider_says_is_checked(api: &Api) {
    let wrong = [
        json!({"nonce": "another"}),
        json!({"iss": "https://evil.example.com"}),
        json!({"aud": "somebody else"}),
        json!({"aud": ["edgekeep", "somebody else"]}),
        json!({"azp": "somebody else"}),
        json!({"exp": 1}),
        json!({"iat": 9_999_999_998_i64}),
        json!({"sub": ""}),
    ];
    for change in wrong {
        let mut claims = person(api);
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let away = leave(api, "mock", "bearer");
        come_back(api, "mock", &away, &claims).refused(400, "OAUTH_REFUSED");
    }
    let away = leave(api, "mock", "bearer");
    let code = idp::code(&away.query, &person(api));
    let query = format!(
        "state={}&code={code}&iss=https%3A%2F%2Fevil.example.com",
        state(&away)
    );
    callback(api, "mock", &away.cookie, &query).refused(400, "OAUTH_REFUSED");
    let query = format!("state={}&code=made-up", state(&away));
    callback(api, "mock", &away.cookie, &query).refused(400, "OAUTH_REFUSED");
    callback(
        api,
        "mock",
        &away.cookie,
        &format!("state={}", state(&away)),
    )
    .blames("code");
    // A code that was got for another flow's challenge (PKCE).
    let other = leave(api, "mock", "bearer");
    let code = idp::code(&other.query, &person(api));
    let query = format!("state={}&code={code}", state(&away));
    callback(api, "mock", &away.cookie, &query).refused(400, "OAUTH_REFUSED");
}

fn an_unverified_address_takes_nothing_over(api: &Api) {
    let founder = founder(api);
    let claims = json!({"sub": format!("x-{}", founder.email), "email": founder.email, "email_verified": false});
    let away = leave(api, "mock", "bearer");
    come_back(api, "mock", &away, &claims).refused(403, "OAUTH_EMAIL_UNVERIFIED");
    login(api, &founder.email, PASSWORD).data(200);
}

fn a_verified_address_finds_its_account(api: &Api) {
    let founder = founder(api);
    let claims = json!({"sub": format!("x-{}", founder.email), "email": founder.email.to_uppercase(), "email_verified": true});
    let me = profile(api, &sign_in(api, &claims));
    assert_eq!(me["tenant"]["id"], founder.tenant);
    // The password still works: its owner is the one who proved the address.
    login(api, &founder.email, PASSWORD).data(200);
}

fn who_never_proved_the_address_loses_it(api: &Api) {
    let email = new_email(api);
    register(api, &email).data(201);
    let claims = json!({"sub": format!("x-{email}"), "email": email, "email_verified": true});
    sign_in(api, &claims);
    login(api, &email, PASSWORD).refused(401, "CREDENTIALS_INVALID");
}

fn a_signed_in_user_links_and_unlinks(api: &Api) {
    let founder = founder(api);
    let person = json!({"sub": format!("linked-{}", founder.email)});
    let linked = come_back(api, "mock", &linking(api, &founder.access), &person);
    assert_eq!(linked.status, 302);
    let same = profile(api, &sign_in(api, &person));
    assert_eq!(same["email"], founder.email);
    let identities = || {
        let answer = api
            .get("/api/v1/auth/identities")
            .bearer(&founder.access)
            .send();
        answer.data(200).as_array().unwrap().len()
    };
    assert_eq!(identities(), 1);
    // Somebody else cannot link the same account of the provider.
    let other = crate::fixture::founder(api);
    let taken = come_back(api, "mock", &linking(api, &other.access), &person);
    let location = taken.header("location").unwrap_or_default();
    assert!(
        location.contains("error=STATE_CONFLICT"),
        "{}",
        taken.text()
    );
    let password = json!({"password": PASSWORD});
    unlink(api, &founder.access, &password, 0).data(200);
    assert_eq!(identities(), 0);
    unlink(api, &founder.access, &password, 0).refused(409, "STATE_CONFLICT");
    // Without a password it is the last way in.
    let only = text(&sign_in(api, &self::person(api))["access_token"]);
    unlink(api, &only, &json!({}), 0).refused(409, "STATE_CONFLICT");
}

/// Whoever was thrown out in the meantime leaves no way in behind.
fn a_link_ends_with_the_session_that_asked(api: &Api) {
    let founder = founder(api);
    let away = linking(api, &founder.access);
    api.call("POST", "/api/v1/auth/logout")
        .bearer(&founder.access)
        .send()
        .data(200);
    let person = json!({"sub": format!("late-{}", founder.email)});
    let late = come_back(api, "mock", &away, &person);
    let location = late.header("location").unwrap_or_default();
    assert!(location.ends_with("error=SESSION_ENDED"), "{location}");
    let again = leave(api, "mock", "bearer");
    come_back(api, "mock", &again, &person).refused(403, "OAUTH_EMAIL_UNVERIFIED");
}

fn browsers_return_to_the_application_only(api: &Api) {
    for bad in [
        "%2F%2Fevil.test",
        "https%3A%2F%2Fevil.test",
        "%2F%5Cevil.test",
        "x",
    ] {
        api.get(&format!("/api/v1/auth/oauth/mock/start?return_to={bad}"))
            .send()
            .blames("return_to");
    }
}

fn parallel_first_sign_ins_make_one_account(api: &Api) {
    let person = person(api);
    let users = api.parallel(8, |_| {
        let away = leave(api, "mock", "bearer");
        let answer = come_back(api, "mock", &away, &person);
        profile(api, &answer.data(200))["id"].clone()
    });
    assert!(users.iter().all(|user| *user == users[0]), "{users:?}");
}

fn a_provider_that_hangs_is_given_up(api: &Api) {
    let away = leave(api, "mock", "bearer");
    let query = format!("state={}&code=hang", state(&away));
    let began = Instant::now();
    let answer = callback(api, "mock", &away.cookie, &query);
    answer.refused(504, "UPSTREAM_TIMEOUT");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(13), "{took:?}");
}
