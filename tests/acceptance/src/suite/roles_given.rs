//! Roles that a tenant makes, as members have them: what they hold, and who may give them.

use serde_json::json;

use super::roles::{change, changes, create, created, delete, listed, me};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, accept, api_key, founder, give, host, invite, mail_token, member, new_email,
    send_events, switch, text,
};

tests! { "roles":
    an_own_role_holds_on_the_next_request ["B-01" "B-11"];
    no_job_shows_what_the_role_does_not ["B-01" "B-04"];
    the_role_that_a_member_has_changes_nothing [];
    listing_sessions_needs_its_permission ["B-08"];
    keys_hold_what_their_owners_role_does ["B-01" "B-11"];
    nobody_makes_or_grants_what_they_do_not_hold ["B-13"];
    an_invitation_may_name_an_own_role ["B-10" "B-14"];
    twenty_roles_given_at_once_follow_one_another ["B-11" "B-14"];
    a_role_is_either_given_or_deleted ["B-01"];
}

fn an_own_role_holds_on_the_next_request(api: &Api) {
    let host = host(api);
    let agent = member(api, &host, "agent");
    let id = created(api, &host, "reader", "agent", &["jobs:read"]);
    assert_eq!(
        give(api, &host, &agent, "reader").data(200)["role"],
        "reader"
    );
    let mine = me(api, &agent);
    assert_eq!(
        (&mine["role"], &mine["base"]),
        (&json!("reader"), &json!("agent"))
    );
    assert_eq!(mine["permissions"].as_array().unwrap().len(), 3);
    assert_eq!(mine["memberships"][0]["role"], "reader");
    assert_eq!(listed(api, &host, "reader")["members"], 1);

    let jobs = || api.get("/api/v1/jobs").bearer(&agent.access).send();
    let submit = || {
        api.post("/api/v1/jobs", &json!({"type": "usage.export"}))
            .bearer(&agent.access)
            .key("one")
            .send()
    };
    jobs().data(200);
    let refused = submit().refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "jobs:write");
    // The same token, after the role has changed.
    let permissions = json!({"permissions": ["jobs:write", "usage:read"]});
    change(api, &host, &id, &permissions).data(200);
    submit().data(202);
    let refused = jobs().refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "jobs:read");
    // The whole of agent again.
    give(api, &host, &agent, "agent").data(200);
    jobs().data(200);
    let seen = changes(
        api,
        &host,
        &format!("action=member.change&target={}", agent.user),
    );
    assert_eq!(seen[0]["before"]["roleId"], json!(id));
    assert_eq!(seen[0]["after"], json!({"role": "agent"}));
    assert_eq!(seen[1]["after"]["base"], "agent");
}

/// An export holds usage events, so a role for jobs alone gets none.
fn no_job_shows_what_the_role_does_not(api: &Api) {
    let host = host(api);
    let worker = member(api, &host, "agent");
    let jobs = ["jobs:read", "jobs:write", "api_keys:write"];
    let runner = created(api, &host, "runner", "admin", &jobs);
    give(api, &host, &worker, "runner").data(200);
    let submit = |bearer: &str| {
        let body = json!({"type": "usage.export"});
        api.post("/api/v1/jobs", &body).bearer(bearer).send()
    };
    let lacks = |answer: Answer| {
        let body = answer.refused(403, "FORBIDDEN");
        assert_eq!(body["error"]["permission"], "usage:read", "{body}");
    };
    lacks(submit(&worker.access));
    lacks(submit(&api_key(api, &worker, &["jobs"])));
    let more = json!({"permissions": ["jobs:read", "jobs:write", "usage:read"]});
    change(api, &host, &runner, &more).data(200);
    let job = text(&submit(&worker.access).data(202)["id"]);
    // It was asked for in time; who reads it must still be allowed to.
    let less = json!({"permissions": ["jobs:read", "jobs:write"]});
    change(api, &host, &runner, &less).data(200);
    let path = format!("/api/v1/jobs/{job}/result");
    lacks(api.get(&path).bearer(&worker.access).send());
}

fn the_role_that_a_member_has_changes_nothing(api: &Api) {
    let host = host(api);
    let (admin, agent) = (member(api, &host, "admin"), member(api, &host, "agent"));
    let entries = || {
        let path = "/api/v1/organizations/audit?action=member.change";
        let seen = api.get(path).bearer(&host.access).send().data(200);
        seen.as_array().unwrap().len()
    };
    created(api, &host, "reader", "agent", &["jobs:read"]);
    for (role, recorded) in [("agent", 0), ("reader", 1)] {
        let first = give(api, &host, &agent, role);
        let again = give(api, &host, &agent, role);
        assert_eq!(again.data(200), first.data(200));
        assert_eq!(again.sql(), 1);
        assert_eq!(entries(), recorded, "{role}");
    }
    // Whoever may not give it learns nothing of who has it.
    give(api, &admin, &admin, "admin").refused(403, "FORBIDDEN");
    give(api, &agent, &agent, "reader").refused(403, "FORBIDDEN");
    // The whole of its base is another role.
    give(api, &host, &agent, "agent").data(200);
    assert_eq!(entries(), 2);
}

fn listing_sessions_needs_its_permission(api: &Api) {
    let host = host(api);
    let agent = member(api, &host, "agent");
    let sessions = || {
        api.get("/api/v1/auth/sessions")
            .bearer(&agent.access)
            .send()
    };
    sessions().data(200);
    let id = created(api, &host, "kiosk", "agent", &["usage:read"]);
    give(api, &host, &agent, "kiosk").data(200);
    let refused = sessions().refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "sessions:read");
    change(api, &host, &id, &json!({"permissions": ["sessions:read"]})).data(200);
    sessions().data(200);
}

fn keys_hold_what_their_owners_role_does(api: &Api) {
    let host = host(api);
    let (admin, agent) = (member(api, &host, "admin"), member(api, &host, "agent"));
    let key = api_key(api, &admin, &["usage:write", "jobs"]);
    send_events(api, &key, "before", 1).data(200);
    api.post("/api/v1/jobs", &json!({"type": "usage.export"}))
        .bearer(&agent.access)
        .key("one")
        .send()
        .data(202);
    let jobs = || {
        let listed = api.get("/api/v1/jobs").bearer(&key).send().data(200);
        listed.as_array().unwrap().len()
    };
    assert_eq!(jobs(), 1);
    let held = ["api_keys:read", "api_keys:write", "jobs:read"];
    let id = created(api, &host, "keeper", "admin", &held);
    give(api, &host, &admin, "keeper").data(200);
    // Neither colleagues' jobs nor events, though an admin has both.
    assert_eq!(jobs(), 0);
    let refused = send_events(api, &key, "after", 1).refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "usage:write");
    let used = || {
        let summary = api.get("/api/v1/usage/summary").bearer(&host.access);
        summary.send().data(200)["events"].clone()
    };
    assert_eq!(used(), 1);
    let wider = ["jobs:read", "jobs:all", "usage:write"];
    change(api, &host, &id, &json!({"permissions": wider})).data(200);
    assert_eq!(jobs(), 1);
    send_events(api, &key, "after", 1).data(200);
    assert_eq!(used(), 2);
}

fn nobody_makes_or_grants_what_they_do_not_hold(api: &Api) {
    let host = host(api);
    let (admin, agent) = (member(api, &host, "admin"), member(api, &host, "agent"));
    let held = [
        "roles:write",
        "members:read",
        "members:write",
        "jobs:read",
        "usage:read",
    ];
    let own = created(api, &host, "deputy", "admin", &held);
    let wide = created(api, &host, "wide", "agent", &["jobs:read", "jobs:write"]);
    give(api, &host, &admin, "deputy").data(200);

    let lacks = |answer: Answer, permission: &str| {
        let refused = answer.refused(403, "FORBIDDEN");
        assert_eq!(refused["error"]["permission"], permission);
    };
    lacks(
        create(api, &admin, "worker", "agent", &["jobs:write"]),
        "jobs:write",
    );
    lacks(give(api, &admin, &agent, "wide"), "jobs:write");
    lacks(invite(api, &admin, &new_email(api), "wide"), "jobs:write");
    // A whole agent sends usage, which the deputy may not.
    lacks(give(api, &admin, &agent, "agent"), "usage:write");
    // One's own rank is out of reach, and with it one's own role.
    create(api, &admin, "double", "admin", &["jobs:read"]).refused(403, "FORBIDDEN");
    let more = json!({"permissions": ["roles:write", "audit:read"]});
    change(api, &admin, &own, &more).refused(403, "FORBIDDEN");
    delete(api, &admin, &own).refused(403, "FORBIDDEN");
    give(api, &admin, &admin, "deputy").refused(403, "FORBIDDEN");
    // What they hold themselves they may hand on; what they lack they may not put in later.
    let worker = created(api, &admin, "worker", "agent", &["jobs:read"]);
    give(api, &admin, &agent, "worker").data(200);
    let more = json!({"permissions": ["jobs:read", "jobs:write"]});
    lacks(change(api, &admin, &worker, &more), "jobs:write");
    lacks(
        change(api, &admin, &wide, &json!({"name": "mine"})),
        "jobs:write",
    );
    let shown = listed(api, &admin, "worker");
    assert_eq!(shown["grantable"], true);
    assert_eq!(listed(api, &admin, "wide")["grantable"], false);
    assert_eq!(listed(api, &admin, "agent")["grantable"], false);
}

fn an_invitation_may_name_an_own_role(api: &Api) {
    let (host, guest) = (host(api), founder(api));
    let id = created(api, &host, "reader", "agent", &["jobs:read"]);
    let invited = invite(api, &host, &guest.email, "reader").data(201);
    assert_eq!(
        (&invited["role"], &invited["base"]),
        (&json!("reader"), &json!("agent"))
    );
    let accepted = accept(api, &guest.access, &mail_token(api, &guest.email)).data(200);
    assert_eq!(accepted["role"], "reader");
    let tokens = switch(api, &guest.access, &host.tenant).data(200);
    let guest = Founder {
        access: text(&tokens["access_token"]),
        ..guest
    };
    assert_eq!(me(api, &guest)["permissions"].as_array().unwrap().len(), 3);
    let seen = changes(api, &host, &format!("target={}", text(&invited["id"])));
    let joined = json!({"role": "reader", "roleId": id, "base": "agent", "user": guest.user});
    assert_eq!(seen[0], json!({"before": null, "after": joined}));

    // A promise does not outlive its role: without it, it would be the whole of agent.
    let other = founder(api);
    let gone = created(api, &host, "gone", "agent", &["jobs:read"]);
    let invited = invite(api, &host, &other.email, "gone").data(201);
    delete(api, &host, &gone).data(200);
    accept(api, &other.access, &mail_token(api, &other.email)).refused(400, "TOKEN_SPENT");
    let path = format!(
        "/api/v1/organizations/invitations/{}/resend",
        text(&invited["id"])
    );
    api.post(&path, &json!({}))
        .bearer(&host.access)
        .send()
        .refused(409, "STATE_CONFLICT");
}

fn twenty_roles_given_at_once_follow_one_another(api: &Api) {
    let host = host(api);
    let agent = member(api, &host, "agent");
    // None twice: who has a role already is not given it again.
    let mut roles = vec!["admin".to_owned(), "client".to_owned()];
    for number in roles.len()..20 {
        let (name, base) = (format!("role-{number}"), ["agent", "admin"][number % 2]);
        created(api, &host, &name, base, &["members:read"][..number % 2]);
        roles.push(name);
    }
    let answers = api.parallel(20, |index| give(api, &host, &agent, &roles[index]));
    let done = answers.iter().filter(|one| one.status == 200).count();
    assert!(done > 0);
    for other in answers.iter().filter(|one| one.status != 200) {
        other.refused(409, "STATE_CONFLICT");
    }
    // One after the other: each begins where another one ended, and the last is what holds.
    let query = format!("action=member.change&target={}", agent.user);
    let seen = changes(api, &host, &query);
    assert_eq!(seen.len(), done);
    let names = |side: &str| -> Vec<String> {
        let roles = seen.iter().map(|one| text(&one[side]["role"]));
        roles.collect()
    };
    let (mut before, mut after) = (names("before"), names("after"));
    before.push(text(&me(api, &agent)["role"]));
    after.push("agent".to_owned());
    before.sort();
    after.sort();
    assert_eq!(before, after);
}

fn a_role_is_either_given_or_deleted(api: &Api) {
    let host = host(api);
    let agent = member(api, &host, "agent");
    for round in 0..5 {
        let name = format!("role-{round}");
        let id = created(api, &host, &name, "agent", &["jobs:read"]);
        let answers = api.parallel(2, |index| match index {
            0 => delete(api, &host, &id).status,
            _ => give(api, &host, &agent, &name).status,
        });
        let role = me(api, &agent)["role"].clone();
        match answers.as_slice() {
            [200, 409 | 400] => assert_eq!(role, "agent"),
            [409, 200] => assert_eq!(role, name.as_str()),
            other => panic!("{other:?}"),
        }
        give(api, &host, &agent, "agent").data(200);
    }
}
