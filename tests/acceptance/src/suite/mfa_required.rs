//! The second factor by mail, and tenants that ask for one.

use serde_json::json;

use super::mfa::{MINUTE, act, armed, claims, require, verify};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::authenticator::code;
use crate::fixture::{Founder, PASSWORD, founder, login, mail, me, text};

tests! { "mfa":
    mailed_codes_are_a_second_factor ["D-05"];
    mailed_codes_run_out ["D-05"];
    a_tenant_may_ask_for_it ["D-10"];
    a_tenant_may_ask_its_admins ["D-10"];
}

fn mailed_code(api: &Api, email: &str) -> String {
    let mail = text(&mail(api, email)["text"]);
    let digits = mail.split("code is ").nth(1).unwrap();
    digits.chars().take(6).collect()
}

/// Somebody whose second factor is mail alone.
fn mailed(api: &Api) -> Founder {
    let founder = founder(api);
    let email = json!({"method": "email"});
    act(api, &founder.access, "start", &email).data(200);
    let code = mailed_code(api, &founder.email);
    let body = json!({"method": "email", "code": code});
    act(api, &founder.access, "confirm", &body).data(200);
    founder
}

fn send(api: &Api, token: &str, later: i64) -> Answer {
    api.post("/api/v1/auth/mfa/email/send", &json!({"mfa_token": token}))
        .later(later)
        .send()
}

fn mailed_codes_are_a_second_factor(api: &Api) {
    let founder = mailed(api);
    let asked = login(api, &founder.email, PASSWORD).data(200);
    assert_eq!(asked["methods"], json!(["email", "recovery_code"]));
    let token = text(&asked["mfa_token"]);
    send(api, &token, 0).data(202);
    let old = mailed_code(api, &founder.email);
    assert!(
        old.len() == 6 && old.chars().all(|c| c.is_ascii_digit()),
        "{old}"
    );
    send(api, &token, 0).data(202);
    let code = mailed_code(api, &founder.email);
    assert_ne!(old, code);
    verify(api, &token, &json!({"code": old}), 0).refused(401, "MFA_CODE_INVALID");
    let tokens = verify(api, &token, &json!({"code": code}), 0).data(200);
    assert_eq!(claims(&text(&tokens["access_token"]))["aal"], 2);
    // Used up, for another sign-in too.
    let again = text(&login(api, &founder.email, PASSWORD).data(200)["mfa_token"]);
    verify(api, &again, &json!({"code": code}), 0).refused(401, "MFA_CODE_INVALID");
    // The one that set it up and two more: enough for ten minutes.
    let over = send(api, &again, 0);
    over.refused(429, "RATE_LIMITED");
    assert!(over.header("retry-after").is_some());
    // Who has an app alone gets no mail: it would be a way around the app.
    let armed = armed(api);
    send(api, &armed.begin(api), 0).refused(409, "STATE_CONFLICT");
    send(api, "x.y", 0).refused(401, "TOKEN_INVALID");
}

fn mailed_codes_run_out(api: &Api) {
    let founder = mailed(api);
    let body = json!({"email": founder.email, "password": PASSWORD});
    let begin = |later: i64| {
        let call = api.post("/api/v1/auth/login", &body).later(later);
        text(&call.send().data(200)["mfa_token"])
    };
    send(api, &begin(0), 0).data(202);
    let code = mailed_code(api, &founder.email);
    let late = 10 * MINUTE + 1_000;
    verify(api, &begin(late), &json!({"code": code}), late).refused(401, "MFA_CODE_INVALID");
    // In time, but after five tries: three, the end of the lockout, and two more.
    let founder = mailed(api);
    let token = text(&login(api, &founder.email, PASSWORD).data(200)["mfa_token"]);
    send(api, &token, 0).data(202);
    let code = mailed_code(api, &founder.email);
    let bad = json!({"code": if code == "000000" { "000001" } else { "000000" }});
    for (later, status) in [(0, 401), (0, 401), (0, 429), (61_000, 401), (61_000, 401)] {
        assert_eq!(verify(api, &token, &bad, later).status, status);
    }
    let last = verify(api, &token, &json!({"code": code}), 61_000);
    last.refused(429, "ACCOUNT_LOCKED");
}

fn a_tenant_may_ask_for_it(api: &Api) {
    let founder = founder(api);
    let access = founder.access.as_str();
    require(api, access, "everybody").blames("required");
    require(api, access, "all").refused(403, "MFA_REQUIRED");
    let armed = armed(api);
    let weak = text(&armed.sign_in(api, 0)["access_token"]);
    let done = require(api, &weak, "all");
    done.data(200);
    me(api, &weak).data(200);
    // Without the factor every door but those for setting it up is shut, at once.
    act(api, &weak, "disable", &json!({})).data(200);
    let plain = login(api, &armed.founder.email, PASSWORD).data(200);
    let plain = text(&plain["access_token"]);
    me(api, &plain).refused(403, "MFA_REQUIRED");
    let keys = api.get("/api/v1/api-keys").bearer(&plain).send();
    keys.refused(403, "MFA_REQUIRED");
    require(api, &plain, "none").refused(403, "MFA_REQUIRED");
    let started = act(api, &plain, "start", &json!({})).data(200);
    let secret = text(&started["secret"]);
    let body = json!({"code": code(&secret, api.now().0)});
    act(api, &plain, "confirm", &body).data(200);
    let opened = me(api, &plain);
    assert_eq!(opened.sql(), 1);
    opened.data(200);
    require(api, &plain, "none").data(200);
}

fn a_tenant_may_ask_its_admins(api: &Api) {
    let armed = armed(api);
    let access = text(&armed.sign_in(api, 0)["access_token"]);
    require(api, &access, "admins").data(200);
    act(api, &access, "disable", &json!({})).data(200);
    let plain = login(api, &armed.founder.email, PASSWORD).data(200);
    let plain = text(&plain["access_token"]);
    me(api, &plain).refused(403, "MFA_REQUIRED");
    let out = api
        .call("POST", "/api/v1/auth/logout")
        .bearer(&plain)
        .send();
    out.data(200);
}
