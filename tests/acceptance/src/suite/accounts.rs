//! How accounts come to be and are confirmed.

use serde_json::json;

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    PASSWORD, api_key, founder, login, mail, mail_token, mails, new_email, register, run_task, text,
};

tests! { "accounts":
    the_newest_registration_wins ["A-01"];
    a_confirmed_account_is_never_registered_anew ["A-01"];
    a_dead_link_is_replaced_by_a_new_one ["A-02" "A-34"];
    links_are_sent_again_but_not_often ["A-34" "E-27"];
    nobody_is_flooded_with_mails ["A-34" "E-27"];
    sign_in_does_not_tell_who_is_registered ["A-04"];
    head_does_not_spend_a_link ["A-02"];
    an_account_is_closed_with_what_is_personal [];
    accounts_nobody_confirmed_are_deleted [] alone;
}

const DAY: i64 = 86_400_000;

fn register_with(api: &Api, email: &str, password: &str, company: &str) -> Answer {
    let body = json!({"email": email, "password": password, "company": company});
    api.post("/api/v1/auth/register", &body).send()
}

fn verify(api: &Api, token: &str) -> Answer {
    api.post("/api/v1/auth/verify", &json!({"token": token}))
        .send()
}

fn resend(api: &Api, email: &str) -> Answer {
    api.post("/api/v1/auth/verify/resend", &json!({"email": email}))
        .send()
}

fn the_newest_registration_wins(api: &Api) {
    let email = new_email(api);
    register_with(api, &email, "what a stranger chose", "Stranger Ltd").data(201);
    let strangers = mail_token(api, &email);
    register_with(api, &email, PASSWORD, "Mine Ltd").data(201);
    let latest = mail(api, &email);
    let told = text(&latest["text"]);
    assert!(
        told.contains(" UTC ") && told.contains("do not open"),
        "{told}"
    );
    verify(api, &strangers).refused(400, "TOKEN_SPENT");
    verify(api, &mail_token(api, &email)).data(200);
    login(api, &email, "what a stranger chose").refused(401, "CREDENTIALS_INVALID");
    let tokens = login(api, &email, PASSWORD).data(200);
    let me = api
        .get("/api/v1/auth/me")
        .bearer(&text(&tokens["access_token"]))
        .send()
        .data(200);
    assert_eq!(me["tenant"]["name"], "Mine Ltd");
    assert_eq!(me["role"], "founder");
}

fn a_confirmed_account_is_never_registered_anew(api: &Api) {
    let founder = founder(api);
    register_with(api, &founder.email, "what a stranger chose", "Theirs").data(201);
    login(api, &founder.email, "what a stranger chose").refused(401, "CREDENTIALS_INVALID");
    let tokens = login(api, &founder.email, PASSWORD).data(200);
    let me = api
        .get("/api/v1/auth/me")
        .bearer(&text(&tokens["access_token"]))
        .send()
        .data(200);
    assert_eq!(me["tenant"]["name"], "My company");
    // Links of later registrations confirm nothing, and nobody gets one.
    assert!(mails(api, &founder.email).iter().all(|mail| {
        mail["link"].is_null()
            || !text(&mail["link"]).contains("token=")
            || mail["subject"] == "Confirm your e-mail address"
    }));
    // Registered by many at once, an address still becomes one account.
    let email = new_email(api);
    let answers = api.parallel(4, |_| register(api, &email).status);
    assert_eq!(answers, [201; 4]);
    verify(api, &mail_token(api, &email)).data(200);
    login(api, &email, PASSWORD).data(200);
}

fn a_dead_link_is_replaced_by_a_new_one(api: &Api) {
    let email = new_email(api);
    register(api, &email).data(201);
    let first = mail_token(api, &email);
    let late = api
        .post("/api/v1/auth/verify", &json!({"token": first}))
        .later(DAY + 60_000)
        .send();
    late.refused(400, "TOKEN_SPENT");
    resend(api, &email).data(202);
    let second = mail_token(api, &email);
    assert_ne!(first, second);
    verify(api, &first).refused(400, "TOKEN_SPENT");
    verify(api, &second).data(200);
    login(api, &email, PASSWORD).data(200);
}

fn links_are_sent_again_but_not_often(api: &Api) {
    let (pending, unknown, active) = (new_email(api), new_email(api), founder(api).email);
    register(api, &pending).data(201);
    let mut answers = Vec::new();
    for email in [&pending, &unknown, &active] {
        let before = mails(api, email).len();
        for _ in 0..3 {
            answers.push(resend(api, email).data(202));
        }
        let shown = mails(api, email);
        let linked = shown
            .iter()
            .filter(|m| m["link"].to_string().contains("token="));
        assert_eq!(linked.count() == 1, email == &pending, "{email}");
        resend(api, email).refused(429, "RATE_LIMITED");
        // What was not sent yet and is dead is not sent at all, so the number never grows here.
        assert!(mails(api, email).len() <= before, "{email}");
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let later = api
        .post("/api/v1/auth/verify/resend", &json!({"email": pending}))
        .later(61 * 60_000)
        .send();
    later.data(202);
}

fn nobody_is_flooded_with_mails(api: &Api) {
    let founder = founder(api);
    let answers: Vec<u16> = (0..6)
        .map(|_| register(api, &founder.email).status)
        .collect();
    // Its own registration was the first of five.
    assert_eq!(answers, [201, 201, 201, 201, 429, 429]);
    let notices = mails(api, &founder.email)
        .iter()
        .filter(|mail| mail["subject"] == "You already have an account")
        .count();
    assert_eq!(notices, 1);
}

fn sign_in_does_not_tell_who_is_registered(api: &Api) {
    let (fresh, known) = (new_email(api), founder(api).email);
    let password = "chosen by somebody else";
    let answers = [&fresh, &known].map(|email| {
        register_with(api, email, password, "X").data(201);
        let mut body = login(api, email, password).refused(401, "CREDENTIALS_INVALID");
        body["metadata"] = json!(null);
        body
    });
    assert_eq!(answers[0], answers[1]);
}

fn head_does_not_spend_a_link(api: &Api) {
    let email = new_email(api);
    register(api, &email).data(201);
    let path = format!("/api/v1/auth/verify?token={}", mail_token(api, &email));
    let head = api.call("HEAD", &path).send();
    assert_eq!((head.status, head.body.len()), (405, 0));
    assert_eq!(head.header("allow"), Some("POST, GET, OPTIONS"));
    api.get(&path).send().data(200);
}

fn an_account_is_closed_with_what_is_personal(api: &Api) {
    let founder = founder(api);
    let key = api_key(api, &founder, &["usage:read"]);
    let close = |password: &str| {
        api.delete("/api/v1/auth/me")
            .json(&json!({"password": password}))
            .bearer(&founder.access)
            .send()
    };
    close("not the password").refused(403, "PASSWORD_WRONG");
    api.get("/api/v1/usage/summary")
        .bearer(&key)
        .send()
        .data(200);
    close(PASSWORD).data(200);
    close(PASSWORD).refused(401, "SESSION_ENDED");
    api.get("/api/v1/usage/summary")
        .bearer(&key)
        .send()
        .refused(401, "API_KEY_INVALID");
    login(api, &founder.email, PASSWORD).refused(401, "CREDENTIALS_INVALID");
    assert!(mails(api, &founder.email).is_empty());
    // The address is free, for a new account with a tenant of its own.
    register(api, &founder.email).data(201);
    verify(api, &mail_token(api, &founder.email)).data(200);
    let tokens = login(api, &founder.email, PASSWORD).data(200);
    let me = api
        .get("/api/v1/auth/me")
        .bearer(&text(&tokens["access_token"]))
        .send()
        .data(200);
    assert_ne!(me["tenant"]["id"], founder.tenant);
    assert_ne!(me["id"], founder.user);
}

fn accounts_nobody_confirmed_are_deleted(api: &Api) {
    let (abandoned, kept) = (new_email(api), founder(api));
    register(api, &abandoned).data(201);
    let token = mail_token(api, &abandoned);
    run_task(api, "cleanup", 6 * DAY);
    // The link is gone by then, the account is not: it can ask for another.
    verify(api, &token).refused(400, "TOKEN_SPENT");
    resend(api, &abandoned).data(202);
    assert!(!mails(api, &abandoned).is_empty());
    let outcome = text(&run_task(api, "cleanup", 7 * DAY + 60_000)["outcome"]);
    assert!(outcome.contains("unverified_accounts="), "{outcome}");
    // No trace: the link confirms nothing, and the address is free.
    verify(api, &mail_token(api, &abandoned)).refused(400, "TOKEN_SPENT");
    register(api, &abandoned).data(201);
    verify(api, &mail_token(api, &abandoned)).data(200);
    login(api, &abandoned, PASSWORD).data(200);
    login(api, &kept.email, PASSWORD).data(200);
}
