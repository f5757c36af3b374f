//! The second factor: setting it up, signing in with it, and getting rid of it.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::authenticator::code;
use crate::fixture::{Founder, PASSWORD, founder, login, me, switch, text};

const STEP: i64 = 30_000;
pub(super) const MINUTE: i64 = 60_000;

tests! { "mfa":
    setting_up_needs_a_code ["D-01" "D-02" "D-03" "A-12"];
    sign_in_asks_for_the_code ["D-04" "A-13"];
    a_pre_token_works_once_and_shortly ["D-04"];
    one_of_parallel_verifications_wins ["D-04" "D-06"];
    codes_are_not_replayed ["D-06"];
    recovery_codes_work_once ["D-07" "D-03"];
    wrong_codes_lock_all_factors ["D-08"];
    turning_off_needs_fresh_proof ["D-09"];
    assurance_ends_with_the_factor ["D-09" "D-10"];
    a_move_keeps_no_assurance_without_the_factor ["D-09"];
}

pub(super) fn act(api: &Api, access: &str, path: &str, body: &Value) -> Answer {
    acting(api, access, path, body, 0)
}

fn acting(api: &Api, access: &str, path: &str, body: &Value, later: i64) -> Answer {
    api.post(&format!("/api/v1/auth/mfa/{path}"), body)
        .bearer(access)
        .later(later)
        .send()
}

fn status(api: &Api, access: &str) -> Value {
    api.get("/api/v1/auth/mfa/status")
        .bearer(access)
        .send()
        .data(200)
}

/// Somebody whose authenticator app is set up.
pub(super) struct Armed {
    pub(super) founder: Founder,
    secret: String,
    pub(super) recovery: Vec<String>,
}

pub(super) fn armed(api: &Api) -> Armed {
    let founder = founder(api);
    let started = act(api, &founder.access, "start", &json!({})).data(200);
    let secret = text(&started["secret"]);
    let body = json!({"code": code(&secret, api.now().0)});
    let confirmed = act(api, &founder.access, "confirm", &body).data(200);
    let codes = confirmed["recoveryCodes"].as_array().unwrap();
    Armed {
        recovery: codes.iter().map(text).collect(),
        founder,
        secret,
    }
}

impl Armed {
    /// The first step of a sign-in.
    pub(super) fn begin(&self, api: &Api) -> String {
        text(&login(api, &self.founder.email, PASSWORD).data(200)["mfa_token"])
    }

    /// The code of the next step: the one that set it up is used, and should the clock reach
    /// that step on the way, it still holds.
    pub(super) fn code(&self, api: &Api, later: i64) -> String {
        code(&self.secret, api.now().0 + later + STEP)
    }

    /// Both steps, so much later.
    pub(super) fn sign_in(&self, api: &Api, later: i64) -> Value {
        let body = json!({"email": self.founder.email, "password": PASSWORD});
        let asked = api
            .post("/api/v1/auth/login", &body)
            .later(later)
            .send()
            .data(200);
        let code = self.code(api, later);
        verify(
            api,
            &text(&asked["mfa_token"]),
            &json!({"code": code}),
            later,
        )
        .data(200)
    }
}

pub(super) fn verify(api: &Api, token: &str, answer: &Value, later: i64) -> Answer {
    let mut body = answer.clone();
    body["mfa_token"] = json!(token);
    api.post("/api/v1/auth/mfa/verify", &body)
        .later(later)
        .send()
}

/// A code that is wrong now and around now.
fn wrong(api: &Api, secret: &str) -> String {
    let near: Vec<String> = (-3..=3)
        .map(|step| code(secret, api.now().0 + step * STEP))
        .collect();
    let mut tries = (0..).map(|n| format!("{n:06}"));
    tries.find(|code| !near.contains(code)).unwrap()
}

fn refreshed(api: &Api, tokens: &Value) -> Value {
    let body = json!({"refresh_token": tokens["refresh_token"]});
    api.post("/api/v1/auth/refresh", &body).send().data(200)
}

pub(super) fn claims(access: &str) -> Value {
    let payload = access.split('.').nth(1).unwrap();
    let bytes = edgekeep_core::crypto::from_base64url(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Has the tenant ask for a second factor.
pub(super) fn require(api: &Api, access: &str, who: &str) -> Answer {
    api.call("PUT", "/api/v1/organizations/current/mfa")
        .json(&json!({"required": who}))
        .bearer(access)
        .send()
}

fn setting_up_needs_a_code(api: &Api) {
    let founder = founder(api);
    let access = founder.access.as_str();
    let confirm = |code: &str| act(api, access, "confirm", &json!({"code": code}));
    confirm("123456").refused(409, "STATE_CONFLICT");
    let first = act(api, access, "start", &json!({})).data(200);
    let second = act(api, access, "start", &json!({"method": "totp"})).data(200);
    assert_ne!(first["secret"], second["secret"]);
    let secret = text(&second["secret"]);
    let uri = text(&second["otpauthUri"]);
    assert!(uri.starts_with("otpauth://totp/"), "{uri}");
    assert!(uri.contains(&format!("secret={secret}&")), "{uri}");
    assert_eq!(secret.len(), 32);
    let before = status(api, access);
    assert_eq!(before["status"], "disabled");
    assert_eq!(before["pending"], json!(["totp"]));
    assert_eq!(me(api, access).data(200)["mfaEnabled"], false);

    confirm(&wrong(api, &secret)).blames("code");
    let confirmed = confirm(&code(&secret, api.now().0)).data(200);
    let codes = confirmed["recoveryCodes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    let distinct: std::collections::BTreeSet<_> = codes.iter().map(text).collect();
    assert_eq!(distinct.len(), 10);
    confirm(&code(&secret, api.now().0 + STEP)).refused(409, "STATE_CONFLICT");
    act(api, access, "start", &json!({})).refused(409, "STATE_CONFLICT");
    let after = status(api, access);
    assert_eq!(after["status"], "enabled");
    assert_eq!(after["methods"], json!(["totp"]));
    assert_eq!(after["recoveryCodesLeft"], 10);
    assert_eq!(me(api, access).data(200)["mfaEnabled"], true);
    assert!(!me(api, access).text().contains(&secret));
}

fn sign_in_asks_for_the_code(api: &Api) {
    let armed = armed(api);
    let asked = login(api, &armed.founder.email, PASSWORD);
    assert_eq!(asked.sql(), 2);
    let data = asked.data(200);
    assert_eq!(data["mfa_required"], true);
    assert_eq!(data["methods"], json!(["totp", "recovery_code"]));
    assert!(!asked.text().contains("access_token"), "{}", asked.text());
    assert!(!asked.text().contains("refresh_token"), "{}", asked.text());
    let token = text(&data["mfa_token"]);
    assert_eq!(me(api, &token).status, 401);
    let wrong = json!({"code": wrong(api, &armed.secret)});
    verify(api, &token, &wrong, 0).refused(401, "MFA_CODE_INVALID");
    verify(api, &token, &json!({}), 0).blames("code");
    let code = armed.code(api, 0);
    let answer = verify(api, &token, &json!({"code": code}), 0);
    assert_eq!(answer.sql(), 2);
    let tokens = answer.data(200);
    let access = text(&tokens["access_token"]);
    me(api, &access).data(200);
    assert_eq!(claims(&access)["amr"], json!(["pwd", "otp"]));
    assert_eq!(claims(&access)["aal"], 2);
    let next = refreshed(api, &tokens);
    assert_eq!(claims(&text(&next["access_token"]))["aal"], 2);
}

fn a_pre_token_works_once_and_shortly(api: &Api) {
    let armed = armed(api);
    let token = armed.begin(api);
    let recovery = |index: usize| json!({"recovery_code": armed.recovery[index]});
    for bad in [
        "",
        "x",
        "x.y",
        &format!("{token}x"),
        armed.founder.refresh.as_str(),
    ] {
        let answer = verify(api, bad, &recovery(0), 0);
        assert!(
            matches!(answer.status, 400 | 401),
            "{bad}: {}",
            answer.text()
        );
    }
    verify(api, &token, &recovery(0), 5 * MINUTE + 1_000).refused(401, "TOKEN_INVALID");
    verify(api, &token, &recovery(0), 4 * MINUTE).data(200);
    verify(api, &token, &recovery(1), 0).refused(401, "TOKEN_INVALID");
}

fn one_of_parallel_verifications_wins(api: &Api) {
    let armed = armed(api);
    let token = armed.begin(api);
    let answer = json!({"code": armed.code(api, 0)});
    let statuses = |answers: Vec<Answer>| {
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        let sound = |status: u16| matches!(status, 200 | 401 | 429);
        assert!(answers.iter().all(|answer| sound(answer.status)));
        won
    };
    let same = api.parallel(20, |_| verify(api, &token, &answer, 0));
    assert_eq!(statuses(same), 1);
    // One code, and a pre-token for each.
    let armed = self::armed(api);
    let tokens: Vec<String> = (0..6).map(|_| armed.begin(api)).collect();
    let answer = json!({"code": armed.code(api, 0)});
    let many = api.parallel(6, |index| verify(api, &tokens[index], &answer, 0));
    assert_eq!(statuses(many), 1);
}

fn codes_are_not_replayed(api: &Api) {
    let armed = armed(api);
    let now = armed.code(api, 0);
    let answer = json!({"code": now});
    verify(api, &armed.begin(api), &answer, 0).data(200);
    verify(api, &armed.begin(api), &answer, 0).refused(401, "MFA_CODE_INVALID");
    // Older than the one before: never, even where it was not used.
    let late = 6 * STEP;
    let tokens = [(); 5].map(|()| armed.begin(api));
    // A moment early in its step, so that the steps are what they are called.
    while api.now().0 % STEP > STEP / 2 {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let steps = [(-2, 401), (-1, 200), (-1, 401), (2, 401), (1, 200)];
    for ((step, status), token) in steps.into_iter().zip(&tokens) {
        let body = json!({"code": code(&armed.secret, api.now().0 + late + step * STEP)});
        let answer = verify(api, token, &body, late);
        assert_eq!(answer.status, status, "step {step}: {}", answer.text());
    }
}

fn recovery_codes_work_once(api: &Api) {
    let armed = armed(api);
    let first = json!({"recovery_code": armed.recovery[0].to_uppercase().replace('-', " ")});
    let token = armed.begin(api);
    let same = api.parallel(2, |_| verify(api, &token, &first, 0));
    assert_eq!(same.iter().filter(|answer| answer.status == 200).count(), 1);
    verify(api, &armed.begin(api), &first, 0).refused(401, "MFA_CODE_INVALID");
    let second = json!({"recovery_code": armed.recovery[1]});
    let access = text(&verify(api, &armed.begin(api), &second, 0).data(200)["access_token"]);
    assert_eq!(status(api, &access)["recoveryCodesLeft"], 8);

    let drawn = act(api, &access, "recovery-codes", &json!({})).data(200);
    let drawn = drawn["recoveryCodes"].as_array().unwrap();
    assert_eq!(drawn.len(), 10);
    assert_eq!(status(api, &access)["recoveryCodesLeft"], 10);
    let old = json!({"recovery_code": armed.recovery[2]});
    verify(api, &armed.begin(api), &old, 0).refused(401, "MFA_CODE_INVALID");
    let new = json!({"recovery_code": drawn[0]});
    verify(api, &armed.begin(api), &new, 0).data(200);
}

fn wrong_codes_lock_all_factors(api: &Api) {
    let armed = armed(api);
    let token = armed.begin(api);
    let wrong = json!({"code": wrong(api, &armed.secret)});
    verify(api, &token, &wrong, 0).refused(401, "MFA_CODE_INVALID");
    let bad = json!({"recovery_code": "aaaa-aaaa-aaaa-aaaa"});
    verify(api, &token, &bad, 0).refused(401, "MFA_CODE_INVALID");
    let third = verify(api, &token, &wrong, 0);
    third.refused(429, "ACCOUNT_LOCKED");
    let wait: i64 = third.header("retry-after").unwrap().parse().unwrap();
    let right = json!({"code": armed.code(api, 0)});
    let locked = verify(api, &token, &right, 0);
    locked.refused(429, "ACCOUNT_LOCKED");
    assert!(locked.header("retry-after").is_some());
    let recovery = json!({"recovery_code": armed.recovery[0]});
    assert_eq!(verify(api, &armed.begin(api), &recovery, 0).status, 429);
    armed.sign_in(api, (wait + 1) * 1_000);
}

fn turning_off_needs_fresh_proof(api: &Api) {
    let armed = armed(api);
    let access = armed.founder.access.as_str();
    let old = 11 * MINUTE;
    let disable = |body: &Value| acting(api, access, "disable", body, old);
    disable(&json!({})).refused(403, "REAUTH_REQUIRED");
    disable(&json!({"password": PASSWORD})).refused(403, "REAUTH_REQUIRED");
    disable(&json!({"code": armed.code(api, old)})).refused(403, "REAUTH_REQUIRED");
    let redraw = acting(api, access, "recovery-codes", &json!({}), old);
    redraw.refused(403, "REAUTH_REQUIRED");
    let code = armed.code(api, old);
    disable(&json!({"password": "not the pass phrase", "code": code}))
        .refused(401, "MFA_CODE_INVALID");
    disable(&json!({"password": PASSWORD, "code": code, "method": "email"}))
        .refused(409, "STATE_CONFLICT");
    assert_eq!(status(api, access)["enabled"], true);
    disable(&json!({"password": PASSWORD, "code": code})).data(200);
    let after = status(api, access);
    assert_eq!(after["status"], "disabled");
    assert_eq!(after["recoveryCodesLeft"], 0);
    disable(&json!({})).refused(409, "STATE_CONFLICT");
    assert!(login(api, &armed.founder.email, PASSWORD).data(200)["access_token"].is_string());
    // An old session may not set a new one up without the password either.
    let start = |body: &Value| acting(api, access, "start", body, old);
    start(&json!({})).refused(403, "REAUTH_REQUIRED");
    start(&json!({"password": "not the pass phrase"})).refused(401, "CREDENTIALS_INVALID");
    start(&json!({"password": PASSWORD})).data(200);
}

fn assurance_ends_with_the_factor(api: &Api) {
    let armed = armed(api);
    let tokens = armed.sign_in(api, 0);
    let other = armed.sign_in(api, STEP);
    let access = text(&tokens["access_token"]);
    require(api, &access, "all").data(200);
    act(api, &access, "disable", &json!({"method": "all"})).data(200);
    // A session that had proven it stands like one that never did, at once.
    let there = text(&other["access_token"]);
    let moved = api.get("/api/v1/auth/me").bearer(&there).later(STEP);
    moved.send().refused(403, "MFA_REQUIRED");
    let next = refreshed(api, &other);
    assert_eq!(claims(&text(&next["access_token"]))["aal"], 1);
    assert_eq!(claims(&text(&next["access_token"]))["amr"], json!(["pwd"]));
}

fn a_move_keeps_no_assurance_without_the_factor(api: &Api) {
    let armed = armed(api);
    let tokens = armed.sign_in(api, 0);
    let access = text(&tokens["access_token"]);
    let created = api
        .post("/api/v1/organizations", &json!({"name": "Second"}))
        .bearer(&access)
        .send()
        .data(201);
    let tenant = text(&created["id"]);
    let there = switch(api, &access, &tenant).data(200);
    let there = text(&there["access_token"]);
    assert_eq!(claims(&there)["aal"], 2);
    act(api, &there, "disable", &json!({})).data(200);
    let back = switch(api, &there, &armed.founder.tenant).data(200);
    let back = claims(&text(&back["access_token"]));
    assert_eq!((&back["aal"], &back["amr"]), (&json!(1), &json!(["pwd"])));
}
