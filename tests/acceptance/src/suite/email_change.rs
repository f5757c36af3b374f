//! Another address for an account: both mailboxes agree, and nobody learns who has an account.

use serde_json::{Value, json};

use super::oauth::{person, sign_in};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, PASSWORD, founder, login, mail, mail_token, mails, me, new_email, register, run_task,
    text,
};

tests! { "email_change":
    both_addresses_must_agree [];
    either_may_agree_first [];
    a_change_asks_for_the_password [];
    the_newest_request_counts_and_links_work_once [];
    links_run_out [];
    a_taken_address_tells_nothing [];
    an_address_nobody_proved_goes_to_its_owner [];
    who_comes_too_late_is_told [];
    requests_are_limited_exactly [];
    another_password_ends_a_request [];
    parallel_confirmations_change_it_once [];
    requests_that_ran_out_are_deleted [] alone;
}

const DAY: i64 = 86_400_000;

fn ask(api: &Api, founder: &Founder, email: &str) -> Answer {
    ask_with(
        api,
        &founder.access,
        &json!({"email": email, "password": PASSWORD}),
    )
}

fn ask_with(api: &Api, access: &str, body: &Value) -> Answer {
    let call = api.post("/api/v1/auth/email/change", body);
    call.bearer(access).send()
}

fn confirm(api: &Api, token: &str) -> Answer {
    confirm_later(api, token, 0)
}

fn confirm_later(api: &Api, token: &str, later: i64) -> Answer {
    api.post("/api/v1/auth/email/confirm", &json!({"token": token}))
        .later(later)
        .send()
}

fn both_addresses_must_agree(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    let other = login(api, &founder.email, PASSWORD).data(200);
    // Addresses are the same in every case.
    assert_eq!(
        ask(api, &founder, &new.to_uppercase()).data(202)["status"],
        "pending"
    );
    let (sent, agreed) = (mail(api, &founder.email), mail(api, &new));
    assert_eq!(sent["subject"], "Agree to another e-mail address");
    assert_eq!(agreed["subject"], "Confirm your new e-mail address");
    for mail in [&sent, &agreed] {
        assert!(
            text(&mail["link"]).contains("/confirm-email?token="),
            "{mail}"
        );
    }
    let (old_token, new_token) = (mail_token(api, &founder.email), mail_token(api, &new));
    assert_ne!(old_token, new_token);

    // A link to reset the password that is in the old mailbox dies with the change.
    api.post(
        "/api/v1/auth/password/forgot",
        &json!({"email": founder.email}),
    )
    .send()
    .data(202);
    let reset = mail_token(api, &founder.email);

    // A scanner that opens links agrees to nothing.
    let opened = api.get(&format!("/api/v1/auth/email/confirm?token={old_token}"));
    opened.send().refused(405, "METHOD_NOT_ALLOWED");

    let first = confirm(api, &old_token).data(200);
    assert_eq!(first, json!({"status": "pending", "waits_for": "new"}));
    assert_eq!(me(api, &founder.access).data(200)["email"], founder.email);
    login(api, &new, PASSWORD).refused(401, "CREDENTIALS_INVALID");
    confirm(api, &old_token).refused(400, "TOKEN_SPENT");

    assert_eq!(
        confirm(api, &new_token).data(200),
        json!({"status": "changed"})
    );
    confirm(api, &new_token).refused(400, "TOKEN_SPENT");
    let own = me(api, &founder.access).data(200);
    assert_eq!(
        (&own["email"], &own["id"]),
        (&json!(new), &json!(founder.user))
    );
    me(api, &text(&other["access_token"])).refused(401, "SESSION_ENDED");
    login(api, &founder.email, PASSWORD).refused(401, "CREDENTIALS_INVALID");
    login(api, &new, PASSWORD).data(200);
    for address in [&founder.email, &new] {
        assert_eq!(
            mail(api, address)["subject"],
            "Your e-mail address was changed"
        );
    }
    let body = json!({"token": reset, "password": "another pass phrase"});
    api.post("/api/v1/auth/password/reset", &body)
        .send()
        .refused(400, "TOKEN_SPENT");
    // The old address is free.
    register(api, &founder.email).data(201);
    let token = mail_token(api, &founder.email);
    api.post("/api/v1/auth/verify", &json!({"token": token}))
        .send()
        .data(200);
}

fn either_may_agree_first(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    ask(api, &founder, &new).data(202);
    let first = confirm(api, &mail_token(api, &new)).data(200);
    assert_eq!(first, json!({"status": "pending", "waits_for": "old"}));
    assert_eq!(me(api, &founder.access).data(200)["email"], founder.email);
    confirm(api, &mail_token(api, &founder.email)).data(200);
    assert_eq!(me(api, &founder.access).data(200)["email"], new);
    // It is in the audit log of the tenant, without an address.
    let log = api
        .get("/api/v1/organizations/audit?limit=100")
        .bearer(&founder.access)
        .send();
    let log = log.data(200);
    let entries = log.as_array().unwrap();
    let of = |action: &str| {
        let found = entries.iter().filter(|entry| entry["action"] == action);
        found.count()
    };
    assert_eq!(of("auth.email_change_requested"), 1, "{log}");
    assert_eq!(of("auth.email_change_confirmed"), 2, "{log}");
    assert_eq!(of("auth.email_changed"), 1, "{log}");
    assert!(!log.to_string().contains(&new), "{log}");
}

fn a_change_asks_for_the_password(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    api.post("/api/v1/auth/email/change", &json!({"email": new}))
        .send()
        .refused(401, "AUTH_REQUIRED");
    let ask = |body: &Value| ask_with(api, &founder.access, body);
    ask(&json!({"email": new})).blames("password");
    ask(&json!({"email": "nobody", "password": PASSWORD})).blames("email");
    ask(&json!({"email": founder.email.to_uppercase(), "password": PASSWORD})).blames("email");
    let wrong = json!({"email": new, "password": "not the password"});
    for _ in 0..2 {
        let body = ask(&wrong).refused(403, "PASSWORD_WRONG");
        assert_eq!(body["error"]["field"], "password");
    }
    ask(&wrong).refused(429, "ACCOUNT_LOCKED");
    ask(&json!({"email": new, "password": PASSWORD})).refused(429, "ACCOUNT_LOCKED");
    assert!(mails(api, &new).is_empty());
    confirm(api, "made up").refused(400, "TOKEN_SPENT");
    confirm(api, "").blames("token");
}

fn the_newest_request_counts_and_links_work_once(api: &Api) {
    let founder = founder(api);
    let (first, second) = (new_email(api), new_email(api));
    ask(api, &founder, &first).data(202);
    let dead = [mail_token(api, &founder.email), mail_token(api, &first)];
    confirm(api, &dead[0]).data(200);
    ask(api, &founder, &second).data(202);
    for token in &dead {
        confirm(api, token).refused(400, "TOKEN_SPENT");
    }
    // That the old address had agreed to the first does not count for the second.
    let waits = confirm(api, &mail_token(api, &second)).data(200);
    assert_eq!(waits["waits_for"], "old");
    confirm(api, &mail_token(api, &founder.email)).data(200);
    assert_eq!(me(api, &founder.access).data(200)["email"], second);
}

fn links_run_out(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    ask(api, &founder, &new).data(202);
    let (old_token, new_token) = (mail_token(api, &founder.email), mail_token(api, &new));
    confirm(api, &old_token).data(200);
    confirm_later(api, &new_token, DAY + 60_000).refused(400, "TOKEN_SPENT");
    assert_eq!(me(api, &founder.access).data(200)["email"], founder.email);
    confirm_later(api, &new_token, DAY - 60_000).data(200);
}

fn a_taken_address_tells_nothing(api: &Api) {
    let (founder, taken) = (founder(api), founder(api));
    let free = ask(api, &founder, &new_email(api));
    let answer = ask(api, &founder, &taken.email);
    assert_eq!(free.data(202), answer.data(202));
    assert_eq!(free.sql(), answer.sql());
    let told = mail(api, &taken.email);
    assert_eq!(told["subject"], "This address has an account");
    assert!(!text(&told["link"]).contains("token="), "{told}");
    // The old mailbox looks as always, and agreeing there changes nothing and tells nothing.
    let agreed = confirm(api, &mail_token(api, &founder.email)).data(200);
    assert_eq!(agreed, json!({"status": "pending", "waits_for": "new"}));
    ask(api, &founder, &taken.email).data(202);
    let notices = mails(api, &taken.email);
    let notices = notices
        .iter()
        .filter(|mail| mail["subject"] == "This address has an account");
    assert_eq!(notices.count(), 1);
    assert_eq!(me(api, &taken.access).data(200)["email"], taken.email);
}

fn an_address_nobody_proved_goes_to_its_owner(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    register(api, &new).data(201);
    let squatters = mail_token(api, &new);
    ask(api, &founder, &new).data(202);
    assert_eq!(
        mail(api, &new)["subject"],
        "Confirm your new e-mail address"
    );
    confirm(api, &mail_token(api, &new)).data(200);
    confirm(api, &mail_token(api, &founder.email)).data(200);
    assert_eq!(me(api, &founder.access).data(200)["email"], new);
    api.post("/api/v1/auth/verify", &json!({"token": squatters}))
        .send()
        .refused(400, "TOKEN_SPENT");
    assert_eq!(signed_in_as(api, &new), founder.user);
}

fn signed_in_as(api: &Api, email: &str) -> String {
    let tokens = login(api, email, PASSWORD).data(200);
    text(&me(api, &text(&tokens["access_token"])).data(200)["id"])
}

fn who_comes_too_late_is_told(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    ask(api, &founder, &new).data(202);
    let (old_token, new_token) = (mail_token(api, &founder.email), mail_token(api, &new));
    confirm(api, &new_token).data(200);
    let other = crate::fixture::founder_at(api, new.clone());
    confirm(api, &old_token).refused(409, "STATE_CONFLICT");
    confirm(api, &old_token).refused(400, "TOKEN_SPENT");
    assert_eq!(me(api, &founder.access).data(200)["email"], founder.email);
    assert_eq!(signed_in_as(api, &new), other.user);
}

fn requests_are_limited_exactly(api: &Api) {
    // Who has no password, so that no lockout counts what runs at once.
    let tokens = sign_in(api, &person(api));
    let access = text(&tokens["access_token"]);
    let ask_for = |email: &str| ask_with(api, &access, &json!({"email": email}));
    let answers = api.parallel(12, |_| ask_for(&new_email(api)).status);
    let done = answers.iter().filter(|status| **status == 202).count();
    let refused = answers.iter().filter(|status| **status == 429).count();
    assert_eq!((done, refused), (5, 7), "{answers:?}");
    let over = ask_for(&new_email(api));
    over.refused(429, "RATE_LIMITED");
    assert!(over.header("retry-after").is_some());
    // One address is written to three times a day, whoever asks.
    let wanted = new_email(api);
    let askers: Vec<_> = (0..4).map(|_| crate::fixture::founder(api)).collect();
    let answers: Vec<_> = askers
        .iter()
        .map(|asker| ask(api, asker, &wanted).status)
        .collect();
    assert_eq!(answers, [202, 202, 202, 429]);
}

fn another_password_ends_a_request(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    ask(api, &founder, &new).data(202);
    let tokens = [mail_token(api, &founder.email), mail_token(api, &new)];
    let body = json!({"current_password": PASSWORD, "password": "another pass phrase"});
    api.post("/api/v1/auth/password/change", &body)
        .bearer(&founder.access)
        .send()
        .data(200);
    for token in &tokens {
        confirm(api, token).refused(400, "TOKEN_SPENT");
    }
    assert_eq!(me(api, &founder.access).data(200)["email"], founder.email);
}

fn parallel_confirmations_change_it_once(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    ask(api, &founder, &new).data(202);
    let tokens = [mail_token(api, &founder.email), mail_token(api, &new)];
    let answers = api.parallel(20, |n| confirm(api, &tokens[n % 2]).status);
    let done = answers.iter().filter(|status| **status == 200).count();
    let spent = answers.iter().filter(|status| **status == 400).count();
    assert_eq!((done, spent), (2, 18), "{answers:?}");
    assert_eq!(me(api, &founder.access).data(200)["email"], new);
    let told = mails(api, &new);
    let told = told
        .iter()
        .filter(|mail| mail["subject"] == "Your e-mail address was changed");
    assert_eq!(told.count(), 1);
}

fn requests_that_ran_out_are_deleted(api: &Api) {
    let (founder, new) = (founder(api), new_email(api));
    ask(api, &founder, &new).data(202);
    let outcome = text(&run_task(api, "cleanup", DAY + 60_000)["outcome"]);
    assert!(outcome.contains("email_changes="), "{outcome}");
    confirm(api, &mail_token(api, &new)).refused(400, "TOKEN_SPENT");
}
