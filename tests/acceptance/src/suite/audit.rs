//! The audit log: what a tenant sees of it, and that it stays whole.

use serde_json::{Value, json};

use super::tests;
use crate::api::Api;
use crate::fixture::{
    Founder, PASSWORD, accept, api_key, founder, give, invite, login, mail_token, member,
    new_email, run_task, switch, text, walk_pages,
};

tests! { "audit":
    a_tenant_sees_what_was_done_in_it [];
    changes_of_members_are_recorded_with_before_and_after ["B-14"];
    refused_changes_of_members_are_not_recorded ["B-14"];
    entries_are_filtered_and_paged [];
    a_reused_refresh_token_is_recorded ["A-08"];
    only_services_verify_the_chain ["P-14"];
    fifty_acts_at_once_make_one_chain ["M-17" "M-20"] alone;
}

const PATH: &str = "/api/v1/organizations/audit";

fn entries(api: &Api, access: &str, query: &str) -> Vec<Value> {
    let answer = api.get(&format!("{PATH}{query}")).bearer(access).send();
    answer.data(200).as_array().unwrap().clone()
}

fn create_key(api: &Api, founder: &Founder, request: &str) -> String {
    let made = api
        .post(
            "/api/v1/api-keys",
            &json!({"name": "k", "scopes": ["jobs"]}),
        )
        .bearer(&founder.access)
        .header("x-request-id", request)
        .send()
        .data(201);
    text(&made["id"])
}

fn a_tenant_sees_what_was_done_in_it(api: &Api) {
    let (mine, other) = (founder(api), founder(api));
    let before = api.now();
    let id = create_key(api, &mine, "my-request-0001");
    create_key(api, &other, "other-request-01");
    api.delete(&format!("/api/v1/api-keys/{id}"))
        .bearer(&mine.access)
        .send()
        .data(200);

    let seen = entries(api, &mine.access, "");
    let actions: Vec<String> = seen.iter().map(|entry| text(&entry["action"])).collect();
    assert_eq!(
        actions,
        ["api_key.delete", "api_key.create", "auth.login"],
        "newest first, and nobody else's"
    );
    let created = &seen[1];
    assert_eq!(
        (&created["actor"], &created["target"], &created["requestId"]),
        (&json!(mine.user), &json!(id), &json!("my-request-0001"))
    );
    assert_eq!(created["change"]["after"]["scopes"], json!(["jobs"]));
    let network = text(&created["network"]);
    assert!(
        network.ends_with(".0/24") || network.ends_with("::/48"),
        "{network}"
    );
    let at = edgekeep_core::time::Millis::parse(&text(&created["createdAt"])).unwrap();
    assert!((-5_000..60_000).contains(&at.since(before)), "{created}");
    let whole = Value::from(seen).to_string();
    assert!(!whole.contains('@'), "no address: {whole}");

    let key = api_key(api, &mine, &["usage:read"]);
    api.get(PATH).bearer(&key).send().refused(403, "FORBIDDEN");
    api.get(PATH).send().refused(401, "AUTH_REQUIRED");
}

/// The one entry of that action about that target: its actor and its change.
fn change_of(api: &Api, access: &str, action: &str, target: &str) -> (Value, Value) {
    let seen = entries(api, access, &format!("?action={action}&target={target}"));
    assert_eq!(seen.len(), 1, "{action}: {seen:?}");
    (seen[0]["actor"].clone(), seen[0]["change"].clone())
}

fn changes_of_members_are_recorded_with_before_and_after(api: &Api) {
    let (host, guest) = (founder(api), founder(api));
    let role = |role: &str| json!({"role": role});
    let told = |action: &str, target: &str, by: &Founder, before: Value, after: Value| {
        let seen = change_of(api, &host.access, action, target);
        let change = json!({"before": before, "after": after});
        assert_eq!(seen, (json!(by.user), change), "{action}");
    };
    let invited = text(&invite(api, &host, &guest.email, "agent").data(201)["id"]);
    told(
        "invitation.create",
        &invited,
        &host,
        Value::Null,
        role("agent"),
    );
    accept(api, &guest.access, &mail_token(api, &guest.email)).data(200);
    let joined = json!({"user": guest.user, "role": "agent"});
    told("invitation.accept", &invited, &guest, Value::Null, joined);

    let path = format!("/api/v1/organizations/members/{}", guest.user);
    let changed = api.patch(&path, &role("admin")).bearer(&host.access);
    changed.send().data(200);
    told(
        "member.change",
        &guest.user,
        &host,
        role("agent"),
        role("admin"),
    );
    api.delete(&path).bearer(&host.access).send().data(200);
    told(
        "member.remove",
        &guest.user,
        &host,
        role("admin"),
        Value::Null,
    );

    let withdrawn = text(&invite(api, &host, &new_email(api), "client").data(201)["id"]);
    let path = format!("/api/v1/organizations/invitations/{withdrawn}");
    api.delete(&path).bearer(&host.access).send().data(200);
    told(
        "invitation.revoke",
        &withdrawn,
        &host,
        role("client"),
        Value::Null,
    );

    let leaver = member(api, &host, "client");
    api.delete("/api/v1/organizations/members/me")
        .bearer(&leaver.access)
        .send()
        .data(200);
    told(
        "member.leave",
        &leaver.user,
        &leaver,
        role("client"),
        Value::Null,
    );
    // Who closes their account leaves every organisation, and each of them reads so.
    let closer = member(api, &host, "agent");
    api.call("DELETE", "/api/v1/auth/me")
        .json(&json!({"password": PASSWORD}))
        .bearer(&closer.access)
        .send()
        .data(200);
    told(
        "member.leave",
        &closer.user,
        &closer,
        role("agent"),
        Value::Null,
    );
    let second = api
        .post("/api/v1/organizations", &json!({"name": "Second"}))
        .bearer(&host.access)
        .send();
    let second = text(&second.data(201)["id"]);
    let there = switch(api, &host.access, &second).data(200);
    let seen = change_of(
        api,
        &text(&there["access_token"]),
        "organization.create",
        &second,
    );
    let founded = json!({"user": host.user, "role": "founder"});
    assert_eq!(seen.1, json!({"before": null, "after": founded}));
}

fn refused_changes_of_members_are_not_recorded(api: &Api) {
    let host = founder(api);
    let agent = member(api, &host, "agent");
    give(api, &agent, &host, "client").refused(403, "FORBIDDEN");
    give(api, &host, &host, "client").refused(409, "STATE_CONFLICT");
    assert_eq!(
        entries(api, &host.access, "?action=member.change"),
        [] as [Value; 0]
    );
}

fn entries_are_filtered_and_paged(api: &Api) {
    let founder = founder(api);
    let ids: Vec<String> = (0..3)
        .map(|_| create_key(api, &founder, "a-request-00001"))
        .collect();
    walk_pages(api, &founder, PATH, 4);
    let count = |query: &str| entries(api, &founder.access, query).len();
    assert_eq!(count("?action=api_key.create"), 3);
    assert_eq!(count("?action=api_key"), 0);
    assert_eq!(count(&format!("?target={}", ids[1])), 1);
    assert_eq!(count(&format!("?actor={}", founder.user)), 4);
    assert_eq!(
        count(&format!("?actor={}&action=auth.login", founder.user)),
        1
    );
    assert_eq!(count("?actor=usr_somebody"), 0);
    let long = "x".repeat(101);
    for (name, value) in [("action", ""), ("actor", "a%00b"), ("target", &long)] {
        let target = format!("{PATH}?{name}={value}");
        let answer = api.get(&target).bearer(&founder.access).send();
        answer.blames(name);
    }
}

fn a_reused_refresh_token_is_recorded(api: &Api) {
    let founder = founder(api);
    let rotate = |token: &str, later: i64| {
        api.post("/api/v1/auth/refresh", &json!({"refresh_token": token}))
            .later(later)
            .send()
    };
    let next = rotate(&founder.refresh, 0).data(200);
    rotate(&founder.refresh, 60_000).refused(401, "SESSION_ENDED");
    // The newest of both is refused too.
    rotate(&text(&next["refresh_token"]), 60_000).refused(401, "SESSION_ENDED");
    api.get("/api/v1/auth/me")
        .bearer(&text(&next["access_token"]))
        .send()
        .refused(401, "SESSION_ENDED");
    let access = text(&login(api, &founder.email, PASSWORD).data(200)["access_token"]);
    let seen = entries(api, &access, "?action=refresh_reuse_detected");
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["actor"], founder.user.as_str());
    assert_eq!(seen[0]["target"], next["session_id"]);
}

/// Walks the chain page by page; the number of links and entries that were looked at.
fn verify(api: &Api) -> i64 {
    let (mut after, mut checked) = ("0".to_owned(), 0);
    loop {
        let page = api
            .get(&format!("/api/v1/scheduler/audit?after={after}"))
            .bearer(&api.service_token("scheduler"))
            .send()
            .data(200);
        assert_eq!(page["bad"], Value::Null, "{page}");
        checked += page["checked"].as_i64().unwrap();
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return checked,
        }
    }
}

fn only_services_verify_the_chain(api: &Api) {
    let founder = founder(api);
    let path = "/api/v1/scheduler/audit";
    for token in [&founder.access, &api.service_token("organizations")] {
        assert_eq!(api.get(path).bearer(token).send().status, 401);
    }
    for bad in ["x", "-1", "aud_x", "1.5"] {
        api.get(&format!("{path}?after={bad}"))
            .bearer(&api.service_token("scheduler"))
            .send()
            .blames("after");
    }
    run_task(api, "audit", 0);
    assert!(verify(api) > 0);
}

fn fifty_acts_at_once_make_one_chain(api: &Api) {
    let founders = api.parallel(10, |_| founder(api));
    // Sealers run beside them, as ticks do.
    let made = api.parallel(52, |index| match founders.get(index / 5) {
        Some(founder) => vec![create_key(api, founder, "one-of-fifty-001")],
        None => {
            for later in [600_000, 1_200_000] {
                api.call("POST", "/api/v1/scheduler/tick?task=audit")
                    .bearer(&api.service_token_at("scheduler", later))
                    .later(later)
                    .send()
                    .data(200);
            }
            Vec::new()
        }
    });
    let made: usize = made.iter().map(Vec::len).sum();
    let recorded: usize = founders
        .iter()
        .map(|founder| entries(api, &founder.access, "?action=api_key.create").len())
        .sum();
    assert_eq!((made, recorded), (50, 50));
    // What waited is sealed in one run at most as long as this suite.
    run_task(api, "audit", 2_400_000);
    let told = run_task(api, "audit", 3_600_000);
    assert_eq!(told["outcome"], "0 entries", "everything is sealed");
    let before = verify(api);
    assert!(before >= 2 * 60, "links and entries: {before}");
    // Nothing was added by looking.
    assert_eq!(verify(api), before);
}
