//! Accounts and sessions.

use serde_json::json;

use super::tests;
use crate::api::Api;
use crate::fixture::{
    Founder, PASSWORD, founder, login, mail, mail_token, me, new_email, register, text,
};

tests! { "auth":
    register_verify_login_me ["A-01" "A-02" "A-03" "A-04" "A-12" "A-17" "L-03"];
    registering_a_known_address_tells_nothing ["A-01"];
    links_work_once_and_expire ["A-02"];
    a_link_opens_in_a_browser ["A-02"];
    wrong_password_and_unknown_user_are_alike ["A-04"];
    access_tokens_last_fifteen_minutes ["A-05" "A-18"];
    refresh_tokens_last_seven_days ["A-06"];
    refresh_rotates ["A-07"];
    parallel_refreshes_share_one_successor ["A-09"];
    a_replayed_refresh_token_ends_the_session ["A-07" "A-08"];
    logout_ends_the_session_at_once ["A-10" "A-11"];
    broken_tokens_are_refused ["A-14" "A-15" "A-16"];
    public_keys_are_published [];
    round_trips_are_within_budget ["AC-09" "AC-13"];
}

fn refresh(api: &Api, token: &str) -> crate::answer::Answer {
    api.post("/api/v1/auth/refresh", &json!({"refresh_token": token}))
        .send()
}

fn register_verify_login_me(api: &Api) {
    let email = new_email(api);
    let pending = register(api, &email).data(201);
    assert_eq!(pending["status"], "pending_verification");
    let token = mail_token(api, &email);
    let verified = api
        .post("/api/v1/auth/verify", &json!({"token": token}))
        .send()
        .data(200);
    assert_eq!(verified["status"], "active");
    // Addresses are the same in every case.
    let tokens = login(api, &email.to_uppercase(), PASSWORD).data(200);
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 900);
    let answer = me(api, &text(&tokens["access_token"]));
    let me = answer.data(200);
    assert_eq!(me["email"], email);
    assert_eq!(me["role"], "founder");
    assert_eq!(me["tenant"]["plan"], "FREE");
    assert!(me["emailVerifiedAt"].is_string());
    let shown = answer.text();
    assert!(
        !shown.contains("argon2") && !shown.contains("hash"),
        "{shown}"
    );
}

fn registering_a_known_address_tells_nothing(api: &Api) {
    let founder = founder(api);
    let (first, again) = (
        register(api, &new_email(api)),
        register(api, &founder.email),
    );
    assert_eq!(first.status, again.status);
    let shape = |answer: &crate::answer::Answer| {
        answer
            .data(201)
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(&first), shape(&again));
    assert_eq!(
        mail(api, &founder.email)["subject"],
        "You already have an account"
    );
    // Nothing about the account changed.
    login(api, &founder.email, PASSWORD).data(200);
}

fn links_work_once_and_expire(api: &Api) {
    let email = new_email(api);
    register(api, &email).data(201);
    let token = mail_token(api, &email);
    let verify = |token: &str, later: i64| {
        api.post("/api/v1/auth/verify", &json!({"token": token}))
            .later(later)
            .send()
    };
    verify(&token, 25 * 3_600_000).refused(400, "TOKEN_SPENT");
    verify(&format!("{token}x"), 0).refused(400, "TOKEN_SPENT");
    let winners = api.parallel(10, |_| verify(&token, 0).status);
    assert_eq!(
        winners.iter().filter(|status| **status == 200).count(),
        1,
        "{winners:?}"
    );
    verify(&token, 0).refused(400, "TOKEN_SPENT");
}

fn a_link_opens_in_a_browser(api: &Api) {
    let email = new_email(api);
    register(api, &email).data(201);
    let token = mail_token(api, &email);
    api.get(&format!("/api/v1/auth/verify?token={token}"))
        .send()
        .data(200);
    api.get("/api/v1/auth/verify").send().blames("token");
}

fn wrong_password_and_unknown_user_are_alike(api: &Api) {
    let founder = founder(api);
    let wrong = login(api, &founder.email, "not the password");
    let unknown = login(api, &new_email(api), "not the password");
    let body = |answer: &crate::answer::Answer| {
        let mut body = answer.refused(401, "CREDENTIALS_INVALID");
        body["metadata"] = json!(null);
        body
    };
    assert_eq!(body(&wrong), body(&unknown));
}

fn access_tokens_last_fifteen_minutes(api: &Api) {
    let founder = founder(api);
    let at = |later: i64| {
        api.get("/api/v1/auth/me")
            .bearer(&founder.access)
            .later(later)
            .send()
    };
    at(890_000).data(200);
    let body = at(901_000).refused(401, "TOKEN_EXPIRED");
    assert_eq!(body["error"]["retryable"], true);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("/api/v1/auth/refresh")
    );
}

fn refresh_tokens_last_seven_days(api: &Api) {
    let founder = founder(api);
    let at = |later: i64| {
        let body = json!({"refresh_token": founder.refresh});
        api.post("/api/v1/auth/refresh", &body).later(later).send()
    };
    let week = 7 * 86_400_000;
    at(week + 1_000).refused(401, "SESSION_ENDED");
    at(week - 60_000).data(200);
}

fn refresh_rotates(api: &Api) {
    let founder = founder(api);
    let next = refresh(api, &founder.refresh).data(200);
    assert_ne!(text(&next["refresh_token"]), founder.refresh);
    me(api, &text(&next["access_token"])).data(200);
    let after = refresh(api, &text(&next["refresh_token"])).data(200);
    assert_ne!(after["refresh_token"], next["refresh_token"]);
}

fn parallel_refreshes_share_one_successor(api: &Api) {
    let founder = founder(api);
    let answers = api.parallel(20, |_| refresh(api, &founder.refresh).data(200));
    let successors: std::collections::BTreeSet<String> = answers
        .iter()
        .map(|answer| text(&answer["refresh_token"]))
        .collect();
    assert_eq!(successors.len(), 1);
    refresh(api, successors.first().unwrap()).data(200);
}

fn a_replayed_refresh_token_ends_the_session(api: &Api) {
    let founder = founder(api);
    let next = refresh(api, &founder.refresh).data(200);
    let replay = json!({"refresh_token": founder.refresh});
    // Inside the grace the same successor; after it, the session is over for both.
    let grace = api.post("/api/v1/auth/refresh", &replay).send().data(200);
    assert_eq!(grace["refresh_token"], next["refresh_token"]);
    let late = api
        .post("/api/v1/auth/refresh", &replay)
        .later(20_000)
        .send();
    late.refused(401, "SESSION_ENDED");
    refresh(api, &text(&next["refresh_token"])).refused(401, "SESSION_ENDED");
    me(api, &text(&next["access_token"])).refused(401, "SESSION_ENDED");
    me(api, &founder.access).refused(401, "SESSION_ENDED");
}

fn logout_ends_the_session_at_once(api: &Api) {
    let founder = founder(api);
    let logout = || {
        api.call("POST", "/api/v1/auth/logout")
            .bearer(&founder.access)
            .send()
    };
    logout().data(200);
    me(api, &founder.access).refused(401, "SESSION_ENDED");
    refresh(api, &founder.refresh).refused(401, "SESSION_ENDED");
    logout().refused(401, "SESSION_ENDED");
    // Another function hears of it with the next request, too.
    api.get("/api/v1/jobs")
        .bearer(&founder.access)
        .send()
        .refused(401, "SESSION_ENDED");
}

fn broken_tokens_are_refused(api: &Api) {
    let Founder {
        access,
        refresh: refresh_token,
        ..
    } = founder(api);
    let (head, _) = access.rsplit_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let payload = access.split('.').nth(1).unwrap();
    let broken = [
        format!("{head}."),
        format!("{head}.AAAA"),
        format!("{none}.{payload}."),
        access.replace('.', ""),
        access.chars().take(access.len() - 4).collect(),
        refresh_token.clone(),
        api.service_token("auth"),
        "x".repeat(8_000),
    ];
    for token in broken {
        let answer = me(api, &token);
        answer.refused(401, "TOKEN_INVALID");
        assert!(
            answer
                .header("www-authenticate")
                .unwrap()
                .contains("invalid_token")
        );
    }
    for value in [
        "Basic dXNlcjpwYXNz",
        "Bearer",
        "Bearer ",
        "",
        access.as_str(),
    ] {
        let answer = api
            .get("/api/v1/auth/me")
            .header("authorization", value)
            .send();
        answer.refused(401, "AUTH_REQUIRED");
    }
    for token in ["", "er_", "er_AAAA", &refresh_token[..40], access.as_str()] {
        let status = refresh(api, token).status;
        assert!([400, 401].contains(&status), "{token}: {status}");
    }
    me(api, &access).data(200);
}

fn public_keys_are_published(api: &Api) {
    let answer = api.get("/.well-known/jwks.json").send();
    assert_eq!(answer.status, 200);
    let key = answer.json()["keys"][0].clone();
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
    );
    assert!(key["kid"].is_string() && key["d"].is_null());
}

fn round_trips_are_within_budget(api: &Api) {
    let founder = founder(api);
    assert_eq!(me(api, &founder.access).sql(), 1);
    assert_eq!(login(api, &founder.email, PASSWORD).sql(), 2);
    assert!(refresh(api, &founder.refresh).sql() <= 2);
    assert!(!founder.user.is_empty());
}
