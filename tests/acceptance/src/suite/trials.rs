//! Trials. What moves the clock runs alone: it ends everybody's.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, PASSWORD, api_key, elsewhere, founder, mail_token, mails, new_email, run_task,
    send_events, signed_in, upgrade,
};

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

tests! { "trials":
    registration_begins_a_trial ["H-21"];
    a_trial_is_for_who_wants_one_and_once [];
    services_alone_see_and_extend_trials ["H-25"];
    from_registration_to_expiration ["H-21" "H-22" "H-23" "H-24" "H-27"] alone;
    an_extended_trial_goes_on ["H-26"] alone;
}

/// A founder whose registration began a trial.
fn on_trial(api: &Api) -> Founder {
    let email = new_email(api);
    api.post(
        "/api/v1/auth/register",
        &json!({"email": email, "password": PASSWORD}),
    )
    .header("x-forwarded-for", &elsewhere(api))
    .send()
    .data(201);
    let token = mail_token(api, &email);
    api.post("/api/v1/auth/verify", &json!({"token": token}))
        .send()
        .data(200);
    signed_in(api, &email)
}

fn subscription(api: &Api, founder: &Founder) -> Value {
    api.get("/api/v1/billing/subscription")
        .bearer(&founder.access)
        .send()
        .data(200)
}

fn team(api: &Api, founder: &Founder, name: &str) -> Answer {
    api.post("/api/v1/organizations/teams", &json!({"name": name}))
        .bearer(&founder.access)
        .send()
}

fn project(api: &Api, founder: &Founder) -> Answer {
    api.post("/api/v1/projects", &json!({"name": "p"}))
        .bearer(&founder.access)
        .send()
}

fn registration_begins_a_trial(api: &Api) {
    let founder = on_trial(api);
    let shown = subscription(api, &founder);
    assert_eq!(shown["plan"], "PROFESSIONAL");
    assert_eq!(shown["subscription"], Value::Null);
    let trial = &shown["trial"];
    assert_eq!(trial["plan"], "PROFESSIONAL");
    assert_eq!(trial["state"], "active");
    assert_eq!(trial["daysLeft"], 14);
    let moment = |name: &str| {
        let text = trial[name].as_str().unwrap();
        edgekeep_core::time::Millis::parse(text).unwrap()
    };
    assert_eq!(moment("endsAt").since(moment("startedAt")), 14 * DAY);
    assert!((api.now().since(moment("startedAt"))).abs() < MINUTE);
    // The plan's features and its room are there.
    team(api, &founder, "a").data(201);
}

fn a_trial_is_for_who_wants_one_and_once(api: &Api) {
    let without = founder(api);
    let shown = subscription(api, &without);
    assert_eq!(
        (&shown["plan"], &shown["trial"]),
        (&json!("FREE"), &Value::Null)
    );
    team(api, &without, "a").refused(402, "PLAN_UPGRADE_REQUIRED");
    let body = json!({"email": new_email(api), "password": PASSWORD, "trial": "yes"});
    api.post("/api/v1/auth/register", &body)
        .header("x-forwarded-for", &elsewhere(api))
        .send()
        .blames("trial");
    // A second organization of the same person has none.
    let person = on_trial(api);
    let second = api
        .post("/api/v1/organizations", &json!({"name": "second"}))
        .bearer(&person.access)
        .send();
    assert_eq!(second.data(201)["plan"], "FREE");
}

fn stats(api: &Api, token: &str) -> Answer {
    api.get("/api/v1/trials/stats").bearer(token).send()
}

fn extend(api: &Api, tenant: &str, token: &str, ends: i64, later: i64) -> Answer {
    let ends = api.now().plus(ends).rfc3339();
    api.call("PUT", &format!("/api/v1/trials/{tenant}"))
        .json(&json!({"endsAt": ends}))
        .bearer(token)
        .later(later)
        .send()
}

fn services_alone_see_and_extend_trials(api: &Api) {
    let founder = on_trial(api);
    assert_eq!(stats(api, &founder.access).status, 401);
    assert_eq!(stats(api, &api.service_token("auth")).status, 401);
    let seen = stats(api, &api.service_token("billing")).data(200);
    assert!(seen["active"].as_i64().unwrap() >= 1, "{seen}");
    assert_eq!(
        extend(api, &founder.tenant, &founder.access, DAY, 0).status,
        401
    );
    let token = api.service_token("billing");
    let extended = extend(api, &founder.tenant, &token, 30 * DAY, 0).data(200);
    assert_eq!(extended["trial"]["daysLeft"], 30);
    assert_eq!(subscription(api, &founder)["trial"], extended["trial"]);
    extend(api, "ten_00000000000000000000000000", &token, DAY, 0).refused(404, "NOT_FOUND");
    extend(api, &founder.tenant, &token, -DAY, 0).blames("endsAt");
    let own = api
        .get("/api/v1/organizations/audit")
        .bearer(&founder.access)
        .send();
    own.data(200);
    assert!(own.text().contains("trial.extend"), "{}", own.text());
}

/// How many mails of each stage the founder got.
fn told(api: &Api, founder: &Founder) -> [usize; 3] {
    let mails = mails(api, &founder.email);
    ["ends soon", "ends within a day", "has ended"].map(|words| {
        let of = |mail: &&Value| mail["subject"].as_str().unwrap().contains(words);
        mails.iter().filter(of).count()
    })
}

/// What a tick does about trials and their mails, so much later.
fn tick(api: &Api, later: i64) {
    run_task(api, "trials", later);
    run_task(api, "outbox", later);
}

fn from_registration_to_expiration(api: &Api) {
    let founder = on_trial(api);
    let key = api_key(api, &founder, &["usage:write"]);
    team(api, &founder, "a").data(201);
    for _ in 0..3 {
        project(api, &founder).data(201);
    }
    for (later, mails, plan) in [
        (10 * DAY, [0, 0, 0], "PROFESSIONAL"),
        (11 * DAY + MINUTE, [1, 0, 0], "PROFESSIONAL"),
        (11 * DAY + MINUTE, [1, 0, 0], "PROFESSIONAL"),
        (13 * DAY + MINUTE, [1, 1, 0], "PROFESSIONAL"),
        (14 * DAY + MINUTE, [1, 1, 1], "FREE"),
        (15 * DAY, [1, 1, 1], "FREE"),
    ] {
        tick(api, later);
        assert_eq!(told(api, &founder), mails, "{}", later / DAY);
        assert_eq!(subscription(api, &founder)["plan"], plan);
    }
    let shown = subscription(api, &founder);
    assert_eq!(shown["trial"]["state"], "expired");
    assert_eq!(shown["trial"]["daysLeft"], 0);

    send_events(api, &key, "most", 1_000).data(200);
    // What the free plan lacks or has no room for leads to the plans.
    for refused in [
        team(api, &founder, "b"),
        project(api, &founder),
        send_events(api, &key, "more", 1),
    ] {
        refused.refused(402, "TRIAL_EXPIRED");
        let error = &refused.json()["error"];
        let url = error["upgrade_url"].as_str().unwrap();
        assert!(url.ends_with("/billing"), "{error}");
        assert_eq!(error["retryable"], false);
    }
    upgrade(api, &founder.tenant, crate::fixture::STARTER);
    team(api, &founder, "b").data(201);
    project(api, &founder).data(201);
    send_events(api, &key, "more", 1).data(200);
    assert_eq!(subscription(api, &founder)["trial"]["state"], "converted");
    tick(api, 16 * DAY);
    assert_eq!(subscription(api, &founder)["plan"], "STARTER");
    assert_eq!(told(api, &founder), [1, 1, 1]);
}

fn an_extended_trial_goes_on(api: &Api) {
    let founder = on_trial(api);
    tick(api, 15 * DAY);
    assert_eq!(subscription(api, &founder)["plan"], "FREE");
    let token = api.service_token_at("billing", 15 * DAY);
    extend(api, &founder.tenant, &token, 40 * DAY, 15 * DAY).data(200);
    assert_eq!(subscription(api, &founder)["plan"], "PROFESSIONAL");
    team(api, &founder, "a").data(201);
    tick(api, 39 * DAY + MINUTE);
    assert_eq!(subscription(api, &founder)["plan"], "PROFESSIONAL");
    tick(api, 40 * DAY + MINUTE);
    assert_eq!(subscription(api, &founder)["plan"], "FREE");
    team(api, &founder, "b").refused(402, "TRIAL_EXPIRED");
}
