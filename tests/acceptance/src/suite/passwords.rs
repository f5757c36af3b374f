//! Passwords: which are taken, changing them, and getting back in without one.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, PASSWORD, founder, login, mail, mail_token, mails, me, new_email, register, text,
};

tests! { "passwords":
    one_set_of_rules_everywhere ["A-23"];
    a_change_ends_the_other_sessions ["A-32"];
    no_sign_in_outlives_its_password ["A-32"];
    a_change_asks_for_the_password_and_locks_guessers ["A-27"];
    a_forgotten_password_is_reset_by_mail ["A-32" "A-33"];
    reset_links_work_once_for_an_hour_and_the_newest_alone ["A-33"];
    asking_for_a_reset_tells_nothing_and_is_limited ["A-33" "E-27"];
    a_reset_confirms_the_address [];
}

const NEW: &str = "a passphrase with spaces, Ünïcödé and 日本語";
const HOUR: i64 = 3_600_000;

fn change(api: &Api, founder: &Founder, current: &str, password: &str) -> Answer {
    let body = json!({"current_password": current, "password": password});
    api.post("/api/v1/auth/password/change", &body)
        .bearer(&founder.access)
        .send()
}

fn forgot(api: &Api, email: &str) -> Answer {
    api.post("/api/v1/auth/password/forgot", &json!({"email": email}))
        .send()
}

fn reset(api: &Api, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "password": password});
    api.post("/api/v1/auth/password/reset", &body).send()
}

fn one_set_of_rules_everywhere(api: &Api) {
    let founder = founder(api);
    forgot(api, &founder.email).data(202);
    let token = mail_token(api, &founder.email);
    let email = new_email(api);
    let rules = [
        ("elevenchars", "PASSWORD_TOO_SHORT"),
        ("", "PASSWORD_TOO_SHORT"),
        // Characters count, not bytes.
        ("日本語日本語日本語日本", "PASSWORD_TOO_SHORT"),
        (&"x".repeat(129), "PASSWORD_TOO_LONG"),
    ];
    let own = [&email, &founder.email, &founder.email].map(|email| email.to_uppercase());
    let refused = |password: &str, code: &str, which: usize| {
        let answer = match which {
            0 => {
                let body = json!({"email": email, "password": password});
                api.post("/api/v1/auth/register", &body).send()
            }
            1 => change(api, &founder, PASSWORD, password),
            _ => reset(api, &token, password),
        };
        let body = answer.refused(400, code);
        assert_eq!(body["error"]["field"], "password", "{code} at {which}");
    };
    for (which, own) in own.iter().enumerate() {
        for (password, code) in rules {
            refused(password, code, which);
        }
        refused(own, "PASSWORD_IS_EMAIL", which);
    }
    // What was refused spent nothing.
    reset(api, &token, NEW).data(200);
    login(api, &founder.email, NEW).data(200);
    let body = json!({"email": email, "password": "x".repeat(128)});
    api.post("/api/v1/auth/register", &body).send().data(201);
}

fn a_change_ends_the_other_sessions(api: &Api) {
    let founder = founder(api);
    let other = login(api, &founder.email, PASSWORD).data(200);
    change(api, &founder, PASSWORD, NEW).data(200);
    me(api, &founder.access).data(200);
    me(api, &text(&other["access_token"])).refused(401, "SESSION_ENDED");
    let body = json!({"refresh_token": other["refresh_token"]});
    api.post("/api/v1/auth/refresh", &body)
        .send()
        .refused(401, "SESSION_ENDED");
    login(api, &founder.email, PASSWORD).refused(401, "CREDENTIALS_INVALID");
    login(api, &founder.email, NEW).data(200);
    let told = mail(api, &founder.email);
    assert_eq!(told["subject"], "Your password was changed");
}

/// Whoever signs in with the former password in the very moment of its change has no session either.
fn no_sign_in_outlives_its_password(api: &Api) {
    let founder = founder(api);
    let answers = api.parallel(10, |index| {
        std::thread::sleep(std::time::Duration::from_millis(
            25 * u64::try_from(index).unwrap(),
        ));
        if index == 4 {
            change(api, &founder, PASSWORD, NEW)
        } else {
            login(api, &founder.email, PASSWORD)
        }
    });
    answers[4].data(200);
    for (_, answer) in answers.iter().enumerate().filter(|(index, _)| *index != 4) {
        match answer.status {
            200 => {
                let access = text(&answer.data(200)["access_token"]);
                me(api, &access).refused(401, "SESSION_ENDED");
            }
            429 => drop(answer.refused(429, "ACCOUNT_LOCKED")),
            _ => drop(answer.refused(401, "CREDENTIALS_INVALID")),
        }
    }
    me(api, &founder.access).data(200);
}

fn a_change_asks_for_the_password_and_locks_guessers(api: &Api) {
    let founder = founder(api);
    api.post("/api/v1/auth/password/change", &json!({}))
        .send()
        .refused(401, "AUTH_REQUIRED");
    for _ in 0..2 {
        let body = change(api, &founder, "not the password", NEW).refused(403, "PASSWORD_WRONG");
        assert_eq!(body["error"]["field"], "current_password");
    }
    change(api, &founder, "not the password", NEW).refused(429, "ACCOUNT_LOCKED");
    change(api, &founder, PASSWORD, NEW).refused(429, "ACCOUNT_LOCKED");
    // Signing in is another matter.
    login(api, &founder.email, PASSWORD).data(200);
}

fn a_forgotten_password_is_reset_by_mail(api: &Api) {
    let founder = founder(api);
    // Locked out by wrong guesses, as people are who forgot.
    for _ in 0..3 {
        login(api, &founder.email, "not the password");
    }
    forgot(api, &founder.email).data(202);
    let sent = mail(api, &founder.email);
    assert!(
        text(&sent["link"]).contains("/reset-password?token="),
        "{sent}"
    );
    reset(api, &mail_token(api, &founder.email), NEW).data(200);
    me(api, &founder.access).refused(401, "SESSION_ENDED");
    let body = json!({"refresh_token": founder.refresh});
    api.post("/api/v1/auth/refresh", &body)
        .send()
        .refused(401, "SESSION_ENDED");
    let tokens = login(api, &founder.email, NEW).data(200);
    me(api, &text(&tokens["access_token"])).data(200);
    login(api, &founder.email, PASSWORD).refused(401, "CREDENTIALS_INVALID");
    let told = mail(api, &founder.email);
    assert_eq!(told["subject"], "Your password was changed");
}

fn reset_links_work_once_for_an_hour_and_the_newest_alone(api: &Api) {
    let founder = founder(api);
    forgot(api, &founder.email).data(202);
    let first = mail_token(api, &founder.email);
    forgot(api, &founder.email).data(202);
    let second = mail_token(api, &founder.email);
    reset(api, &first, NEW).refused(400, "TOKEN_SPENT");
    let late = api
        .post(
            "/api/v1/auth/password/reset",
            &json!({"token": second, "password": NEW}),
        )
        .later(HOUR + 60_000)
        .send();
    late.refused(400, "TOKEN_SPENT");
    let winners = api.parallel(5, |n| {
        let answer = reset(api, &second, &format!("{NEW} {n}"));
        (n, answer.status)
    });
    let winners: Vec<_> = winners
        .iter()
        .filter(|(_, status)| *status == 200)
        .collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    // The slower ones did nothing at all, so they told nobody either.
    let mails = mails(api, &founder.email);
    let told = |mail: &&Value| mail["subject"] == "Your password was changed";
    assert_eq!(mails.iter().filter(told).count(), 1, "{mails:?}");
    login(api, &founder.email, &format!("{NEW} {}", winners[0].0)).data(200);
    reset(api, &second, NEW).refused(400, "TOKEN_SPENT");
    // A change by its owner kills a link that is under way.
    forgot(api, &founder.email).data(202);
    let third = mail_token(api, &founder.email);
    let body = json!({"current_password": format!("{NEW} {}", winners[0].0), "password": NEW});
    let tokens = login(api, &founder.email, &format!("{NEW} {}", winners[0].0)).data(200);
    api.post("/api/v1/auth/password/change", &body)
        .bearer(&text(&tokens["access_token"]))
        .send()
        .data(200);
    reset(api, &third, PASSWORD).refused(400, "TOKEN_SPENT");
}

fn asking_for_a_reset_tells_nothing_and_is_limited(api: &Api) {
    let (known, unknown) = (founder(api).email, new_email(api));
    let answers = [&known, &unknown].map(|email| {
        let answers: Vec<_> = (0..3).map(|_| forgot(api, email)).collect();
        forgot(api, email).refused(429, "RATE_LIMITED");
        assert!(answers.iter().all(|answer| answer.sql() == 2));
        answers[0].data(202)
    });
    assert_eq!(answers[0], answers[1]);
    assert!(mails(api, &unknown).is_empty());
}

fn a_reset_confirms_the_address(api: &Api) {
    let email = new_email(api);
    register(api, &email).data(201);
    let verification = mail_token(api, &email);
    forgot(api, &email).data(202);
    reset(api, &mail_token(api, &email), NEW).data(200);
    login(api, &email, NEW).data(200);
    api.post("/api/v1/auth/verify", &json!({"token": verification}))
        .send()
        .refused(400, "TOKEN_SPENT");
}
