//! Teams: who is in them, who sees them, and that they end where their tenant does.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::{Api, Call};
use crate::fixture::{
    Founder, accept, downgrade, founder, give, host, invite, mail_token, member, switch, text,
    walk_pages,
};

tests! { "teams":
    teams_are_made_renamed_and_deleted ["B-09"];
    members_see_the_teams_they_are_in ["B-09" "B-04" "B-12"];
    only_members_of_the_tenant_are_in_its_teams ["B-09" "L-05"];
    who_leaves_the_tenant_leaves_its_teams ["B-09" "B-11"];
    teams_of_other_tenants_do_not_exist ["B-09" "L-04" "L-05"];
    teams_are_a_feature_of_the_plan ["B-06"];
    changes_of_teams_are_recorded ["B-14"];
    a_name_is_taken_once ["B-09"];
}

const PATH: &str = "/api/v1/organizations/teams";

fn ask<'a>(api: &'a Api, who: &Founder, method: &str, rest: &str) -> Call<'a> {
    api.call(method, &format!("{PATH}{rest}"))
        .bearer(&who.access)
}

fn create(api: &Api, who: &Founder, name: &str) -> Answer {
    ask(api, who, "POST", "")
        .json(&json!({"name": name}))
        .send()
}

fn created(api: &Api, who: &Founder, name: &str) -> String {
    text(&create(api, who, name).data(201)["id"])
}

fn put(api: &Api, who: &Founder, team: &str, user: &str) -> Answer {
    ask(api, who, "PUT", &format!("/{team}/members/{user}")).send()
}

fn take(api: &Api, who: &Founder, team: &str, user: &str) -> Answer {
    ask(api, who, "DELETE", &format!("/{team}/members/{user}")).send()
}

/// The texts of one member of each item of a list.
fn column(list: &Value, name: &str) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| text(&item[name])).collect()
}

fn teams_are_made_renamed_and_deleted(api: &Api) {
    let host = host(api);
    let id = created(api, &host, " Red ");
    let answer = ask(api, &host, "GET", &format!("/{id}")).send();
    assert_eq!(answer.sql(), 1);
    let shown = answer.data(200);
    assert_eq!(
        (&shown["name"], &shown["members"]),
        (&json!("Red"), &json!(0))
    );
    let renamed = ask(api, &host, "PATCH", &format!("/{id}"))
        .json(&json!({"name": "Blue"}))
        .send();
    assert_eq!(renamed.sql(), 2);
    assert_eq!(renamed.data(200)["name"], "Blue");
    for name in ["Green", "White"] {
        created(api, &host, name);
    }
    let answer = ask(api, &host, "GET", "").send();
    assert_eq!(answer.sql(), 1);
    assert_eq!(
        column(&answer.data(200), "name"),
        ["White", "Green", "Blue"]
    );
    walk_pages(api, &host, PATH, 3);
    put(api, &host, &id, &host.user).data(200);
    ask(api, &host, "DELETE", &format!("/{id}"))
        .send()
        .data(200);
    ask(api, &host, "GET", &format!("/{id}"))
        .send()
        .refused(404, "NOT_FOUND");
    ask(api, &host, "DELETE", &format!("/{id}"))
        .send()
        .refused(404, "NOT_FOUND");
    // Who was in it is still here.
    let me = api.get("/api/v1/auth/me").bearer(&host.access).send();
    me.data(200);
}

fn members_see_the_teams_they_are_in(api: &Api) {
    let host = host(api);
    let (agent, client) = (member(api, &host, "agent"), member(api, &host, "client"));
    let (red, blue) = (created(api, &host, "Red"), created(api, &host, "Blue"));
    for who in [&agent, &client] {
        put(api, &host, &red, &who.user).data(200);
        // Once more changes nothing.
        put(api, &host, &red, &who.user).data(200);
    }
    put(api, &host, &blue, &agent.user).data(200);
    let seen = |who: &Founder| {
        let listed = ask(api, who, "GET", "").send().data(200);
        column(&listed, "name")
    };
    assert_eq!(seen(&client), ["Red"]);
    assert_eq!(seen(&agent), ["Blue", "Red"]);
    assert_eq!(seen(&host), ["Blue", "Red"]);
    assert_eq!(
        ask(api, &host, "GET", &format!("/{red}")).send().data(200)["members"],
        2
    );

    let members =
        |who: &Founder, team: &str| ask(api, who, "GET", &format!("/{team}/members")).send();
    let answer = members(&client, &red);
    assert_eq!(answer.sql(), 1);
    let inside = answer.data(200);
    assert_eq!(column(&inside, "role"), ["client", "agent"]);
    // Addresses are for who may list the members of the tenant.
    assert!(inside[0]["email"].is_null(), "{inside}");
    assert_eq!(
        members(&host, &red).data(200)[0]["email"],
        client.email.as_str()
    );
    for path in [format!("/{blue}"), format!("/{blue}/members")] {
        let refused = ask(api, &client, "GET", &path)
            .send()
            .refused(403, "FORBIDDEN");
        assert_eq!(refused["error"]["permission"], "teams:write");
        assert!(!refused.to_string().contains("Blue"));
    }
    for refused in [
        create(api, &agent, "x"),
        put(api, &agent, &red, &host.user),
        take(api, &agent, &red, &agent.user),
        ask(api, &agent, "DELETE", &format!("/{red}")).send(),
    ] {
        let refused = refused.refused(403, "FORBIDDEN");
        assert_eq!(refused["error"]["permission"], "teams:write");
    }
    take(api, &host, &red, &client.user).data(200);
    take(api, &host, &red, &client.user).refused(404, "NOT_FOUND");
    assert_eq!(seen(&client), [] as [&str; 0]);
    members(&client, &red).refused(403, "FORBIDDEN");
    // A role of one's own that lacks the permission does not even list.
    let body = json!({"name": "blind", "base": "client", "permissions": []});
    api.post("/api/v1/organizations/roles", &body)
        .bearer(&host.access)
        .send()
        .data(201);
    give(api, &host, &client, "blind").data(200);
    let refused = ask(api, &client, "GET", "")
        .send()
        .refused(403, "FORBIDDEN");
    assert_eq!(refused["error"]["permission"], "teams:read");
}

fn only_members_of_the_tenant_are_in_its_teams(api: &Api) {
    let (host, stranger) = (host(api), founder(api));
    let red = created(api, &host, "Red");
    for user in [
        stranger.user.as_str(),
        "usr_00000000000000000000000000",
        "x",
    ] {
        put(api, &host, &red, user).refused(404, "NOT_FOUND");
        take(api, &host, &red, user).refused(404, "NOT_FOUND");
    }
    let shown = ask(api, &host, "GET", &format!("/{red}")).send().data(200);
    assert_eq!(shown["members"], 0);
}

fn who_leaves_the_tenant_leaves_its_teams(api: &Api) {
    let host = host(api);
    let red = created(api, &host, "Red");
    let [removed, left] = [(); 2].map(|()| member(api, &host, "agent"));
    for who in [&removed, &left] {
        put(api, &host, &red, &who.user).data(200);
    }
    api.delete(&format!("/api/v1/organizations/members/{}", removed.user))
        .bearer(&host.access)
        .send()
        .data(200);
    api.delete("/api/v1/organizations/members/me")
        .bearer(&left.access)
        .send()
        .data(200);
    let shown = ask(api, &host, "GET", &format!("/{red}")).send().data(200);
    assert_eq!(shown["members"], 0);
    // A new invitation does not bring the teams of before back.
    let own = crate::fixture::signed_in(api, &removed.email);
    invite(api, &host, &removed.email, "agent").data(201);
    accept(api, &own.access, &mail_token(api, &removed.email)).data(200);
    let there = switch(api, &own.access, &host.tenant).data(200);
    let listed = api.get(PATH).bearer(&text(&there["access_token"])).send();
    assert_eq!(listed.data(200), json!([]));
}

fn teams_of_other_tenants_do_not_exist(api: &Api) {
    let (mine, theirs) = (host(api), host(api));
    let red = created(api, &theirs, "Red");
    put(api, &theirs, &red, &theirs.user).data(200);
    let body = json!({"name": "Mine"});
    for (method, rest) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/members"),
    ] {
        let mut asked = ask(api, &mine, method, &format!("/{red}{rest}"));
        if method == "PATCH" {
            asked = asked.json(&body);
        }
        asked.send().refused(404, "NOT_FOUND");
    }
    put(api, &mine, &red, &mine.user).refused(404, "NOT_FOUND");
    take(api, &mine, &red, &theirs.user).refused(404, "NOT_FOUND");
    assert_eq!(ask(api, &mine, "GET", "").send().data(200), json!([]));
    // The same name in both is two teams.
    created(api, &mine, "Red");
    let shown = ask(api, &theirs, "GET", &format!("/{red}"))
        .send()
        .data(200);
    assert_eq!(
        (&shown["name"], &shown["members"]),
        (&json!("Red"), &json!(1))
    );
    for odd in ["x", "tea_", "tea_00000000000000000000000000"] {
        let asked = ask(api, &mine, "GET", &format!("/{odd}"));
        asked.send().refused(404, "NOT_FOUND");
    }
}

fn teams_are_a_feature_of_the_plan(api: &Api) {
    let host = host(api);
    let agent = member(api, &host, "agent");
    let red = created(api, &host, "Red");
    put(api, &host, &red, &agent.user).data(200);
    downgrade(api, &host);
    for refused in [
        create(api, &host, "Blue"),
        put(api, &host, &red, &host.user),
        ask(api, &host, "PATCH", &format!("/{red}"))
            .json(&json!({"name": "Blue"}))
            .send(),
    ] {
        let refused = refused.refused(402, "PLAN_UPGRADE_REQUIRED");
        assert_eq!(refused["error"]["feature"], "teams");
    }
    create(api, &agent, "Blue").refused(403, "FORBIDDEN");
    // What there is can be seen, and given up.
    let listed = ask(api, &agent, "GET", "").send().data(200);
    assert_eq!(column(&listed, "name"), ["Red"]);
    take(api, &host, &red, &agent.user).data(200);
    ask(api, &host, "DELETE", &format!("/{red}"))
        .send()
        .data(200);
}

fn changes_of_teams_are_recorded(api: &Api) {
    let host = host(api);
    let agent = member(api, &host, "agent");
    let red = created(api, &host, "Red");
    put(api, &host, &red, &agent.user).data(200);
    put(api, &host, &red, &agent.user).data(200);
    take(api, &host, &red, &agent.user).data(200);
    create(api, &agent, "x").refused(403, "FORBIDDEN");
    ask(api, &host, "DELETE", &format!("/{red}"))
        .send()
        .data(200);
    let path = format!("/api/v1/organizations/audit?target={red}");
    let seen = api.get(&path).bearer(&host.access).send().data(200);
    let actions = [
        "team.delete",
        "team.member_remove",
        "team.member_add",
        "team.create",
    ];
    assert_eq!(column(&seen, "action"), actions);
    let user = json!({"user": agent.user});
    assert_eq!(seen[1]["change"], json!({"before": user, "after": null}));
    assert_eq!(seen[2]["change"], json!({"before": null, "after": user}));
    assert!(
        seen.as_array()
            .unwrap()
            .iter()
            .all(|one| one["actor"] == host.user)
    );
}

fn a_name_is_taken_once(api: &Api) {
    let host = host(api);
    let statuses = api.parallel(10, |_| create(api, &host, "Red").status);
    let made = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(made, 1, "{statuses:?}");
    create(api, &host, "Red").refused(409, "STATE_CONFLICT");
    let blue = created(api, &host, "Blue");
    ask(api, &host, "PATCH", &format!("/{blue}"))
        .json(&json!({"name": "Red"}))
        .send()
        .refused(409, "STATE_CONFLICT");
    for name in ["", "  ", &"x".repeat(101)] {
        create(api, &host, name).blames("name");
    }
    // The same key makes one team.
    let again = || {
        let asked = ask(api, &host, "POST", "").json(&json!({"name": "Green"}));
        text(&asked.key("green").send().data(201)["id"])
    };
    assert_eq!(again(), again());
}
