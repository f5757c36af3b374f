//! Projects and agents: how many there may be, what belongs to what, what they may hold, how long
//! they stay.

use serde_json::{Value, json};

use super::resources::{KINDS, Kind, delete, get, names, restore};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{STARTER, founder, run_task, text, upgrade};

tests! { "resources":
    a_plan_allows_so_many ["J-11"];
    parallel_creations_stop_at_the_limit ["J-11"];
    parallel_restorations_stop_at_the_limit ["M-11"];
    agents_belong_to_projects_that_are_there ["L-05"];
    a_project_is_not_deleted_under_its_agents [];
    what_is_wrong_is_named ["L-03"];
    what_was_deleted_long_ago_is_gone ["M-11"] alone;
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
    upgrade(api, &founder.tenant, STARTER);
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
