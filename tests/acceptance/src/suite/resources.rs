//! Projects and agents. Every test that can runs over both: what holds for one holds for all.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, api_key, founder, member, run_task, text, upgrade, walk_pages};

tests! { "resources":
    each_is_created_read_changed_and_deleted ["AD-14" "L-03" "L-07"];
    what_is_deleted_is_hidden_and_comes_back ["M-11"];
    lists_come_in_pages_that_stay ["AD-14"];
    another_tenants_do_not_exist ["L-04" "L-05" "L-07"];
    colleagues_look_and_do_not_change ["A-19" "B-05"];
    keys_need_their_scopes [];
    a_plan_allows_so_many ["J-11"];
    parallel_creations_stop_at_the_limit ["J-11"];
    parallel_restorations_stop_at_the_limit ["M-11"];
    agents_belong_to_projects_that_are_there ["L-05"];
    a_project_is_not_deleted_under_its_agents [];
    creating_twice_with_one_key_is_one ["AD-14"];
    what_is_wrong_is_named ["L-03"];
    every_change_is_recorded_once [];
    round_trips_are_within_budget [];
    what_was_deleted_long_ago_is_gone ["M-11"] alone;
}

/// A resource, as its clients see it.
pub struct Kind {
    pub path: &'static str,
    pub prefix: &'static str,
    /// For the audit log.
    pub one: &'static str,
    /// Of the plan FREE.
    pub most: usize,
    /// All that a creation takes.
    pub whole: fn() -> Value,
}

pub const KINDS: [Kind; 2] = [
    Kind {
        path: "/api/v1/projects",
        prefix: "prj_",
        one: "project",
        most: 3,
        whole: || {
            json!({"name": "Apollo", "description": "To the moon",
                "metadata": {"stages": [1, 2.5, null, {"deep": true}], "é": "\u{1f680}"}})
        },
    },
    Kind {
        path: "/api/v1/agents",
        prefix: "agt_",
        one: "agent",
        most: 2,
        whole: || {
            json!({"name": "Guide", "description": "Answers", "model": "small-1",
                "configuration": {"temperature": 0.2}, "metadata": {"team": "a"}})
        },
    },
];

impl Kind {
    pub fn create(&self, api: &Api, access: &str, body: &Value) -> Answer {
        api.post(self.path, body).bearer(access).send()
    }

    /// A new one with this name.
    pub fn make(&self, api: &Api, who: &Founder, name: &str) -> Value {
        let answer = self.create(api, &who.access, &json!({"name": name}));
        answer.data(201)
    }

    pub fn at(&self, made: &Value) -> String {
        format!("{}/{}", self.path, text(&made["id"]))
    }

    pub fn list(&self, api: &Api, access: &str, query: &str) -> Answer {
        let path = format!("{}{query}", self.path);
        api.get(&path).bearer(access).send()
    }
}

fn get(api: &Api, access: &str, path: &str) -> Answer {
    api.get(path).bearer(access).send()
}

fn delete(api: &Api, access: &str, path: &str) -> Answer {
    api.delete(path).bearer(access).send()
}

fn restore(api: &Api, access: &str, path: &str) -> Answer {
    let path = format!("{path}/restore");
    api.call("POST", &path).bearer(access).send()
}

fn names(answer: &Answer) -> Vec<String> {
    let items = answer.data(200);
    let items = items.as_array().unwrap().iter();
    items.map(|item| text(&item["name"])).collect()
}

fn each_is_created_read_changed_and_deleted(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        let whole = (kind.whole)();
        let answer = kind.create(api, &founder.access, &whole);
        let made = answer.data(201);
        let path = kind.at(&made);
        assert_eq!(answer.header("location"), Some(path.as_str()));
        assert_eq!(answer.header("etag"), Some("\"v1\""));
        assert!(text(&made["id"]).starts_with(kind.prefix), "{made}");
        for (field, value) in whole.as_object().unwrap() {
            assert_eq!(made[field], *value, "{field}");
        }
        assert_eq!(
            (&made["version"], &made["deletedAt"]),
            (&json!(1), &Value::Null)
        );
        assert_eq!(made["createdBy"], founder.user);
        assert_eq!(made["createdAt"], made["updatedAt"]);
        assert_eq!(get(api, &founder.access, &path).data(200), made);

        let change = json!({"version": 1, "name": "Other", "description": null});
        let changed = api
            .patch(&path, &change)
            .bearer(&founder.access)
            .later(2_000)
            .send();
        assert_eq!(changed.header("etag"), Some("\"v2\""));
        let changed = changed.data(200);
        assert_eq!(changed["name"], "Other");
        assert_eq!(changed["description"], Value::Null);
        // What the change did not speak of stays.
        assert_eq!(changed["metadata"], whole["metadata"]);
        assert_eq!(changed["version"], 2);
        assert!(text(&changed["updatedAt"]) > text(&made["updatedAt"]));
        assert_eq!(changed["createdAt"], made["createdAt"]);
        assert_eq!(get(api, &founder.access, &path).data(200), changed);

        let gone = delete(api, &founder.access, &path);
        assert_eq!(gone.header("etag"), Some("\"v3\""));
        assert!(gone.data(200)["deletedAt"].is_string());
        get(api, &founder.access, &path).refused(404, "NOT_FOUND");

        let least = kind.make(api, &founder, "Least");
        assert_eq!(least["metadata"], json!({}));
        let body = json!({"name": "x", "tenant_id": "ten_00000000000000000000000000"});
        kind.create(api, &founder.access, &body).blames("tenant_id");
    }
}

fn what_is_deleted_is_hidden_and_comes_back(api: &Api) {
    let founder = founder(api);
    let client = member(api, &founder, "client");
    for kind in KINDS {
        let made = kind.make(api, &founder, "Gone");
        let path = kind.at(&made);
        kind.make(api, &founder, "Stays");
        delete(api, &founder.access, &path).data(200);
        assert_eq!(names(&kind.list(api, &founder.access, "")), ["Stays"]);
        let all = kind.list(api, &founder.access, "?include_deleted=true");
        assert_eq!(names(&all), ["Stays", "Gone"]);
        let one = format!("{path}?include_deleted=true");
        let shown = get(api, &founder.access, &one).data(200);
        assert!(shown["deletedAt"].is_string());
        for path in [one, format!("{}?include_deleted=true", kind.path)] {
            let refused = get(api, &client.access, &path).refused(403, "FORBIDDEN");
            let needed = format!("{}s:all", kind.one);
            assert_eq!(refused["error"]["permission"], needed);
        }
        let change = json!({"name": "x", "version": 2});
        api.patch(&path, &change)
            .bearer(&founder.access)
            .send()
            .refused(404, "NOT_FOUND");
        delete(api, &founder.access, &path).refused(404, "NOT_FOUND");

        let back = restore(api, &founder.access, &path).data(200);
        assert_eq!(
            (&back["version"], &back["deletedAt"]),
            (&json!(3), &Value::Null)
        );
        assert_eq!(back["name"], "Gone");
        assert_eq!(get(api, &founder.access, &path).data(200), back);
        // Again: nothing happens.
        assert_eq!(restore(api, &founder.access, &path).data(200), back);
        assert_eq!(
            names(&kind.list(api, &founder.access, "")),
            ["Stays", "Gone"]
        );
    }
}

fn lists_come_in_pages_that_stay(api: &Api) {
    let founder = founder(api);
    upgrade(api, &founder.tenant, "edgekeep_starter_monthly");
    for kind in KINDS {
        for number in 0..4 {
            kind.make(api, &founder, &number.to_string());
        }
        walk_pages(api, &founder, kind.path, 4);
        // What comes in and what goes meanwhile neither repeats nor skips anything.
        let first = kind.list(api, &founder.access, "?limit=2");
        assert_eq!(names(&first), ["3", "2"]);
        kind.make(api, &founder, "new");
        delete(api, &founder.access, &kind.at(&first.data(200)[1])).data(200);
        let next = text(&first.json()["metadata"]["nextCursor"]);
        let second = kind.list(api, &founder.access, &format!("?limit=2&cursor={next}"));
        assert_eq!(names(&second), ["1", "0"]);
        for bad in ["x", "%00", "LTE6YQ", &"A".repeat(10_000)] {
            kind.list(api, &founder.access, &format!("?cursor={bad}"))
                .blames("cursor");
        }
        for bad in ["1", "yes", "", "TRUE"] {
            kind.list(api, &founder.access, &format!("?include_deleted={bad}"))
                .blames("include_deleted");
        }
    }
}

fn another_tenants_do_not_exist(api: &Api) {
    let (mine, other) = (founder(api), founder(api));
    for kind in KINDS {
        let made = kind.make(api, &mine, "Mine");
        let path = kind.at(&made);
        let change = json!({"name": "Taken", "version": 1});
        for access in [&other.access] {
            get(api, access, &path).refused(404, "NOT_FOUND");
            let answer = api.patch(&path, &change).bearer(access).send();
            answer.refused(404, "NOT_FOUND");
            delete(api, access, &path).refused(404, "NOT_FOUND");
            restore(api, access, &path).refused(404, "NOT_FOUND");
            for query in ["", "?include_deleted=true"] {
                assert_eq!(kind.list(api, access, query).data(200), json!([]));
            }
        }
        assert_eq!(get(api, &mine.access, &path).data(200), made);
        for id in [
            "x",
            "temp_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071",
            "%00",
            "null",
        ] {
            let path = format!("{}/{id}", kind.path);
            get(api, &mine.access, &path).refused(404, "NOT_FOUND");
        }
        // An id of the other kind is none of this.
        let wrong = text(&made["id"]).replace(kind.prefix, "job_");
        get(api, &mine.access, &format!("{}/{wrong}", kind.path)).refused(404, "NOT_FOUND");
    }
}

fn colleagues_look_and_do_not_change(api: &Api) {
    let host = founder(api);
    let [first, second] = [(); 2].map(|()| member(api, &host, "agent"));
    let (admin, client) = (member(api, &host, "admin"), member(api, &host, "client"));
    for kind in KINDS {
        let made = kind.make(api, &first, "First's");
        let path = kind.at(&made);
        let all = json!(format!("{}s:all", kind.one));
        let write = json!(format!("{}s:write", kind.one));
        for (who, needed) in [(&second, &all), (&client, &write)] {
            get(api, &who.access, &path).data(200);
            let change = json!({"name": "x", "version": 1});
            for answer in [
                api.patch(&path, &change).bearer(&who.access).send(),
                // A condition that fails tells nothing to who may not change it.
                api.patch(&path, &json!({"name": "x", "version": 9}))
                    .bearer(&who.access)
                    .send(),
                delete(api, &who.access, &path),
                restore(api, &who.access, &path),
            ] {
                let refused = answer.refused(403, "FORBIDDEN");
                assert_eq!(refused["error"]["permission"], *needed);
            }
        }
        kind.create(api, &client.access, &json!({"name": "x"}))
            .refused(403, "FORBIDDEN");
        // Nothing has happened: neither to the thing nor to the log.
        assert_eq!(get(api, &first.access, &path).data(200), made);
        assert_eq!(
            kind.list(api, &host.access, "")
                .data(200)
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            recorded(api, &host, &made),
            [format!("{}.create", kind.one)]
        );
        let change = json!({"name": "Admin's", "version": 1});
        api.patch(&path, &change)
            .bearer(&admin.access)
            .send()
            .data(200);
        delete(api, &admin.access, &path).data(200);
        restore(api, &second.access, &path).refused(403, "FORBIDDEN");
        restore(api, &first.access, &path).data(200);
    }
}

fn keys_need_their_scopes(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        let scope = |what: &str| format!("{}s:{what}", kind.one);
        let reader = api_key(api, &founder, &[&scope("read")]);
        let writer = api_key(api, &founder, &[&scope("write")]);
        kind.create(api, &reader, &json!({"name": "x"}))
            .refused(403, "SCOPE_MISSING");
        let made = kind.create(api, &writer, &json!({"name": "x"})).data(201);
        assert_eq!(made["createdBy"], founder.user);
        assert_eq!(get(api, &reader, &kind.at(&made)).data(200), made);
        get(api, &writer, &kind.at(&made)).refused(403, "SCOPE_MISSING");
        delete(api, &reader, &kind.at(&made)).refused(403, "SCOPE_MISSING");
        delete(api, &writer, &kind.at(&made)).data(200);
    }
}

#[track_caller]
fn is_full(answer: &Answer, kind: &Kind) {
    let body = answer.refused(429, "QUOTA_EXCEEDED");
    let error = &body["error"];
    assert_eq!(error["plan"], "FREE", "{body}");
    assert_eq!(error["limit"], kind.most, "{body}");
    assert_eq!(error["used"], kind.most, "{body}");
    let message = text(&error["message"]);
    assert!(
        message.contains(&format!("{} {}s", kind.most, kind.one)),
        "{message}"
    );
    assert!(answer.header("retry-after").is_some());
}

fn a_plan_allows_so_many(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        let body = json!({"name": "x"});
        let made: Vec<Value> = (0..kind.most)
            .map(|_| kind.make(api, &founder, "x"))
            .collect();
        let once = |key: &str| {
            let call = api.post(kind.path, &body).bearer(&founder.access);
            call.key(key).send()
        };
        is_full(&once("k"), &kind);
        delete(api, &founder.access, &kind.at(&made[0])).data(200);
        // The refusal has left nothing behind: the same key may be tried again.
        once("k").data(201);
        is_full(&restore(api, &founder.access, &kind.at(&made[0])), &kind);
    }
    upgrade(api, &founder.tenant, "edgekeep_starter_monthly");
    for kind in KINDS {
        kind.make(api, &founder, "more");
    }
    let plans = api.get("/api/v1/billing/plans").send().data(200);
    assert_eq!(
        (&plans[0]["maxProjects"], &plans[0]["maxAgents"]),
        (&json!(3), &json!(2))
    );
    assert!(plans[3]["maxAgents"].is_null());
}

fn parallel_creations_stop_at_the_limit(api: &Api) {
    for kind in KINDS {
        let founder = founder(api);
        let answers = api.parallel(20, |number| {
            let body = json!({"name": number.to_string()});
            kind.create(api, &founder.access, &body)
        });
        let (made, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(made.len(), kind.most);
        for answer in refused {
            is_full(&answer, &kind);
        }
        let listed = kind.list(api, &founder.access, "").data(200);
        assert_eq!(listed.as_array().unwrap().len(), kind.most);
    }
}

fn parallel_restorations_stop_at_the_limit(api: &Api) {
    for kind in KINDS {
        let founder = founder(api);
        let paths: Vec<String> = (0..kind.most + 3)
            .map(|number| {
                let path = kind.at(&kind.make(api, &founder, &number.to_string()));
                delete(api, &founder.access, &path).data(200);
                path
            })
            .collect();
        let answers = api.parallel(paths.len(), |number| {
            restore(api, &founder.access, &paths[number]).status
        });
        let back = answers.iter().filter(|status| **status == 200).count();
        assert_eq!(back, kind.most, "{answers:?}");
        let listed = kind.list(api, &founder.access, "").data(200);
        assert_eq!(listed.as_array().unwrap().len(), kind.most);
    }
}

fn agents_belong_to_projects_that_are_there(api: &Api) {
    let [projects, agents] = KINDS;
    let (mine, other) = (founder(api), founder(api));
    let project = projects.make(api, &mine, "p");
    let foreign = projects.make(api, &other, "p");
    let gone = projects.make(api, &mine, "gone");
    delete(api, &mine.access, &projects.at(&gone)).data(200);
    let with = |id: &Value| json!({"name": "a", "project_id": id});
    let agent = agents
        .create(api, &mine.access, &with(&project["id"]))
        .data(201);
    assert_eq!(agent["projectId"], project["id"]);
    for bad in [
        &foreign["id"],
        &gone["id"],
        &json!("prj_00000000000000000000000000"),
        &json!("x"),
        &agent["id"],
        &json!(7),
    ] {
        agents
            .create(api, &mine.access, &with(bad))
            .blames("project_id");
        let change = json!({"project_id": bad, "version": 1});
        api.patch(&agents.at(&agent), &change)
            .bearer(&mine.access)
            .send()
            .blames("project_id");
    }
    let change = json!({"project_id": null, "version": 1});
    let free = api
        .patch(&agents.at(&agent), &change)
        .bearer(&mine.access)
        .send()
        .data(200);
    assert_eq!(free["projectId"], Value::Null);
}

fn a_project_is_not_deleted_under_its_agents(api: &Api) {
    let [projects, agents] = KINDS;
    let founder = founder(api);
    let access = &founder.access;
    let project = projects.make(api, &founder, "p");
    let body = json!({"name": "a", "project_id": project["id"]});
    let agent = agents.create(api, access, &body).data(201);
    let refused = delete(api, access, &projects.at(&project)).refused(409, "STATE_CONFLICT");
    assert!(
        refused["detail"].as_str().unwrap().contains("agents: 1"),
        "{refused}"
    );
    delete(api, access, &agents.at(&agent)).data(200);
    delete(api, access, &projects.at(&project)).data(200);
    // An agent comes back after its project, not before.
    let refused = restore(api, access, &agents.at(&agent)).refused(409, "STATE_CONFLICT");
    assert_eq!(refused["error"]["field"], "project_id");
    restore(api, access, &projects.at(&project)).data(200);
    restore(api, access, &agents.at(&agent)).data(200);

    // One agent is made while its project is deleted: one of the two is refused, never neither.
    for _ in 0..5 {
        let founder = self::founder(api);
        let project = projects.make(api, &founder, "p");
        let body = json!({"name": "a", "project_id": project["id"]});
        let statuses = api.parallel(2, |number| match number {
            0 => agents.create(api, &founder.access, &body).status,
            _ => delete(api, &founder.access, &projects.at(&project)).status,
        });
        assert!(
            [[201, 409], [400, 200]].contains(&[statuses[0], statuses[1]]),
            "{statuses:?}"
        );
    }
}

fn creating_twice_with_one_key_is_one(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        let send = |name: &str| {
            let call = api.post(kind.path, &json!({"name": name}));
            call.bearer(&founder.access).key("k").send()
        };
        let first = send("x");
        let again = send("x");
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.data(201), first.data(201));
        send("y").refused(409, "IDEMPOTENCY_KEY_REUSED");
        let answers = api.parallel(10, |_| {
            let call = api.post(kind.path, &json!({"name": "p"}));
            call.bearer(&founder.access)
                .key("parallel")
                .send()
                .data(201)
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let listed = kind.list(api, &founder.access, "").data(200);
        assert_eq!(listed.as_array().unwrap().len(), 2);
    }
}

fn what_is_wrong_is_named(api: &Api) {
    let founder = founder(api);
    let nested = |depth: usize| {
        let inner = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        serde_json::from_str::<Value>(&format!("{{\"a\":{inner}}}")).unwrap()
    };
    for kind in KINDS {
        let access = &founder.access;
        let made = kind.make(api, &founder, "x");
        for (body, field) in [
            (json!({}), "name"),
            (json!({"name": null}), "name"),
            (json!({"name": ""}), "name"),
            (json!({"name": "x".repeat(201)}), "name"),
            (json!({"name": "a\u{0}b"}), "name"),
            (json!({"name": ["x"]}), "name"),
            (json!({"name": "x", "description": 7}), "description"),
            (json!({"name": "x", "metadata": []}), "metadata"),
            (json!({"name": "x", "metadata": "{}"}), "metadata"),
            (json!({"name": "x", "metadata": nested(9)}), "metadata"),
            (
                json!({"name": "x", "metadata": {"a": "x".repeat(17_000)}}),
                "metadata",
            ),
            (json!({"name": "x", "id": made["id"]}), "id"),
            (json!({"name": "x", "createdBy": founder.user}), "createdBy"),
        ] {
            kind.create(api, access, &body).blames(field);
        }
        let deep = json!({"name": "x", "metadata": nested(8)});
        let deep = kind.create(api, access, &deep).data(201);
        assert_eq!(deep["metadata"], nested(8));
        let hostile = json!({"name": "'; DROP TABLE projects; --", "version": 1,
            "metadata": {"?1": "$1", "'": "\u{0}\u{202e}"}});
        let path = kind.at(&made);
        let stored = api.patch(&path, &hostile).bearer(access).send().data(200);
        assert_eq!(stored["name"], hostile["name"]);
        assert_eq!(stored["metadata"], hostile["metadata"]);
        assert_eq!(get(api, access, &path).data(200), stored);
        for (body, field) in [
            (json!({"version": 2, "name": null}), "name"),
            (json!({"version": 2, "nmae": "x"}), "nmae"),
            (json!({"version": "2", "name": "x"}), "version"),
            (json!({"version": 0, "name": "x"}), "version"),
        ] {
            api.patch(&path, &body).bearer(access).send().blames(field);
        }
        api.patch(&path, &json!({"version": 2}))
            .bearer(access)
            .send()
            .refused(400, "VALIDATION");
    }
}

/// What the audit log tells of a thing, oldest first.
fn recorded(api: &Api, founder: &Founder, made: &Value) -> Vec<String> {
    let path = format!("/api/v1/organizations/audit?target={}", text(&made["id"]));
    let entries = get(api, &founder.access, &path).data(200);
    let entries = entries.as_array().unwrap().iter().rev();
    entries.map(|entry| text(&entry["action"])).collect()
}

fn every_change_is_recorded_once(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        let made = kind.make(api, &founder, "secret name");
        let path = kind.at(&made);
        let change = |version: i64| {
            api.patch(
                &path,
                &json!({"name": "another secret", "version": version}),
            )
            .bearer(&founder.access)
            .send()
        };
        change(1).data(200);
        change(1).refused(409, "VERSION_CONFLICT");
        delete(api, &founder.access, &path).data(200);
        delete(api, &founder.access, &path).refused(404, "NOT_FOUND");
        for _ in 0..2 {
            restore(api, &founder.access, &path).data(200);
        }
        let mut acts = recorded(api, &founder, &made);
        // Acts of one millisecond have no order.
        acts.sort();
        let all = ["create", "delete", "restore", "update"];
        assert_eq!(acts, all.map(|act| format!("{}.{act}", kind.one)));
        let path = format!("/api/v1/organizations/audit?target={}", text(&made["id"]));
        let log = get(api, &founder.access, &path);
        assert!(!log.text().contains("secret"), "{}", log.text());
        assert!(
            log.text().contains("\"changed\":[\"name\"]"),
            "{}",
            log.text()
        );
    }
}

fn round_trips_are_within_budget(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        let created = kind.create(api, &founder.access, &json!({"name": "x"}));
        assert_eq!(created.sql(), 2);
        let path = kind.at(&created.data(201));
        assert_eq!(get(api, &founder.access, &path).sql(), 1);
        assert_eq!(kind.list(api, &founder.access, "").sql(), 1);
        let changed = api
            .patch(&path, &json!({"name": "y", "version": 1}))
            .bearer(&founder.access)
            .send();
        assert_eq!(changed.sql(), 2);
        assert_eq!(delete(api, &founder.access, &path).sql(), 2);
        assert_eq!(restore(api, &founder.access, &path).sql(), 2);
    }
}

fn what_was_deleted_long_ago_is_gone(api: &Api) {
    let day = 86_400_000;
    let host = founder(api);
    let [projects, agents] = KINDS;
    let project = projects.make(api, &host, "p");
    let body = json!({"name": "a", "project_id": project["id"]});
    let agent = agents.create(api, &host.access, &body).data(201);
    let kept = projects.make(api, &host, "kept");
    delete(api, &host.access, &agents.at(&agent)).data(200);
    delete(api, &host.access, &projects.at(&project)).data(200);
    let access = |api: &Api| crate::fixture::signed_in(api, &host.email).access;
    let all = |kind: &Kind, access: &str| names(&kind.list(api, access, "?include_deleted=true"));
    run_task(api, "cleanup", 29 * day);
    let now = access(api);
    assert_eq!(
        (all(&projects, &now), all(&agents, &now)),
        (vec!["kept".into(), "p".into()], vec!["a".into()])
    );
    run_task(api, "cleanup", 31 * day);
    let now = access(api);
    assert_eq!(
        (all(&projects, &now), all(&agents, &now)),
        (vec!["kept".to_owned()], vec![])
    );
    restore(api, &now, &projects.at(&project)).refused(404, "NOT_FOUND");
    get(api, &now, &projects.at(&kept)).data(200);
}
