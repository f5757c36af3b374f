//! Versions of projects and agents: nobody undoes what somebody else did without having seen it.

use serde_json::{Value, json};

use super::resources::{KINDS, Kind};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, founder, text};

tests! { "resources":
    a_stale_version_is_a_409_and_a_stale_tag_a_412 ["F-20" "F-21"];
    a_change_says_which_version_it_is_for ["F-21"];
    parallel_changes_of_one_version_have_one_winner ["F-20"];
    what_the_client_has_is_not_sent_again ["F-21" "AB-11"];
    tags_arrive_as_they_are ["F-21" "AB-11"];
    deletion_and_restoration_take_conditions_too ["F-21"];
    tags_of_another_form_are_refused [];
}

struct Thing<'a> {
    api: &'a Api,
    founder: Founder,
    path: String,
}

impl<'a> Thing<'a> {
    fn new(api: &'a Api, kind: &Kind) -> Self {
        let founder = founder(api);
        let path = kind.at(&kind.make(api, &founder, "x"));
        Self { api, founder, path }
    }

    fn send(&self, method: &str, end: &str, body: Option<Value>, tag: Option<&str>) -> Answer {
        let path = format!("{}{end}", self.path);
        let mut call = self.api.call(method, &path).bearer(&self.founder.access);
        if let Some(body) = body {
            call = call.json(&body);
        }
        if let Some(tag) = tag {
            let name = if method == "GET" || method == "HEAD" {
                "if-none-match"
            } else {
                "if-match"
            };
            call = call.header(name, tag);
        }
        call.send()
    }

    fn change(&self, body: Value, tag: Option<&str>) -> Answer {
        self.send("PATCH", "", Some(body), tag)
    }
}

fn a_stale_version_is_a_409_and_a_stale_tag_a_412(api: &Api) {
    for kind in KINDS {
        let thing = Thing::new(api, &kind);
        let second = thing.change(json!({"name": "2", "version": 1}), None);
        assert_eq!(second.data(200)["version"], 2);
        let third = thing.change(json!({"name": "3"}), second.header("etag"));
        assert_eq!(third.data(200)["version"], 3);
        let by_body = thing.change(json!({"name": "4", "version": 2}), None);
        let body = by_body.refused(409, "VERSION_CONFLICT");
        assert_eq!(body["error"]["expected"], 3);
        for stale in ["\"v2\"", "\"v4\"", "\"other\"", "W/\"v3\""] {
            let by_tag = thing.change(json!({"name": "4"}), Some(stale));
            let body = by_tag.refused(412, "PRECONDITION_FAILED");
            assert_eq!(body["error"]["expected"], 3, "{stale}");
        }
        // Both must hold.
        let both = |version: i64, tag: &str| {
            let body = json!({"name": "4", "version": version});
            thing.change(body, Some(tag)).status
        };
        assert_eq!((both(2, "\"v3\""), both(3, "\"v2\"")), (409, 412));
        assert_eq!(thing.send("GET", "", None, None).data(200)["name"], "3");
        assert_eq!(both(3, "\"x\", \"v3\""), 200);
    }
}

fn a_change_says_which_version_it_is_for(api: &Api) {
    for kind in KINDS {
        let thing = Thing::new(api, &kind);
        thing
            .change(json!({"name": "y"}), None)
            .refused(428, "PRECONDITION_REQUIRED");
        thing
            .change(json!({"name": "y", "version": null}), None)
            .refused(428, "PRECONDITION_REQUIRED");
        // Whatever is there.
        let any = thing.change(json!({"name": "y"}), Some("*"));
        assert_eq!(any.data(200)["version"], 2);
    }
}

fn parallel_changes_of_one_version_have_one_winner(api: &Api) {
    for kind in KINDS {
        for tag in [None, Some("\"v1\"")] {
            let thing = Thing::new(api, &kind);
            let answers = api.parallel(20, |number| {
                let mut body = json!({"name": number.to_string()});
                if tag.is_none() {
                    body["version"] = json!(1);
                }
                thing.change(body, tag)
            });
            let (won, lost): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|answer| answer.status == 200);
            assert_eq!(won.len(), 1);
            for answer in lost {
                match tag {
                    None => answer.refused(409, "VERSION_CONFLICT"),
                    Some(_) => answer.refused(412, "PRECONDITION_FAILED"),
                };
            }
            let now = thing.send("GET", "", None, None).data(200);
            assert_eq!(now, won[0].data(200));
            assert_eq!(now["version"], 2);
            let id = thing.path.rsplit('/').next().unwrap();
            let log = format!("/api/v1/organizations/audit?target={id}");
            let log = api.get(&log).bearer(&thing.founder.access).send();
            assert_eq!(log.data(200).as_array().unwrap().len(), 2);
        }
    }
}

fn what_the_client_has_is_not_sent_again(api: &Api) {
    for kind in KINDS {
        let thing = Thing::new(api, &kind);
        let first = thing.send("GET", "", None, None);
        let tag = text(&json!(first.header("etag")));
        let private = Some("private, no-cache, no-transform");
        assert_eq!(first.header("cache-control"), private);
        assert_eq!(first.header("vary"), Some("Origin"));
        for held in [tag.as_str(), "*", "\"other\", W/\"v1\""] {
            for method in ["GET", "HEAD"] {
                let answer = thing.send(method, "", None, Some(held));
                assert_eq!((answer.status, answer.body.len()), (304, 0), "{held}");
                assert_eq!(answer.header("etag"), Some(tag.as_str()));
            }
        }
        assert_eq!(
            thing.send("GET", "", None, Some("\"v2\"")).data(200),
            first.data(200)
        );
        thing.change(json!({"name": "y"}), Some(&tag)).data(200);
        let next = thing.send("GET", "", None, Some(&tag));
        assert_eq!(next.data(200)["version"], 2);
        // Who may not see it learns nothing by a condition.
        let stranger = founder(api);
        let answer = api.get(&thing.path).bearer(&stranger.access);
        let answer = answer.header("if-none-match", "*").send();
        answer.refused(404, "NOT_FOUND");
    }
}

/// A tag that somebody on the way makes weak, because they compress the answer, fits no change.
fn tags_arrive_as_they_are(api: &Api) {
    for kind in KINDS {
        let thing = Thing::new(api, &kind);
        let made = kind.create(api, &thing.founder.access, &json!({"name": "y"}));
        let changed = thing.change(json!({"name": "y"}), Some("\"v1\""));
        let read = thing.send("GET", "", None, None);
        for answer in [made, changed, read] {
            let tag = answer.header("etag").unwrap();
            assert!(tag.starts_with("\"v"), "{tag}");
            let cache = answer.header("cache-control").unwrap();
            assert!(cache.ends_with(", no-transform"), "{cache}");
        }
    }
}

fn deletion_and_restoration_take_conditions_too(api: &Api) {
    for kind in KINDS {
        let thing = Thing::new(api, &kind);
        let stale = Some("\"v7\"");
        thing
            .send("DELETE", "", None, stale)
            .refused(412, "PRECONDITION_FAILED");
        thing
            .send("DELETE", "", Some(json!({"version": 7})), None)
            .blames("version");
        thing.send("DELETE", "", None, Some("\"v1\"")).data(200);
        thing
            .send("POST", "/restore", None, stale)
            .refused(412, "PRECONDITION_FAILED");
        thing
            .send("POST", "/restore", Some(json!({"version": 1})), None)
            .refused(409, "VERSION_CONFLICT");
        let back = thing.send("POST", "/restore", Some(json!({"version": 2})), None);
        assert_eq!(back.data(200)["version"], 3);

        let statuses = api.parallel(10, |_| thing.send("DELETE", "", None, None).status);
        let won = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(won, 1, "{statuses:?}");
        assert!(
            statuses.iter().all(|status| [200, 404].contains(status)),
            "{statuses:?}"
        );
        let statuses = api.parallel(10, |_| thing.send("POST", "/restore", None, None).status);
        assert!(
            statuses.iter().all(|status| [200, 409].contains(status)),
            "{statuses:?}"
        );
        let now = thing.send("GET", "", None, None).data(200);
        assert_eq!(now["version"], 5);
    }
}

fn tags_of_another_form_are_refused(api: &Api) {
    for kind in KINDS {
        let thing = Thing::new(api, &kind);
        let long = "\"v1\", ".repeat(500);
        for bad in ["v1", "1", "\"v1", "'v1'", "\"v1\" \"v2\"", "**", &long] {
            thing
                .change(json!({"name": "y"}), Some(bad))
                .blames("If-Match");
            thing
                .send("GET", "", None, Some(bad))
                .blames("If-None-Match");
            thing.send("DELETE", "", None, Some(bad)).blames("If-Match");
        }
        assert_eq!(thing.send("GET", "", None, None).data(200)["version"], 1);
    }
}
