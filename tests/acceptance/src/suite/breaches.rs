//! Passwords that the world knows, asked of a server that speaks Have I Been Pwned's range format.

use std::time::{Duration, Instant};

use serde_json::json;

use super::metrics::moves;
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::breaches::{Fate, asked, digits, set};
use crate::fixture::{PASSWORD, elsewhere, founder, mail_token, new_email};

tests! { "breaches":
    a_breached_password_is_refused_everywhere ["A-25"];
    five_digits_leave_the_system ["A-25"];
    padding_and_strangers_are_no_breach ["A-25"];
    an_outage_lets_passwords_pass_and_is_counted ["A-26" "P-19"] alone;
}

/// A password that no other test has.
fn own(api: &Api) -> String {
    format!("pass phrase of {}", new_email(api))
}

fn register(api: &Api, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    let call = api.post("/api/v1/auth/register", &body);
    call.header("x-forwarded-for", &elsewhere(api)).send()
}

fn a_breached_password_is_refused_everywhere(api: &Api) {
    let known = own(api);
    set(&known, Fate::Listed(3));
    let refused = |answer: Answer| {
        let body = answer.refused(400, "PASSWORD_BREACHED");
        assert_eq!(body["error"]["field"], "password", "{body}");
    };
    let email = new_email(api);
    refused(register(api, &email, &known));
    let founder = founder(api);
    let body = json!({"current_password": PASSWORD, "password": known});
    let change = api.post("/api/v1/auth/password/change", &body);
    refused(change.bearer(&founder.access).send());
    let body = json!({"email": founder.email});
    let forgot = api.post("/api/v1/auth/password/forgot", &body).send();
    forgot.data(202);
    let token = mail_token(api, &founder.email);
    let reset = |password: &str| {
        let body = json!({"token": token, "password": password});
        api.post("/api/v1/auth/password/reset", &body).send()
    };
    refused(reset(&known));
    // The link is not spent, and the address not taken.
    reset(&own(api)).data(200);
    register(api, &email, &own(api)).data(201);
}

fn five_digits_leave_the_system(api: &Api) {
    let password = own(api);
    register(api, &new_email(api), &password).data(201);
    let asked = asked(&password);
    assert_eq!(asked.len(), 1);
    let (range, rest) = digits(&password);
    let path = asked[0].path.to_uppercase();
    assert_eq!(path, format!("/RANGE/{range}"));
    assert_eq!(asked[0].header("add-padding"), "true");
    // Services want to know who asks, and nothing else.
    assert!(!asked[0].header("user-agent").is_empty());
    assert_eq!(asked[0].body, "");
    let shown = asked[0].shown().to_uppercase();
    assert!(!shown.contains(&rest[..5]), "{shown}");
    assert!(!shown.contains(&password.to_uppercase()), "{shown}");
}

fn padding_and_strangers_are_no_breach(api: &Api) {
    let padded = own(api);
    set(&padded, Fate::Listed(0));
    register(api, &new_email(api), &padded).data(201);
    assert_eq!(asked(&padded).len(), 1);
    // The very same answer with a count is one.
    set(&padded, Fate::Listed(1));
    register(api, &new_email(api), &padded).refused(400, "PASSWORD_BREACHED");
}

/// The policy `open`; the group of robustness tests has the other.
fn an_outage_lets_passwords_pass_and_is_counted(api: &Api) {
    let outages = [
        Fate::Status(503),
        Fate::Status(429),
        Fate::HangUp,
        Fate::Late,
    ];
    let passwords = outages.map(|fate| {
        let password = own(api);
        set(&password, fate);
        password
    });
    moves(api, &[("breach_check_errors_total", 4.0)], || {
        for password in &passwords {
            let started = Instant::now();
            register(api, &new_email(api), password).data(201);
            let took = started.elapsed();
            assert!(took < Duration::from_secs(4), "{took:?}");
            assert!(!asked(password).is_empty());
        }
    });
}
