//! What is stored: nothing that lets anybody in. The suite remembers every secret that it sent or
//! was given; after all other tests, everything the server has stored is searched for them, as
//! they are and in the usual encodings.
//!
//! Runs only where `--stored COMMAND` says how to print what is stored.

use std::process::Command;

use serde_json::{Value as Json, json};

use super::mfa::armed;
use super::tests;
use crate::api::Api;
use crate::fixture::{
    PASSWORD, accept, api_key, elsewhere, founder, invite, mail, mail_token, new_email,
};
use crate::secrets::{self, Kind};

tests! { "at_rest":
    no_secret_is_stored ["A-35" "D-07"] alone;
    no_address_is_stored ["E-30"] alone;
}

fn no_secret_is_stored(api: &Api) {
    whole_flow(api);
    let counts = secrets::counts();
    for kind in [
        Kind::AccessToken,
        Kind::RefreshToken,
        Kind::PreToken,
        Kind::Cookie,
        Kind::Password,
        Kind::Link,
        Kind::MailedCode,
        Kind::ApiKey,
        Kind::AppSecret,
        Kind::RecoveryCode,
    ] {
        assert!(
            counts.contains_key(&kind),
            "no {kind:?} was seen: {counts:?}"
        );
    }
    let command = api.stored.as_deref().expect("--stored");
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {problem}");
    let (found, ids) = secrets::search(&output.stdout);
    assert!(
        ids > 0,
        "the sessions are not in it: {command} prints something else"
    );
    let shown: Vec<_> = found.iter().take(20).collect();
    assert!(
        found.is_empty(),
        "{} secrets are stored: {shown:#?}",
        found.len()
    );
    println!(
        "       searched {} KiB for {} secrets",
        output.stdout.len() / 1_024,
        counts.values().sum::<usize>()
    );
}

/// Limits count a client's address, sessions and the audit log show its network (/48); the rest of it
/// stands nowhere, and counters in the store are hashes.
fn no_address_is_stored(api: &Api) {
    // One whose /64 is not written as its /48.
    let mut client = elsewhere(api);
    while client.ends_with(":0::1") {
        client = elsewhere(api);
    }
    for _ in 0..30 {
        let call = api.get("/api/v1/billing/plans");
        call.header("x-forwarded-for", &client).send().data(200);
    }
    let body = json!({"email": new_email(api), "password": PASSWORD});
    let call = api.post("/api/v1/auth/login", &body);
    call.header("x-forwarded-for", &client).send();
    let command = api.stored.as_deref().expect("--stored");
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}");
    let stored = String::from_utf8_lossy(&output.stdout);
    let own = client.trim_end_matches("::1");
    assert!(!stored.contains(own), "{own} is stored");
    for key in stored.lines().flat_map(rate_limit_keys) {
        let hash = key.split(':').nth(2).unwrap_or_default();
        assert!(
            hash.len() == 32 && hash.chars().all(|c| c.is_ascii_hexdigit()),
            "{key}"
        );
    }
}

/// The counters of limits in a row as `stored` prints it, `table {"column": "rl:write:…"}`. The
/// files' bytes, which it prints too, are no rows: a page may hold half a key.
fn rate_limit_keys(line: &str) -> Vec<String> {
    let row = line.split_once(' ').map(|(_, row)| row).unwrap_or_default();
    let Ok(Json::Object(row)) = serde_json::from_str(row) else {
        return Vec::new();
    };
    row.values()
        .filter_map(Json::as_str)
        .filter(|text| text.starts_with("rl:"))
        .map(ToOwned::to_owned)
        .collect()
}

/// One of each secret, so that the test says the same when it runs alone.
fn whole_flow(api: &Api) {
    let host = founder(api);
    login_with_cookies(api, &host.email);
    let guest = founder(api);
    invite(api, &host, &guest.email, "agent").data(201);
    accept(api, &guest.access, &mail_token(api, &guest.email)).data(200);
    // One invitation stays open, one link unopened.
    invite(api, &host, &new_email(api), "agent").data(201);
    let forgot = json!({"email": host.email});
    api.post("/api/v1/auth/password/forgot", &forgot)
        .send()
        .data(202);
    mail(api, &host.email);
    api.post(
        "/api/v1/auth/password/forgot",
        &json!({"email": guest.email}),
    )
    .send()
    .data(202);
    let reset =
        json!({"token": mail_token(api, &guest.email), "password": "another long pass phrase"});
    api.post("/api/v1/auth/password/reset", &reset)
        .send()
        .data(200);
    keys(api, &host);
    factors(api);
    super::oauth::from_provider(api);
}

fn login_with_cookies(api: &Api, email: &str) {
    let body = json!({"email": email, "password": PASSWORD, "mode": "cookie"});
    api.post("/api/v1/auth/login", &body).send().data(200);
}

fn keys(api: &Api, host: &crate::fixture::Founder) {
    api_key(api, host, &["jobs"]);
    // An answer that is kept for replays.
    let create = |name: &str| {
        let body = json!({"name": name, "scopes": ["jobs"]});
        let call = api.post("/api/v1/api-keys", &body).bearer(&host.access);
        call.key("at-rest").send().data(201)
    };
    assert!(create("kept")["key"].is_string());
    assert!(create("kept")["key"].is_null(), "a replay shows no key");
}

/// An app, with its recovery codes, and codes by mail; both signed in with.
fn factors(api: &Api) {
    let armed = armed(api);
    let body = json!({"mfa_token": armed.begin(api), "recovery_code": armed.recovery[0]});
    api.post("/api/v1/auth/mfa/verify", &body).send().data(200);

    let mailed = crate::fixture::founder(api);
    let start = json!({"method": "email"});
    api.post("/api/v1/auth/mfa/start", &start)
        .bearer(&mailed.access)
        .send()
        .data(200);
    mail(api, &mailed.email);
}
