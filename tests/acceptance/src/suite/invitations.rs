//! Invitations: once, in time, and only for the address they were sent to.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, PASSWORD, accept, founder, founder_at, invite, mail, mail_token, member, new_email,
    switch, text,
};

const DAY: i64 = 86_400_000;

tests! { "invitations":
    an_invited_address_joins_once ["B-10" "B-09"];
    of_many_parallel_acceptances_one_wins ["B-10"];
    only_the_invited_address_may_accept ["B-10" "B-12"];
    links_expire_after_seven_days ["B-10"];
    a_resent_invitation_has_another_link ["B-10"];
    a_revoked_invitation_is_dead ["B-10"];
    who_closes_their_account_invites_nobody ["B-10"];
    who_has_no_account_registers_first ["B-10"];
    the_mail_says_what_to_do ["U-02"];
    nobody_is_invited_twice ["B-10"];
    invitations_of_other_tenants_do_not_exist ["L-05"];
    a_tenant_sends_fifty_a_day ["E-08"];
    an_address_gets_five_a_day ["E-08"];
    invitations_without_a_mail_do_not_count ["E-08"];
}

const PATH: &str = "/api/v1/organizations/invitations";

fn resend(api: &Api, who: &Founder, id: &Value) -> Answer {
    let path = format!("{PATH}/{}/resend", id.as_str().unwrap());
    api.post(&path, &json!({})).bearer(&who.access).send()
}

fn revoke(api: &Api, who: &Founder, id: &Value) -> Answer {
    api.delete(&format!("{PATH}/{}", id.as_str().unwrap()))
        .bearer(&who.access)
        .send()
}

fn state(api: &Api, who: &Founder, id: &Value) -> String {
    let listed = api.get(PATH).bearer(&who.access).send().data(200);
    let one = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["id"] == *id);
    text(&one.unwrap()["state"])
}

fn an_invited_address_joins_once(api: &Api) {
    let (host, guest) = (founder(api), founder(api));
    let answer = invite(api, &host, &guest.email.to_uppercase(), "agent");
    assert_eq!(answer.sql(), 2);
    let invited = answer.data(201);
    assert_eq!(invited["email"], guest.email);
    assert_eq!(state(api, &host, &invited["id"]), "pending");
    let token = mail_token(api, &guest.email);
    assert!(!answer.text().contains(&token));
    let answer = accept(api, &guest.access, &token);
    assert_eq!(answer.sql(), 2);
    let accepted = answer.data(200);
    assert_eq!(accepted["organization"]["id"], host.tenant);
    assert_eq!(accepted["role"], "agent");
    accept(api, &guest.access, &token).refused(400, "TOKEN_SPENT");
    assert_eq!(state(api, &host, &invited["id"]), "accepted");
    // The session stayed where it was, and may move now.
    let me = api
        .get("/api/v1/auth/me")
        .bearer(&guest.access)
        .send()
        .data(200);
    assert_eq!(me["tenant"]["id"], guest.tenant);
    let moved = switch(api, &guest.access, &host.tenant).data(200);
    let access = text(&moved["access_token"]);
    let me = api.get("/api/v1/auth/me").bearer(&access).send().data(200);
    assert_eq!(me["role"], "agent");
    revoke(api, &host, &invited["id"]).refused(409, "STATE_CONFLICT");
    resend(api, &host, &invited["id"]).refused(409, "STATE_CONFLICT");
}

fn of_many_parallel_acceptances_one_wins(api: &Api) {
    let (host, guest) = (founder(api), founder(api));
    invite(api, &host, &guest.email, "agent").data(201);
    let token = mail_token(api, &guest.email);
    let answers = api.parallel(20, |_| accept(api, &guest.access, &token));
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(400, "TOKEN_SPENT");
    }
}

fn only_the_invited_address_may_accept(api: &Api) {
    let (host, guest, thief) = (founder(api), founder(api), founder(api));
    invite(api, &host, &guest.email, "agent").data(201);
    let token = mail_token(api, &guest.email);
    let refused = accept(api, &thief.access, &token).refused(403, "FORBIDDEN");
    let told = refused.to_string();
    assert!(
        !told.contains(&guest.email) && !told.contains(&host.tenant),
        "{told}"
    );
    api.post("/api/v1/invitations/accept", &json!({"token": token}))
        .send()
        .refused(401, "AUTH_REQUIRED");
    let mut other = token.clone();
    other.replace_range(0..1, if token.starts_with('A') { "B" } else { "A" });
    accept(api, &guest.access, &other).refused(400, "TOKEN_SPENT");
    accept(api, &guest.access, &token).data(200);
}

fn links_expire_after_seven_days(api: &Api) {
    let (host, guest) = (founder(api), founder(api));
    let invited = invite(api, &host, &guest.email, "agent").data(201);
    let token = mail_token(api, &guest.email);
    // Just before a session that is never refreshed ends; its access token then lives on.
    let week = 7 * DAY - 60_000;
    let [host, guest] = [host, guest].map(|who| {
        let body = json!({"refresh_token": who.refresh});
        let tokens = api.post("/api/v1/auth/refresh", &body).later(week).send();
        let access = text(&tokens.data(200)["access_token"]);
        Founder { access, ..who }
    });
    let accept_at = |token: &str, later: i64| {
        api.post("/api/v1/invitations/accept", &json!({"token": token}))
            .bearer(&guest.access)
            .later(later)
            .send()
    };
    let invite_at = |later: i64| {
        api.post(PATH, &json!({"email": guest.email, "role": "client"}))
            .bearer(&host.access)
            .later(later)
            .send()
    };
    let later = 7 * DAY + 60_000;
    accept_at(&token, later).refused(400, "TOKEN_SPENT");
    // An open invitation stands in the way of another one, an expired one does not.
    invite_at(week).refused(409, "STATE_CONFLICT");
    invite_at(later).data(201);
    accept_at(&mail_token(api, &guest.email), later).data(200);
    let listed = api
        .get(PATH)
        .bearer(&host.access)
        .later(later)
        .send()
        .data(200);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[1]["id"], invited["id"]);
    assert_eq!(listed[1]["state"], "expired");
}

fn a_resent_invitation_has_another_link(api: &Api) {
    let (host, guest) = (founder(api), founder(api));
    let invited = invite(api, &host, &guest.email, "agent").data(201);
    let first = mail_token(api, &guest.email);
    let answer = resend(api, &host, &invited["id"]);
    assert_eq!(answer.sql(), 2);
    assert_eq!(answer.data(200)["state"], "pending");
    let second = mail_token(api, &guest.email);
    assert_ne!(first, second);
    accept(api, &guest.access, &first).refused(400, "TOKEN_SPENT");
    accept(api, &guest.access, &second).data(200);
}

fn a_revoked_invitation_is_dead(api: &Api) {
    let (host, guest) = (founder(api), founder(api));
    let invited = invite(api, &host, &guest.email, "agent").data(201);
    let token = mail_token(api, &guest.email);
    assert_eq!(
        revoke(api, &host, &invited["id"]).data(200)["state"],
        "revoked"
    );
    revoke(api, &host, &invited["id"]).data(200);
    accept(api, &guest.access, &token).refused(400, "TOKEN_SPENT");
    resend(api, &host, &invited["id"]).refused(409, "STATE_CONFLICT");
    assert_eq!(state(api, &host, &invited["id"]), "revoked");
    invite(api, &host, &guest.email, "client").data(201);
    accept(api, &guest.access, &mail_token(api, &guest.email)).data(200);
}

/// As with who leaves or is removed: whom they invited, they may not be allowed to invite now.
fn who_closes_their_account_invites_nobody(api: &Api) {
    let host = founder(api);
    let (admin, guest) = (member(api, &host, "admin"), founder(api));
    let invited = invite(api, &admin, &guest.email, "agent").data(201);
    let token = mail_token(api, &guest.email);
    api.call("DELETE", "/api/v1/auth/me")
        .json(&json!({"password": PASSWORD}))
        .bearer(&admin.access)
        .send()
        .data(200);
    accept(api, &guest.access, &token).refused(400, "TOKEN_SPENT");
    assert_eq!(state(api, &host, &invited["id"]), "revoked");
}

fn who_has_no_account_registers_first(api: &Api) {
    let host = founder(api);
    let email = new_email(api);
    invite(api, &host, &email, "client").data(201);
    let token = mail_token(api, &email);
    let guest = founder_at(api, email);
    assert_ne!(guest.tenant, host.tenant);
    let accepted = accept(api, &guest.access, &token).data(200);
    assert_eq!(accepted["role"], "client");
}

fn the_mail_says_what_to_do(api: &Api) {
    let host = founder(api);
    let email = new_email(api);
    invite(api, &host, &email, "client").data(201);
    let mail = mail(api, &email);
    let link = text(&mail["link"]);
    assert!(link.contains("/invitations/accept?token="), "{link}");
    assert!(text(&mail["text"]).contains(&link));
    assert!(text(&mail["text"]).contains("seven days"));
}

fn nobody_is_invited_twice(api: &Api) {
    let host = founder(api);
    let agent = member(api, &host, "agent");
    invite(api, &host, &agent.email, "client").refused(409, "STATE_CONFLICT");
    let email = new_email(api);
    let answers = api.parallel(4, |_| invite(api, &host, &email, "client").status);
    let created = answers.iter().filter(|status| **status == 201).count();
    assert_eq!(created, 1, "{answers:?}");
    for (email, role, field) in [("x", "agent", "email"), ("a@b.cd", "boss", "role")] {
        invite(api, &host, email, role).blames(field);
    }
}

fn invitations_of_other_tenants_do_not_exist(api: &Api) {
    let (mine, theirs) = (founder(api), founder(api));
    let invited = invite(api, &theirs, &new_email(api), "agent").data(201);
    for id in [
        &invited["id"],
        &json!("x"),
        &json!("inv_00000000000000000000000000"),
    ] {
        revoke(api, &mine, id).refused(404, "NOT_FOUND");
        resend(api, &mine, id).refused(404, "NOT_FOUND");
    }
    let listed = api.get(PATH).bearer(&mine.access).send().data(200);
    assert_eq!(listed, json!([]));
    assert_eq!(state(api, &theirs, &invited["id"]), "pending");
}

fn a_tenant_sends_fifty_a_day(api: &Api) {
    let host = founder(api);
    let emails: Vec<String> = (0..60).map(|_| new_email(api)).collect();
    let statuses = api.parallel(6, |worker| {
        let mine = emails.iter().skip(worker).step_by(6);
        mine.map(|email| invite(api, &host, email, "client").status)
            .collect::<Vec<_>>()
    });
    let statuses = statuses.concat();
    let created = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(created, 50);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 10);
    let refused = invite(api, &host, &new_email(api), "client");
    refused.refused(429, "RATE_LIMITED");
    assert!(refused.header("retry-after").is_some());
}

fn an_address_gets_five_a_day(api: &Api) {
    let host = founder(api);
    let email = new_email(api);
    let invited = invite(api, &host, &email, "client").data(201);
    for _ in 0..4 {
        resend(api, &host, &invited["id"]).data(200);
    }
    let last = mail_token(api, &email);
    resend(api, &host, &invited["id"]).refused(429, "RATE_LIMITED");
    invite(api, &founder(api), &email, "client").refused(429, "RATE_LIMITED");
    // What was refused has not killed the link that was sent before.
    let guest = founder_at(api, email);
    accept(api, &guest.access, &last).data(200);
}

/// Otherwise one tenant could keep all others from inviting somebody, without sending a mail.
fn invitations_without_a_mail_do_not_count(api: &Api) {
    let host = founder(api);
    let email = new_email(api);
    invite(api, &host, &email, "client").data(201);
    let again = api.parallel(8, |_| invite(api, &host, &email, "client"));
    for answer in again {
        answer.refused(409, "STATE_CONFLICT");
    }
    // The four that are left, and no more.
    for _ in 0..4 {
        invite(api, &founder(api), &email, "client").data(201);
    }
    invite(api, &founder(api), &email, "client").refused(429, "RATE_LIMITED");
}
