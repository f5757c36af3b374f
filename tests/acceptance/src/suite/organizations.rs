//! Organisations: one's own, new ones, and moving a session between them.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, PASSWORD, founder, me, member, switch, text, walk_pages};

tests! { "organizations":
    a_new_organization_has_its_creator_as_founder ["B-09" "L-03"];
    own_organizations_are_listed_and_no_others ["B-09" "L-04"];
    the_current_organization_is_shown_and_renamed ["B-09" "B-12"];
    a_session_moves_and_its_old_tokens_stop ["B-11" "A-10"];
    nobody_moves_where_they_do_not_belong ["L-05"];
    browsers_move_with_their_cookies ["A-37"];
    nobody_creates_organizations_without_end ["E-08"];
}

fn create(api: &Api, founder: &Founder, name: &str) -> Answer {
    api.post("/api/v1/organizations", &json!({"name": name}))
        .bearer(&founder.access)
        .send()
}

fn a_new_organization_has_its_creator_as_founder(api: &Api) {
    let founder = founder(api);
    let created = create(api, &founder, "Second").data(201);
    assert_eq!(created["plan"], "FREE");
    assert_eq!(created["role"], "founder");
    let tokens = switch(api, &founder.access, &text(&created["id"])).data(200);
    let access = text(&tokens["access_token"]);
    let current = api
        .get("/api/v1/organizations/current")
        .bearer(&access)
        .send()
        .data(200);
    assert_eq!(current["name"], "Second");
    assert_eq!(current["members"], 1);
    assert_eq!(current["role"], "founder");
    // A tenant in the body is not known to any route, so it cannot be chosen.
    let body = json!({"name": "x", "tenant_id": founder.tenant});
    api.post("/api/v1/api-keys", &body)
        .bearer(&access)
        .send()
        .blames("tenant_id");
    for name in ["", "  ", &"x".repeat(101)] {
        let body = json!({"name": name});
        api.post("/api/v1/organizations", &body)
            .bearer(&access)
            .send()
            .blames("name");
    }
}

fn own_organizations_are_listed_and_no_others(api: &Api) {
    let (founder, _stranger) = (founder(api), founder(api));
    let second = create(api, &founder, "Second").data(201);
    let answer = api
        .get("/api/v1/organizations")
        .bearer(&founder.access)
        .send();
    assert_eq!(answer.sql(), 1);
    let listed = answer.data(200);
    let ids: Vec<&Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|o| &o["id"])
        .collect();
    assert_eq!(ids.len(), 2, "{listed}");
    assert!(ids.contains(&&second["id"]) && ids.contains(&&json!(founder.tenant)));
    for one in listed.as_array().unwrap() {
        assert_eq!(one["current"], one["id"] == founder.tenant);
    }
    let answer = me(api, &founder.access);
    assert_eq!(answer.sql(), 1);
    let memberships = answer.data(200)["memberships"].clone();
    assert_eq!(memberships.as_array().unwrap().len(), 2, "{memberships}");
    assert_eq!(memberships[0]["role"], "founder");
    walk_pages(api, &founder, "/api/v1/organizations", 2);
}

fn the_current_organization_is_shown_and_renamed(api: &Api) {
    let founder = founder(api);
    let agent = member(api, &founder, "agent");
    let rename = |who: &Founder| {
        api.patch("/api/v1/organizations/current", &json!({"name": "Renamed"}))
            .bearer(&who.access)
            .send()
    };
    let refused = rename(&agent).refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "organization:write");
    assert_eq!(rename(&founder).data(200)["name"], "Renamed");
    let seen = api
        .get("/api/v1/organizations/current")
        .bearer(&agent.access)
        .send()
        .data(200);
    assert_eq!(seen["name"], "Renamed");
    assert_eq!(seen["members"], 2);
    let permissions = seen["permissions"].as_array().unwrap();
    assert!(permissions.contains(&json!("jobs:write")));
    assert!(!permissions.contains(&json!("members:read")));
}

fn a_session_moves_and_its_old_tokens_stop(api: &Api) {
    let founder = founder(api);
    let second = text(&create(api, &founder, "Second").data(201)["id"]);
    let answer = switch(api, &founder.access, &second);
    assert_eq!(answer.sql(), 2);
    let tokens = answer.data(200);
    let access = text(&tokens["access_token"]);
    assert_eq!(me(api, &access).data(200)["tenant"]["id"], second);
    me(api, &founder.access).refused(401, "SESSION_ENDED");
    switch(api, &founder.access, &second).refused(401, "SESSION_ENDED");
    let refresh = |token: &str, later: i64| {
        api.post("/api/v1/auth/refresh", &json!({"refresh_token": token}))
            .later(later)
            .send()
    };
    let again = refresh(&text(&tokens["refresh_token"]), 0).data(200);
    let access = text(&again["access_token"]);
    assert_eq!(me(api, &access).data(200)["tenant"]["id"], second);
    // The token from before the move was replaced: whoever brings it now stole it.
    refresh(&founder.refresh, 60_000).refused(401, "SESSION_ENDED");
    me(api, &access).refused(401, "SESSION_ENDED");
}

fn nobody_moves_where_they_do_not_belong(api: &Api) {
    let (mine, theirs) = (founder(api), founder(api));
    for tenant in [
        theirs.tenant.as_str(),
        "ten_00000000000000000000000000",
        "x",
    ] {
        switch(api, &mine.access, tenant).refused(404, "NOT_FOUND");
    }
    me(api, &mine.access).data(200);
}

fn browsers_move_with_their_cookies(api: &Api) {
    let founder = founder(api);
    let second = text(&create(api, &founder, "Second").data(201)["id"]);
    let body = json!({"email": founder.email, "password": PASSWORD, "mode": "cookie"});
    let signed_in = api.post("/api/v1/auth/login", &body).send();
    let csrf = text(&signed_in.data(200)["csrf_token"]);
    let moved = api
        .post("/api/v1/auth/switch", &json!({"tenant_id": founder.tenant}))
        .header("cookie", &jar(&signed_in))
        .header("x-csrf-token", &csrf)
        .send();
    let csrf = text(&moved.data(200)["csrf_token"]);
    assert!(!moved.text().contains("refresh_token"), "{}", moved.text());
    let moved = api
        .post("/api/v1/auth/switch", &json!({"tenant_id": second}))
        .header("cookie", &jar(&moved))
        .header("x-csrf-token", &csrf)
        .send();
    moved.data(200);
    let here = api
        .get("/api/v1/auth/me")
        .header("cookie", &jar(&moved))
        .send();
    assert_eq!(here.data(200)["tenant"]["id"], second);
}

/// The cookies that an answer sets, as a browser sends them back.
fn jar(answer: &Answer) -> String {
    let set = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let pairs: Vec<&str> = set
        .filter_map(|(_, value)| value.split(';').next())
        .collect();
    pairs.join("; ")
}

fn nobody_creates_organizations_without_end(api: &Api) {
    let founder = founder(api);
    let statuses = api.parallel(14, |index| create(api, &founder, &index.to_string()).status);
    let created = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(created, 10, "{statuses:?}");
    let refused = create(api, &founder, "more");
    refused.refused(429, "RATE_LIMITED");
    assert!(refused.header("retry-after").is_some());
}
