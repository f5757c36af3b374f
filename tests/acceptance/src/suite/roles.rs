//! Roles that a tenant makes: a part of one of the four, judged anew with every request.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    Founder, STARTER, downgrade, founder, give, host, invite, member, new_email, text, upgrade,
};

tests! { "roles":
    own_roles_are_made_changed_and_deleted ["B-03" "B-14" "B-15"];
    a_role_that_members_have_stays ["B-01"];
    what_makes_no_role_is_refused ["B-03"];
    the_role_is_judged_before_the_plan ["B-06" "B-12"];
    a_lower_plan_keeps_rights_as_they_are ["B-06"];
    roles_of_other_tenants_do_not_exist ["L-05" "B-09"];
    twenty_changes_at_once_follow_one_another ["B-11" "B-14"];
}

const PATH: &str = "/api/v1/organizations/roles";

pub fn create(api: &Api, who: &Founder, name: &str, base: &str, permissions: &[&str]) -> Answer {
    let body = json!({"name": name, "base": base, "permissions": permissions});
    api.post(PATH, &body).bearer(&who.access).send()
}

pub fn created(api: &Api, who: &Founder, name: &str, base: &str, permissions: &[&str]) -> String {
    text(&create(api, who, name, base, permissions).data(201)["id"])
}

pub fn change(api: &Api, who: &Founder, id: &str, body: &Value) -> Answer {
    api.patch(&format!("{PATH}/{id}"), body)
        .bearer(&who.access)
        .send()
}

pub fn delete(api: &Api, who: &Founder, id: &str) -> Answer {
    api.delete(&format!("{PATH}/{id}"))
        .bearer(&who.access)
        .send()
}

/// The role of that name as the list shows it.
pub fn listed(api: &Api, who: &Founder, name: &str) -> Value {
    let answer = api.get(PATH).bearer(&who.access).send();
    assert_eq!(answer.sql(), 1);
    let roles = answer.data(200)["roles"].as_array().unwrap().clone();
    let mut found = roles.into_iter().filter(|role| role["name"] == name);
    found.next().unwrap_or(Value::Null)
}

pub fn me(api: &Api, who: &Founder) -> Value {
    let answer = api.get("/api/v1/auth/me").bearer(&who.access).send();
    assert_eq!(answer.sql(), 1);
    answer.data(200)
}

pub fn changes(api: &Api, who: &Founder, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/organizations/audit?limit=100&{query}");
    let seen = api.get(&path).bearer(&who.access).send().data(200);
    let seen = seen.as_array().unwrap().iter();
    seen.map(|entry| entry["change"].clone()).collect()
}

fn own_roles_are_made_changed_and_deleted(api: &Api) {
    let host = host(api);
    let made = create(api, &host, "support", "agent", &["jobs:read", "usage:read"]).data(201);
    assert_eq!(
        (&made["version"], &made["base"]),
        (&json!(1), &json!("agent"))
    );
    let id = text(&made["id"]);
    let shown = listed(api, &host, "support");
    assert_eq!(
        (&shown["id"], &shown["grantable"]),
        (&made["id"], &json!(true))
    );
    assert_eq!(shown["members"], 0);
    for held in ["jobs:read", "usage:read", "profile:read", "access:own"] {
        let permissions = shown["permissions"].as_array().unwrap();
        assert!(permissions.contains(&json!(held)), "{shown}");
    }
    assert_eq!(shown["permissions"].as_array().unwrap().len(), 4);

    let renamed = json!({"name": "helpdesk", "permissions": ["jobs:read"], "version": 1});
    let answer = change(api, &host, &id, &renamed);
    assert_eq!(answer.sql(), 2);
    assert_eq!(answer.data(200)["version"], 2);
    change(api, &host, &id, &renamed).refused(409, "STATE_CONFLICT");
    assert_eq!(listed(api, &host, "support"), Value::Null);
    assert_eq!(listed(api, &host, "helpdesk")["version"], 2);
    // What is not named stays.
    let again = change(api, &host, &id, &json!({"name": "support"})).data(200);
    assert_eq!(again["permissions"].as_array().unwrap().len(), 3);
    delete(api, &host, &id).data(200);
    delete(api, &host, &id).refused(404, "NOT_FOUND");
    assert_eq!(listed(api, &host, "support"), Value::Null);

    let seen = changes(api, &host, &format!("target={id}"));
    let [deleted, _, changed, made] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (&made["before"], &deleted["after"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(changed["before"], made["after"]);
    assert_eq!(changed["before"]["name"], "support");
    assert_eq!(changed["after"]["name"], "helpdesk");
    let both = json!(["profile:read", "jobs:read", "access:own"]);
    assert_eq!(changed["after"]["permissions"], both);
    assert_eq!(deleted["before"]["name"], "support");
}

fn a_role_that_members_have_stays(api: &Api) {
    let host = host(api);
    let agent = member(api, &host, "agent");
    let id = created(api, &host, "reader", "agent", &["jobs:read"]);
    give(api, &host, &agent, "reader").data(200);
    delete(api, &host, &id).refused(409, "STATE_CONFLICT");
    assert_eq!(me(api, &agent)["role"], "reader");
    give(api, &host, &agent, "client").data(200);
    delete(api, &host, &id).data(200);
    assert_eq!(me(api, &agent)["role"], "client");
}

fn what_makes_no_role_is_refused(api: &Api) {
    let host = host(api);
    for name in [
        "",
        "Support",
        "1st",
        "a b",
        "admin",
        "founder",
        &"x".repeat(41),
    ] {
        create(api, &host, name, "agent", &[]).blames("name");
    }
    for base in ["founder", "boss"] {
        create(api, &host, "x", base, &[]).blames("base");
    }
    // What nobody has heard of, and what the base does not hold.
    for permission in ["jobs", "jobs:all"] {
        create(api, &host, "x", "agent", &[permission]).blames("permissions");
    }
    api.post(PATH, &json!({"name": "x", "base": "agent"}))
        .bearer(&host.access)
        .send()
        .blames("permissions");
    create(api, &host, "x", "agent", &[]).data(201);
    create(api, &host, "x", "client", &[]).refused(409, "STATE_CONFLICT");
    let second = created(api, &host, "y", "agent", &[]);
    change(api, &host, &second, &json!({"name": "x"})).refused(409, "STATE_CONFLICT");
    let agent = member(api, &host, "agent");
    give(api, &host, &agent, "z").blames("role");
    invite(api, &host, &new_email(api), "z").blames("role");
}

fn the_role_is_judged_before_the_plan(api: &Api) {
    let free = founder(api);
    let client = member(api, &free, "client");
    let refused = create(api, &client, "x", "agent", &[]).refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "roles:write");
    assert!(!refused.to_string().contains("upgrade"));
    let refused = create(api, &free, "x", "agent", &[]).refused(402, "PLAN_UPGRADE_REQUIRED");
    assert_eq!(refused["error"]["feature"], "custom_roles");
    // The hint leads to the plans, which say which of them has it.
    let plans = api
        .get(&text(&refused["error"]["upgrade"]))
        .send()
        .data(200);
    let has = |plan: &&Value| {
        let features = plan["features"].as_array().unwrap();
        features.contains(&refused["error"]["feature"])
    };
    assert_eq!(plans.as_array().unwrap().iter().filter(has).count(), 3);
    // The plan is read with every request, so it counts at once; the role still does.
    upgrade(api, &free.tenant, STARTER);
    create(api, &free, "x", "agent", &[]).data(201);
    create(api, &client, "y", "agent", &[]).refused(403, "FORBIDDEN");
}

fn a_lower_plan_keeps_rights_as_they_are(api: &Api) {
    let host = host(api);
    let agent = member(api, &host, "agent");
    let id = created(api, &host, "reader", "agent", &["jobs:read"]);
    let spare = created(api, &host, "spare", "agent", &[]);
    give(api, &host, &agent, "reader").data(200);
    downgrade(api, &host);

    let upgrade = |answer: Answer| answer.refused(402, "PLAN_UPGRADE_REQUIRED");
    upgrade(create(api, &host, "y", "agent", &[]));
    upgrade(change(
        api,
        &host,
        &id,
        &json!({"permissions": ["jobs:write"]}),
    ));
    upgrade(give(api, &host, &agent, "spare"));
    upgrade(invite(api, &host, &new_email(api), "spare"));
    // Nobody gains or loses a right by an unpaid bill.
    assert_eq!(me(api, &agent)["permissions"].as_array().unwrap().len(), 3);
    // Going back to what the plan has is open.
    delete(api, &host, &spare).data(200);
    give(api, &host, &agent, "agent").data(200);
    delete(api, &host, &id).data(200);
}

fn roles_of_other_tenants_do_not_exist(api: &Api) {
    let (mine, theirs) = (host(api), host(api));
    let id = created(api, &theirs, "secret-role", "agent", &[]);
    let agent = member(api, &mine, "agent");
    change(api, &mine, &id, &json!({"name": "x"})).refused(404, "NOT_FOUND");
    delete(api, &mine, &id).refused(404, "NOT_FOUND");
    give(api, &mine, &agent, "secret-role").blames("role");
    give(api, &mine, &agent, &id).blames("role");
    invite(api, &mine, &new_email(api), "secret-role").blames("role");
    assert_eq!(listed(api, &mine, "secret-role"), Value::Null);
    // The same name in both is two roles.
    created(api, &mine, "secret-role", "client", &[]);
    assert_eq!(listed(api, &theirs, "secret-role")["base"], "agent");
    for odd in ["x", "rol_", "rol_00000000000000000000000000", "agent"] {
        delete(api, &mine, odd).refused(404, "NOT_FOUND");
    }
}

fn twenty_changes_at_once_follow_one_another(api: &Api) {
    let host = host(api);
    let id = created(api, &host, "busy", "agent", &[]);
    let sets = [
        ["jobs:read"],
        ["jobs:write"],
        ["usage:read"],
        ["usage:write"],
    ];
    let answers = api.parallel(20, |index| {
        change(api, &host, &id, &json!({"permissions": sets[index % 4]}))
    });
    let done: Vec<_> = answers.iter().filter(|one| one.status == 200).collect();
    assert!(!done.is_empty());
    for other in answers.iter().filter(|one| one.status != 200) {
        other.refused(409, "STATE_CONFLICT");
    }
    let last = listed(api, &host, "busy");
    assert_eq!(last["version"], done.len() + 1);
    let shown = done.iter().map(|one| one.data(200));
    let newest = shown.max_by_key(|one| one["version"].as_i64()).unwrap();
    assert_eq!(newest["permissions"], last["permissions"]);
    // Each change was recorded once, and begins where another one ended.
    let seen = changes(api, &host, &format!("action=role.change&target={id}"));
    assert_eq!(seen.len(), done.len());
    let sides = |side: &str| {
        let mut all: Vec<_> = seen.iter().map(|one| one[side].to_string()).collect();
        all.sort();
        all
    };
    let (mut before, mut after) = (sides("before"), sides("after"));
    let first = json!({"name": "busy", "base": "agent",
        "permissions": ["profile:read", "access:own"]});
    after.push(first.to_string());
    before.push(
        json!({"name": "busy", "base": "agent", "permissions": last["permissions"]}).to_string(),
    );
    before.sort();
    after.sort();
    assert_eq!(before, after);
}
