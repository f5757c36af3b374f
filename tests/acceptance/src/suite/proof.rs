//! Proof anew, before what a stolen session must not do: closing the account, another address, another
//! way in.

use serde_json::{Value, json};

use super::mfa::armed;
use super::oauth::{link, person, sign_in, unlink};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{PASSWORD, accept, founder, invite, login, mail_token, new_email, text};

tests! { "proof":
    closing_asks_for_the_second_factor ["D-09"];
    another_address_asks_for_the_second_factor ["D-09"];
    another_way_in_asks_for_the_password ["D-13"];
    another_way_in_asks_for_the_second_factor ["D-09" "D-13"];
    one_code_proves_once ["D-06"];
    closing_waits_for_what_its_user_does_meanwhile [];
    nobody_joins_with_a_closed_account [];
    who_has_no_password_signs_in_again ["D-11"];
    who_has_no_password_sets_one ["A-33" "D-13"];
}

/// Longer than a sign-in counts as just now, and shorter than an access token lives.
const OLD: i64 = 11 * 60_000;

fn close(api: &Api, access: &str, body: &Value, later: i64) -> Answer {
    api.delete("/api/v1/auth/me")
        .json(body)
        .bearer(access)
        .later(later)
        .send()
}

fn change(api: &Api, access: &str, body: &Value, later: i64) -> Answer {
    api.post("/api/v1/auth/email/change", body)
        .bearer(access)
        .later(later)
        .send()
}

fn closing_asks_for_the_second_factor(api: &Api) {
    let armed = armed(api);
    let access = armed.founder.access.as_str();
    // Both factors were proven just now, but the password is asked for all the same.
    close(api, access, &json!({}), 0).blames("password");
    let body = close(api, access, &json!({"password": PASSWORD}), OLD);
    let body = body.refused(403, "REAUTH_REQUIRED");
    assert_eq!(body["error"]["field"], "code");
    let code = armed.code(api, OLD);
    close(api, access, &json!({"code": code}), OLD).blames("password");
    let wrong = json!({"password": "not the password", "code": code});
    close(api, access, &wrong, OLD).refused(401, "MFA_CODE_INVALID");
    login(api, &armed.founder.email, PASSWORD).data(200);
    let right = json!({"password": PASSWORD, "code": code});
    close(api, access, &right, OLD).data(200);
    close(api, access, &right, OLD).refused(401, "SESSION_ENDED");
    login(api, &armed.founder.email, PASSWORD).refused(401, "CREDENTIALS_INVALID");
}

fn another_address_asks_for_the_second_factor(api: &Api) {
    let armed = armed(api);
    let access = armed.founder.access.as_str();
    let new = new_email(api);
    let ask = |more: &Value, later| {
        let mut body = json!({"email": new, "password": PASSWORD});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        change(api, access, &body, later)
    };
    ask(&json!({}), OLD).refused(403, "REAUTH_REQUIRED");
    let wrong = json!({"recovery_code": "0000-0000-0000-0000"});
    ask(&wrong, OLD).refused(401, "MFA_CODE_INVALID");
    ask(&json!({"recovery_code": armed.recovery[0]}), OLD).data(202);
    // It is used up.
    let again = ask(&json!({"recovery_code": armed.recovery[0]}), OLD);
    again.refused(401, "MFA_CODE_INVALID");
    ask(&json!({"code": armed.code(api, OLD)}), OLD).data(202);
    // A session that proved two factors just now need not do so again.
    ask(&json!({}), 0).data(202);
}

/// Linking a provider, and taking one off.
fn another_way_in_asks_for_the_password(api: &Api) {
    let founder = founder(api);
    let person = person(api);
    for ask in [link, unlink] {
        // However young the session is.
        ask(api, &founder.access, &json!({}), 0).blames("password");
        let wrong = json!({"password": "not the password"});
        ask(api, &founder.access, &wrong, 0).refused(403, "PASSWORD_WRONG");
        ask(api, &founder.access, &json!({"passwort": "x"}), 0).blames("passwort");
    }
    link(api, &founder.access, &json!({"password": PASSWORD}), 0).data(200);
    // Who has no password must have come through the provider just now.
    let access = text(&sign_in(api, &person)["access_token"]);
    link(api, &access, &json!({}), OLD).refused(403, "REAUTH_REQUIRED");
    unlink(api, &access, &json!({}), OLD).refused(403, "REAUTH_REQUIRED");
    link(api, &access, &json!({}), 0).data(200);
    // Guesses are counted as they are elsewhere.
    let statuses: Vec<u16> = (0..12)
        .map(|_| unlink(api, &founder.access, &json!({"password": "a guess"}), 0).status)
        .collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}

fn another_way_in_asks_for_the_second_factor(api: &Api) {
    let with = |name: &str, code: &str| json!({"password": PASSWORD, name: code});
    for ask in [link, unlink] {
        let armed = armed(api);
        let access = armed.founder.access.as_str();
        let bare = ask(api, access, &json!({"password": PASSWORD}), OLD);
        assert_eq!(
            bare.refused(403, "REAUTH_REQUIRED")["error"]["field"],
            "code"
        );
        let made_up = with("recovery_code", "0000-0000-0000-0000");
        ask(api, access, &made_up, OLD).refused(401, "MFA_CODE_INVALID");
    }
    // A code that was spent on a link is good for nothing else.
    let armed = self::armed(api);
    let access = armed.founder.access.as_str();
    let code = armed.code(api, OLD);
    let links = api.parallel(8, |_| link(api, access, &with("code", &code), OLD).status);
    let done = links.iter().filter(|status| **status == 200);
    assert_eq!(done.count(), 1, "{links:?}");
    let armed = self::armed(api);
    let access = armed.founder.access.as_str();
    let [first, second, ..] = armed.recovery.as_slice() else {
        panic!("no recovery codes");
    };
    link(api, access, &with("recovery_code", first), OLD).data(200);
    let used = unlink(api, access, &with("recovery_code", first), OLD);
    used.refused(401, "MFA_CODE_INVALID");
    // Nothing is linked; the proof was right.
    let none = unlink(api, access, &with("recovery_code", second), OLD);
    none.refused(409, "STATE_CONFLICT");
    // A session that proved two factors just now sends its password alone.
    link(api, access, &json!({"password": PASSWORD}), 0).data(200);
}

fn one_code_proves_once(api: &Api) {
    let armed = armed(api);
    let code = armed.code(api, OLD);
    let answers = api.parallel(20, |_| {
        let body = json!({"email": new_email(api), "password": PASSWORD, "code": code});
        change(api, &armed.founder.access, &body, OLD).status
    });
    let done = answers.iter().filter(|status| **status == 202).count();
    assert_eq!(done, 1, "{answers:?}");
    let rest = answers.iter().filter(|status| [401, 429].contains(status));
    assert_eq!(rest.count(), 19, "{answers:?}");
}

/// Whatever is done in the same moment is done before or not at all, and nobody waits for ever:
/// locks are taken in one order.
fn closing_waits_for_what_its_user_does_meanwhile(api: &Api) {
    for _ in 0..5 {
        let founder = founder(api);
        let access = founder.access.as_str();
        let answers = api.parallel(10, |n| match n {
            4 => close(api, access, &json!({"password": PASSWORD}), 0).status,
            n if n % 2 == 0 => invite(api, &founder, &new_email(api), "agent").status,
            _ => {
                let body = json!({"name": "k"});
                let call = api.post("/api/v1/api-keys", &body);
                call.bearer(access).send().status
            }
        });
        assert_eq!(answers[4], 200, "{answers:?}");
        assert!(answers.iter().all(|status| *status < 500), "{answers:?}");
    }
}

fn nobody_joins_with_a_closed_account(api: &Api) {
    let host = founder(api);
    for wait in 0..16 {
        let guest = founder(api);
        invite(api, &host, &guest.email, "founder").data(201);
        let token = mail_token(api, &guest.email);
        let answers = api.parallel(2, |index| {
            if index == 0 {
                return close(api, &guest.access, &json!({"password": PASSWORD}), 0);
            }
            // Later each time, so that both end together at some time.
            for _ in 0..wait {
                api.get("/healthz").send();
            }
            accept(api, &guest.access, &token)
        });
        answers[0].data(200);
        let members = api.get("/api/v1/organizations/members");
        let members = members.bearer(&host.access).send().data(200);
        assert_eq!(members.as_array().unwrap().len(), 1, "{members}");
    }
}

fn who_has_no_password_signs_in_again(api: &Api) {
    let person = person(api);
    let tokens = sign_in(api, &person);
    let access = text(&tokens["access_token"]);
    let new = new_email(api);
    let body = json!({"email": new});
    change(api, &access, &body, OLD).refused(403, "REAUTH_REQUIRED");
    close(api, &access, &json!({}), OLD).refused(403, "REAUTH_REQUIRED");
    // No password is right, and none is needed.
    let wrong = json!({"password": "no password is right"});
    close(api, &access, &wrong, OLD).refused(403, "REAUTH_REQUIRED");
    change(api, &access, &body, 0).data(202);
    for address in [&text(&person["email"]), &new] {
        let body = json!({"token": mail_token(api, address)});
        let confirmed = api.post("/api/v1/auth/email/confirm", &body).send();
        confirmed.data(200);
    }
    // The provider still leads in: the person counts there, not the address.
    let again = text(&sign_in(api, &person)["access_token"]);
    let me = api.get("/api/v1/auth/me").bearer(&again).send().data(200);
    assert_eq!(me["email"], new);
    close(api, &again, &json!({}), 0).data(200);
    let me = api.get("/api/v1/auth/me").bearer(&access).send();
    me.refused(401, "SESSION_ENDED");
}

fn who_has_no_password_sets_one(api: &Api) {
    let person = person(api);
    let email = text(&person["email"]);
    let access = text(&sign_in(api, &person)["access_token"]);
    unlink(api, &access, &json!({}), 0).refused(409, "STATE_CONFLICT");
    let body = json!({"current_password": PASSWORD, "password": PASSWORD});
    let call = api.post("/api/v1/auth/password/change", &body);
    let none = call.bearer(&access).send().refused(409, "STATE_CONFLICT");
    assert!(none["detail"].to_string().contains("/password/forgot"));
    api.post("/api/v1/auth/password/forgot", &json!({"email": email}))
        .send()
        .data(202);
    let body = json!({"token": mail_token(api, &email), "password": PASSWORD});
    api.post("/api/v1/auth/password/reset", &body)
        .send()
        .data(200);
    let tokens = login(api, &email, PASSWORD).data(200);
    let access = text(&tokens["access_token"]);
    // From now on it is asked for, however young the session.
    close(api, &access, &json!({}), 0).blames("password");
    unlink(api, &access, &json!({}), 0).blames("password");
    unlink(api, &access, &json!({"password": PASSWORD}), 0).data(200);
    close(api, &access, &json!({"password": PASSWORD}), 0).data(200);
    // Whoever has a password is asked for it, and nothing else.
    let other = founder(api);
    close(api, &other.access, &json!({"password": PASSWORD}), OLD).data(200);
}
