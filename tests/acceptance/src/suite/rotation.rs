//! The life of a session's tokens, from sign-in to its end: rotation, replay, expiry, logout, and
//! a secret that is rolled on the way. The same for a session that another provider vouched for.

use edgekeep_core::auth::refresh::Refresh;
use edgekeep_core::auth::token::issue_service;
use edgekeep_core::crypto::{base64url, derive_key, fingerprint, hmac_sha256};
use serde_json::{Value, json};

use super::oauth::{Away, come_back, from_provider, leave, person, state};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{PASSWORD, founder, login, text};
use crate::forge::Forged;

const HOUR: i64 = 3_600_000;

tests! { "rotation":
    every_refresh_gives_a_new_pair ["A-39"];
    a_replay_ends_the_whole_family ["A-39" "A-08"];
    parallel_replays_cannot_fork_a_session ["A-39" "A-09"];
    tokens_expire_and_the_session_goes_on ["A-39" "A-18"];
    logout_ends_both_tokens_at_once ["A-39" "A-10"];
    a_rolled_secret_signs_nobody_out ["A-39" "Q-11"];
    a_flow_under_way_outlives_a_rolled_secret ["Q-11" "D-11"];
    sessions_of_other_providers_rotate_alike ["A-39" "D-12"];
}

fn sign_in(api: &Api) -> Value {
    let founder = founder(api);
    login(api, &founder.email, PASSWORD).data(200)
}

fn refresh(api: &Api, token: &Value, later: i64) -> Answer {
    api.post("/api/v1/auth/refresh", &json!({"refresh_token": token}))
        .later(later)
        .send()
}

fn me(api: &Api, access: &Value, later: i64) -> Answer {
    api.get("/api/v1/auth/me")
        .bearer(&text(access))
        .later(later)
        .send()
}

fn every_refresh_gives_a_new_pair(api: &Api) {
    rotates(api, sign_in(api));
}

/// Five refreshes an hour apart: nothing is given twice, and the session stays the same.
fn rotates(api: &Api, first: Value) {
    let mut seen = vec![first.clone()];
    for hour in 1..=5 {
        let last = seen.last().unwrap();
        let next = refresh(api, &last["refresh_token"], hour * HOUR).data(200);
        assert_eq!(next["session_id"], first["session_id"]);
        for before in &seen {
            assert_ne!(next["refresh_token"], before["refresh_token"]);
            assert_ne!(next["access_token"], before["access_token"]);
        }
        let claims = Forged::from(&text(&next["access_token"])).claims;
        assert_eq!(claims["sid"], first["session_id"]);
        me(api, &next["access_token"], hour * HOUR).data(200);
        seen.push(next);
    }
}

fn a_replay_ends_the_whole_family(api: &Api) {
    let first = sign_in(api);
    let second = refresh(api, &first["refresh_token"], 0).data(200);
    let third = refresh(api, &second["refresh_token"], 60_000).data(200);
    replayed(api, &first, &third, 120_000);
}

/// Replaying the first pair's token ends the last pair too.
fn replayed(api: &Api, first: &Value, last: &Value, later: i64) {
    refresh(api, &first["refresh_token"], later).refused(401, "SESSION_ENDED");
    refresh(api, &last["refresh_token"], later).refused(401, "SESSION_ENDED");
    me(api, &last["access_token"], later).refused(401, "SESSION_ENDED");
}

fn parallel_replays_cannot_fork_a_session(api: &Api) {
    let first = sign_in(api);
    let answers = api.parallel(12, |_| refresh(api, &first["refresh_token"], 0).data(200));
    let next = &answers[0]["refresh_token"];
    assert!(
        answers
            .iter()
            .all(|answer| answer["refresh_token"] == *next)
    );
    let after = refresh(api, next, 0).data(200);
    // Two steps back is a replay, however soon.
    replayed(api, &first, &after, 0);
}

fn tokens_expire_and_the_session_goes_on(api: &Api) {
    let first = sign_in(api);
    let late = 16 * 60_000;
    let body = me(api, &first["access_token"], late).refused(401, "TOKEN_EXPIRED");
    assert_eq!(body["error"]["retryable"], true);
    let next = refresh(api, &first["refresh_token"], late).data(200);
    me(api, &next["access_token"], late).data(200);
    let week = 7 * 24 * HOUR;
    refresh(api, &next["refresh_token"], late + week + 1_000).refused(401, "SESSION_ENDED");
}

fn logout_ends_both_tokens_at_once(api: &Api) {
    let tokens = sign_in(api);
    logged_out(api, &tokens);
}

fn logged_out(api: &Api, tokens: &Value) {
    api.call("POST", "/api/v1/auth/logout")
        .bearer(&text(&tokens["access_token"]))
        .send()
        .data(200);
    me(api, &tokens["access_token"], 0).refused(401, "SESSION_ENDED");
    refresh(api, &tokens["refresh_token"], 0).refused(401, "SESSION_ENDED");
}

/// Tokens of the former secrets, as they are in clients' hands when a secret is rolled. Access
/// tokens are in the group `tokens`.
fn a_rolled_secret_signs_nobody_out(api: &Api) {
    let first = sign_in(api);
    let session = text(&first["session_id"]);
    let made_with = |secret: &str| {
        let token = Refresh {
            session: session.clone(),
            counter: 0,
        };
        json!(token.seal(&derive_key(secret, "refresh-token")))
    };
    let former = std::env::var("JWT_REFRESH_OLD_SECRETS").unwrap();
    let current = std::env::var("JWT_REFRESH_SECRET").unwrap();
    assert_eq!(made_with(&current), first["refresh_token"]);
    refresh(api, &made_with("a secret that was dropped by now"), 0).refused(401, "TOKEN_INVALID");
    let next = refresh(api, &made_with(&former), 0).data(200);
    assert_eq!(next["session_id"], first["session_id"]);
    // What is given is made with the newest.
    let successor = Refresh {
        session: session.clone(),
        counter: 1,
    };
    let successor = successor.seal(&derive_key(&current, "refresh-token"));
    assert_eq!(next["refresh_token"], successor);
    refresh(api, &next["refresh_token"], 0).data(200);

    let service = |secret: String| {
        let app = edgekeep_core::app::App::new(|name| match name {
            "SERVICE_JWT_SECRET" => Some(secret.clone()),
            name => std::env::var(name).ok(),
        });
        issue_service(
            &app.ready().unwrap().keys,
            "acceptance",
            "scheduler",
            api.now(),
        )
        .unwrap()
    };
    let tasks = |token: &str| api.get("/api/v1/scheduler/tasks").bearer(token).send();
    tasks(&service(std::env::var("SERVICE_JWT_OLD_SECRETS").unwrap())).data(200);
    tasks(&service(
        "a service secret that was dropped by now".to_owned(),
    ))
    .refused(401, "TOKEN_INVALID");
}

/// Browsers that are at a provider while the secret is rolled come back to what they left.
fn a_flow_under_way_outlives_a_rolled_secret(api: &Api) {
    let former = std::env::var("JWT_REFRESH_OLD_SECRETS").unwrap();
    let person = person(api);
    let tokens = come_back(api, "mock", &begun_with(api, &former), &person).data(200);
    me(api, &tokens["access_token"], 0).data(200);
    let dropped = begun_with(api, "a secret that was dropped by now");
    come_back(api, "mock", &dropped, &person).refused(400, "OAUTH_STATE_INVALID");
}

/// A flow as a server would have begun it while this was its secret.
fn begun_with(api: &Api, secret: &str) -> Away {
    let mut away = leave(api, "mock", "bearer");
    let (name, sealed) = away.cookie.split_once('=').unwrap();
    let (value, _) = sealed.rsplit_once('.').unwrap();
    let key = derive_key(secret, "cookie");
    let mac = hmac_sha256(&key, &[b"oauth:mock\0", value.as_bytes()]);
    let cookie = format!("{name}={value}.{}", base64url(&mac));
    let derived = |what: &[u8]| {
        let key = derive_key(secret, "oauth");
        base64url(&hmac_sha256(&key, &[what, state(&away).as_bytes()]))
    };
    let made = [
        ("nonce", derived(b"nonce\0")),
        ("code_challenge", fingerprint(&derived(b"pkce\0"))),
    ];
    for (name, value) in made {
        let pair = away.query.iter_mut().find(|(key, _)| key == name);
        pair.unwrap().1 = value;
    }
    Away { cookie, ..away }
}

fn sessions_of_other_providers_rotate_alike(api: &Api) {
    rotates(api, from_provider(api));
    let first = from_provider(api);
    let claims = Forged::from(&text(&first["access_token"])).claims;
    assert_eq!(claims["amr"], json!(["fed"]));
    let next = refresh(api, &first["refresh_token"], 0).data(200);
    let last = refresh(api, &next["refresh_token"], 60_000).data(200);
    replayed(api, &first, &last, 120_000);
    logged_out(api, &from_provider(api));
}
