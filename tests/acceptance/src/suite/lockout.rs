//! Guessing passwords.

use serde_json::json;

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{PASSWORD, elsewhere, founder, login, mail_token, new_email};

tests! { "lockout":
    the_third_failure_locks ["A-27"];
    cooldowns_grow_and_a_success_resets_them ["A-28"];
    parallel_guesses_do_not_outrun_the_count ["A-29" "E-03"];
    unknown_addresses_lock_alike ["A-27"];
    a_reset_lets_an_owner_in_whom_many_networks_lock_out ["A-29" "A-33"];
}

const WRONG: &str = "not the password";
const MINUTE: i64 = 60_000;

fn login_at(api: &Api, email: &str, password: &str, later: i64) -> Answer {
    api.post(
        "/api/v1/auth/login",
        &json!({"email": email, "password": password}),
    )
    .later(later)
    .send()
}

/// Seconds to wait, of an answer that says the account is locked.
#[track_caller]
fn locked(answer: &Answer) -> i64 {
    let body = answer.refused(429, "ACCOUNT_LOCKED");
    assert_eq!(body["error"]["retryable"], true);
    answer.header("retry-after").unwrap().parse().unwrap()
}

/// Fails until the account is locked; seconds to wait.
#[track_caller]
fn lock(api: &Api, email: &str, later: i64) -> i64 {
    for _ in 0..2 {
        login_at(api, email, WRONG, later).refused(401, "CREDENTIALS_INVALID");
    }
    locked(&login_at(api, email, WRONG, later))
}

fn the_third_failure_locks(api: &Api) {
    let founder = founder(api);
    let wait = lock(api, &founder.email, 0);
    assert!((50..=61).contains(&wait), "{wait}");
    // The right password is refused too, and trying does not make the wait longer.
    let again = locked(&login(api, &founder.email, PASSWORD));
    assert!(again <= wait, "{again} > {wait}");
    // Sessions that are there go on.
    api.get("/api/v1/auth/me")
        .bearer(&founder.access)
        .send()
        .data(200);
    login_at(api, &founder.email, PASSWORD, MINUTE + 5_000).data(200);
}

fn cooldowns_grow_and_a_success_resets_them(api: &Api) {
    let founder = founder(api);
    let mut later = 0;
    for minutes in [1, 5, 15, 60, 60] {
        let wait = lock(api, &founder.email, later);
        let seconds = minutes * 60;
        assert!((seconds - 10..=seconds + 1).contains(&wait), "{wait}");
        later += minutes * MINUTE + 5_000;
    }
    login_at(api, &founder.email, PASSWORD, later).data(200);
    let wait = lock(api, &founder.email, later);
    assert!(wait <= 61, "{wait}");
}

fn parallel_guesses_do_not_outrun_the_count(api: &Api) {
    let founder = founder(api);
    let answers = api.parallel(50, |_| login(api, &founder.email, WRONG));
    let count = |status: u16| answers.iter().filter(|a| a.status == status).count();
    // Three are evaluated; the third of them is the one that locks.
    assert_eq!((count(401), count(429)), (2, 48));
    locked(&login(api, &founder.email, PASSWORD));
    // The right one among many gets in, or is told to wait; it never gets a 500.
    let later = 2 * MINUTE;
    let answers = api.parallel(10, |_| {
        login_at(api, &founder.email, PASSWORD, later).status
    });
    assert!(answers.contains(&200), "{answers:?}");
    assert!(
        answers.iter().all(|s| [200, 429].contains(s)),
        "{answers:?}"
    );
}

fn unknown_addresses_lock_alike(api: &Api) {
    let wait = lock(api, &new_email(api), 0);
    assert!((50..=61).contains(&wait), "{wait}");
}

fn a_reset_lets_an_owner_in_whom_many_networks_lock_out(api: &Api) {
    let email = founder(api).email;
    let from = |source: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        let call = api.post("/api/v1/auth/login", &body);
        call.header("x-forwarded-for", source).send()
    };
    let evaluated = api.parallel(4, |_| {
        let guesses = (0..9).map(|_| {
            let source = elsewhere(api);
            for _ in 0..2 {
                from(&source, WRONG);
            }
            locked(&from(&source, WRONG))
        });
        guesses.count()
    });
    assert_eq!(evaluated.iter().sum::<usize>(), 36);
    let owner = elsewhere(api);
    locked(&from(&owner, PASSWORD));
    let asked = json!({"email": email});
    let call = api.post("/api/v1/auth/password/forgot", &asked);
    call.header("x-forwarded-for", &owner).send().data(202);
    let new = "another long pass phrase";
    let body = json!({"token": mail_token(api, &email), "password": new});
    let call = api.post("/api/v1/auth/password/reset", &body);
    call.header("x-forwarded-for", &owner).send().data(200);
    from(&owner, new).data(200);
    // Guesses are counted from there on.
    from(&elsewhere(api), WRONG).refused(401, "CREDENTIALS_INVALID");
}
