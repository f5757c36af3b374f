//! Members: who may see, change and remove whom.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, PASSWORD, accept, api_key, founder, give, invite, mail_token, member, send_events,
    signed_in, switch, text, walk_pages,
};

tests! { "members":
    members_are_listed_for_those_who_may ["B-09" "B-12" "L-04"];
    the_registry_of_roles_is_shown ["B-03" "B-01"];
    nobody_reaches_their_own_rank ["B-01" "B-13"];
    a_lowered_role_holds_on_the_next_request ["B-11" "A-32"];
    a_removed_member_is_out_at_once ["B-11" "A-32"];
    members_may_leave ["B-09"];
    who_is_removed_everywhere_still_has_an_account ["B-09"];
    the_last_founder_stays ["B-01"];
    two_founders_cannot_both_be_demoted ["B-01"];
    members_of_other_tenants_do_not_exist ["L-05" "B-09"];
}

const MEMBERS: &str = "/api/v1/organizations/members";

fn list(api: &Api, who: &Founder) -> Answer {
    api.get(MEMBERS).bearer(&who.access).send()
}

fn remove(api: &Api, who: &Founder, whom: &Founder) -> Answer {
    api.delete(&format!("{MEMBERS}/{}", whom.user))
        .bearer(&who.access)
        .send()
}

fn close(api: &Api, who: &Founder) -> Answer {
    api.delete("/api/v1/auth/me")
        .json(&json!({"password": PASSWORD}))
        .bearer(&who.access)
        .send()
}

fn refresh(api: &Api, who: &Founder) -> Answer {
    let body = json!({"refresh_token": who.refresh});
    api.post("/api/v1/auth/refresh", &body).send()
}

/// The role that the list gives a member.
fn role_of(api: &Api, who: &Founder, whom: &Founder) -> Value {
    let listed = list(api, who).data(200);
    let found = listed.as_array().unwrap().iter();
    let mut found = found.filter(|member| member["userId"] == whom.user);
    found.next().map_or(Value::Null, |one| one["role"].clone())
}

fn members_are_listed_for_those_who_may(api: &Api) {
    let founder = founder(api);
    let admin = member(api, &founder, "admin");
    let agent = member(api, &founder, "agent");
    let client = member(api, &founder, "client");
    for who in [&founder, &admin] {
        let answer = list(api, who);
        assert_eq!(answer.sql(), 1);
        let listed = answer.data(200);
        assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
    }
    for who in [&agent, &client] {
        let refused = list(api, who).refused(403, "FORBIDDEN");
        assert_eq!(refused["error"]["permission"], "members:read");
        let text = refused.to_string();
        assert!(!text.contains(&founder.email) && !text.contains(&founder.user));
    }
    assert_eq!(role_of(api, &founder, &admin), "admin");
    // Pages go by the user's id, which is called userId here.
    let first = api
        .get(&format!("{MEMBERS}?limit=3"))
        .bearer(&founder.access)
        .send();
    assert_eq!(first.data(200).as_array().unwrap().len(), 3);
    let next = text(&first.json()["metadata"]["nextCursor"]);
    let second = api
        .get(&format!("{MEMBERS}?limit=3&cursor={next}"))
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(second[0]["userId"], founder.user, "{second}");
    walk_pages(api, &founder, "/api/v1/organizations/invitations", 3);
}

fn the_registry_of_roles_is_shown(api: &Api) {
    let host = founder(api);
    let admin = member(api, &host, "admin");
    let roles = |who: &Founder| {
        api.get("/api/v1/organizations/roles")
            .bearer(&who.access)
            .send()
    };
    let shown = roles(&admin).data(200);
    let grantable = |shown: &Value| {
        let all = shown["roles"].as_array().unwrap().clone();
        let granted = all.iter().filter(|role| role["grantable"] == true);
        granted.map(|role| text(&role["name"])).collect::<Vec<_>>()
    };
    assert_eq!(grantable(&shown), ["agent", "client"]);
    assert_eq!(grantable(&roles(&host).data(200)).len(), 4);
    // Every permission of a role is in the registry, and a higher role holds no fewer.
    let known = shown["permissions"].as_array().unwrap();
    let mut held = usize::MAX;
    for role in shown["roles"].as_array().unwrap() {
        let permissions = role["permissions"].as_array().unwrap();
        assert!(permissions.len() <= held, "{role}");
        held = permissions.len();
        for name in permissions {
            assert!(known.iter().any(|one| one["name"] == *name), "{name}");
        }
    }
    let agent = member(api, &host, "agent");
    let refused = roles(&agent).refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "members:read");
}

fn nobody_reaches_their_own_rank(api: &Api) {
    let founder = founder(api);
    let [first, second] = [(); 2].map(|()| member(api, &founder, "admin"));
    let agent = member(api, &founder, "agent");
    for role in ["founder", "admin"] {
        give(api, &first, &agent, role).refused(403, "FORBIDDEN");
        give(api, &first, &first, role).refused(403, "FORBIDDEN");
        invite(api, &first, &crate::fixture::new_email(api), role).refused(403, "FORBIDDEN");
    }
    for whom in [&second, &founder] {
        give(api, &first, whom, "client").refused(403, "FORBIDDEN");
        remove(api, &first, whom).refused(403, "FORBIDDEN");
    }
    for whom in [&agent, &first] {
        let refused = give(api, &agent, whom, "client").refused(403, "FORBIDDEN");
        assert_eq!(refused["error"]["permission"], "members:write");
    }
    invite(api, &agent, &crate::fixture::new_email(api), "admin").refused(403, "FORBIDDEN");
    give(api, &first, &agent, "boss").blames("role");
    give(api, &first, &agent, "client").data(200);
    give(api, &founder, &second, "founder").data(200);
    assert_eq!(role_of(api, &founder, &agent), "client");
    assert_eq!(role_of(api, &founder, &second), "founder");
    assert_eq!(role_of(api, &founder, &first), "admin");
}

fn a_lowered_role_holds_on_the_next_request(api: &Api) {
    let founder = founder(api);
    let admin = member(api, &founder, "admin");
    let guest = crate::fixture::founder(api);
    invite(api, &admin, &guest.email, "agent").data(201);
    list(api, &admin).data(200);
    let answer = give(api, &founder, &admin, "client");
    assert_eq!(answer.sql(), 2);
    answer.data(200);
    // The access token from before still says admin, and nobody believes it.
    let refused = list(api, &admin).refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "members:read");
    let me = api.get("/api/v1/auth/me").bearer(&admin.access).send();
    assert_eq!(me.data(200)["role"], "client");
    // The session ends with that token.
    refresh(api, &admin).refused(401, "SESSION_ENDED");
    switch(api, &admin.access, &founder.tenant).refused(401, "SESSION_ENDED");
    api.get("/api/v1/auth/me")
        .bearer(&admin.access)
        .later(16 * 60_000)
        .send()
        .refused(401, "TOKEN_EXPIRED");
    // Whom they invited before, they could not invite now.
    let token = mail_token(api, &guest.email);
    accept(api, &guest.access, &token).refused(400, "TOKEN_SPENT");
    // A higher role ends nothing.
    let agent = member(api, &founder, "agent");
    give(api, &founder, &agent, "admin").data(200);
    list(api, &agent).data(200);
    refresh(api, &agent).data(200);
}

fn a_removed_member_is_out_at_once(api: &Api) {
    let founder = founder(api);
    let admin = member(api, &founder, "admin");
    let key = api_key(api, &admin, &["usage:write"]);
    send_events(api, &key, "before", 1).data(200);
    remove(api, &founder, &admin).data(200);
    list(api, &admin).refused(401, "SESSION_ENDED");
    refresh(api, &admin).refused(401, "SESSION_ENDED");
    send_events(api, &key, "after", 1).refused(401, "API_KEY_INVALID");
    remove(api, &founder, &admin).refused(404, "NOT_FOUND");
    assert_eq!(role_of(api, &founder, &admin), Value::Null);
    // Their own organisation is still theirs, and a new invitation does not wake the old key.
    let own = crate::fixture::signed_in(api, &admin.email);
    assert_ne!(own.tenant, founder.tenant);
    invite(api, &founder, &admin.email, "admin").data(201);
    accept(api, &own.access, &mail_token(api, &admin.email)).data(200);
    send_events(api, &key, "again", 1).refused(401, "API_KEY_INVALID");
    refresh(api, &admin).refused(401, "SESSION_ENDED");
}

fn members_may_leave(api: &Api) {
    let founder = founder(api);
    let client = member(api, &founder, "client");
    let admin = member(api, &founder, "admin");
    let leave = |who: &Founder| {
        api.delete(&format!("{MEMBERS}/me"))
            .bearer(&who.access)
            .send()
    };
    leave(&client).data(200);
    leave(&client).refused(401, "SESSION_ENDED");
    remove(api, &admin, &admin).data(200);
    list(api, &admin).refused(401, "SESSION_ENDED");
    let listed = list(api, &founder).data(200);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

/// Whoever lets somebody in as a founder may lose the organisation to them, but not the account.
fn who_is_removed_everywhere_still_has_an_account(api: &Api) {
    let victim = founder(api);
    let rival = member(api, &victim, "admin");
    give(api, &victim, &rival, "founder").data(200);
    remove(api, &rival, &victim).data(200);
    let again = signed_in(api, &victim.email);
    assert_ne!(again.tenant, victim.tenant);
    assert_eq!(role_of(api, &again, &again), "founder");
    let seen = api
        .get("/api/v1/organizations/audit?action=organization.create")
        .bearer(&again.access)
        .send()
        .data(200);
    assert_eq!(seen[0]["change"]["after"]["user"], victim.user, "{seen}");
    // Invited again, and gone by their own will: the other one is there still.
    invite(api, &rival, &victim.email, "agent").data(201);
    let token = mail_token(api, &victim.email);
    accept(api, &again.access, &token).data(200);
    let tokens = switch(api, &again.access, &rival.tenant).data(200);
    api.delete(&format!("{MEMBERS}/me"))
        .bearer(&text(&tokens["access_token"]))
        .send()
        .data(200);
    let back = signed_in(api, &victim.email);
    assert_eq!(back.tenant, again.tenant);
    close(api, &back).data(200);
}

fn the_last_founder_stays(api: &Api) {
    let founder = founder(api);
    member(api, &founder, "admin");
    for role in ["admin", "client"] {
        give(api, &founder, &founder, role).refused(409, "STATE_CONFLICT");
    }
    remove(api, &founder, &founder).refused(409, "STATE_CONFLICT");
    api.delete(&format!("{MEMBERS}/me"))
        .bearer(&founder.access)
        .send()
        .refused(409, "STATE_CONFLICT");
    give(api, &founder, &founder, "founder").data(200);
    assert_eq!(role_of(api, &founder, &founder), "founder");
    refresh(api, &founder).data(200);
}

fn two_founders_cannot_both_be_demoted(api: &Api) {
    for round in 0..6 {
        let first = founder(api);
        let second = member(api, &first, "founder");
        member(api, &first, "agent");
        let both = [(&first, &second), (&second, &first)];
        let answers = api.parallel(2, |index| {
            let (who, whom) = both[index];
            match round % 3 {
                0 => give(api, who, whom, "admin"),
                1 => remove(api, who, whom),
                _ => close(api, who),
            }
        });
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(
            done,
            1,
            "{:?}",
            answers.iter().map(Answer::text).collect::<Vec<_>>()
        );
        let founders = both
            .iter()
            .filter(|(who, _)| {
                let me = api.get("/api/v1/auth/me").bearer(&who.access).send();
                me.status == 200 && me.data(200)["role"] == "founder"
            })
            .count();
        assert_eq!(founders, 1);
    }
}

fn members_of_other_tenants_do_not_exist(api: &Api) {
    let (mine, theirs) = (founder(api), founder(api));
    give(api, &mine, &theirs, "client").refused(404, "NOT_FOUND");
    remove(api, &mine, &theirs).refused(404, "NOT_FOUND");
    for id in ["usr_", "x", "usr_00000000000000000000000000"] {
        api.delete(&format!("{MEMBERS}/{id}"))
            .bearer(&mine.access)
            .send()
            .refused(404, "NOT_FOUND");
    }
    assert_eq!(role_of(api, &theirs, &theirs), "founder");
}
