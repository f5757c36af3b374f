//! Projects and agents. Every test that can runs over both: what holds for one holds for all.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, STARTER, founder, member, text, upgrade, walk_pages};

tests! { "resources":
    each_is_created_read_changed_and_deleted ["AD-14" "L-03" "L-07"];
    what_is_deleted_is_hidden_and_comes_back ["M-11"];
    lists_come_in_pages_that_stay ["AD-14"];
    creating_twice_with_one_key_is_one ["AD-14"];
    every_change_is_recorded_once [];
    round_trips_are_within_budget [];
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

pub fn get(api: &Api, access: &str, path: &str) -> Answer {
    api.get(path).bearer(access).send()
}

pub fn delete(api: &Api, access: &str, path: &str) -> Answer {
    api.delete(path).bearer(access).send()
}

pub fn restore(api: &Api, access: &str, path: &str) -> Answer {
    let path = format!("{path}/restore");
    api.call("POST", &path).bearer(access).send()
}

pub fn names(answer: &Answer) -> Vec<String> {
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
    upgrade(api, &founder.tenant, STARTER);
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

/// What the audit log tells of a thing, oldest first.
pub fn recorded(api: &Api, founder: &Founder, made: &Value) -> Vec<String> {
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
