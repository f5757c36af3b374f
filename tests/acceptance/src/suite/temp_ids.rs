//! Temporary ids: what a client calls a thing before the server has answered.

use serde_json::{Value, json};

use super::resources::{KINDS, Kind};
use super::tests;
use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{Founder, api_key, founder, member, text};

tests! { "resources":
    a_temporary_id_is_answered_with_the_id ["AA-01" "AA-05"];
    the_same_temporary_id_is_the_same_thing ["AA-02" "AA-05"];
    parallel_creations_of_one_temporary_id_are_one ["AA-02" "AA-05"];
    answers_may_come_in_any_order ["AA-05"];
    temporary_ids_are_nowhere_else ["AA-03"];
    temporary_ids_of_another_form_are_refused ["AA-04"];
    temporary_ids_and_idempotency_keys_agree ["AA-07"];
    temporary_ids_belong_to_one_user ["AA-02" "L-10"];
    temporary_ids_have_an_end ["AA-03"];
}

const DAY: i64 = 86_400_000;

/// A temporary id that nobody else has, as a client makes it.
fn temp(api: &Api, number: usize) -> String {
    let time = api.now().0;
    format!("temp_{number:08x}-0000-4000-8000-{time:012x}")
}

fn create(api: &Api, kind: &Kind, access: &str, temp: &str) -> Answer {
    let body = json!({"name": "x", "client_temp_id": temp});
    kind.create(api, access, &body)
}

fn count(api: &Api, kind: &Kind, access: &str) -> usize {
    let listed = kind.list(api, access, "").data(200);
    listed.as_array().unwrap().len()
}

fn a_temporary_id_is_answered_with_the_id(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        let temp = temp(api, 1);
        let made = create(api, &kind, &founder.access, &temp).data(201);
        assert_eq!(made["client_temp_id"], temp);
        assert!(text(&made["id"]).starts_with(kind.prefix));
        // Nobody else sees what the client called it.
        let read = api.get(&kind.at(&made)).bearer(&founder.access).send();
        assert_eq!(read.data(200)["client_temp_id"], Value::Null);
        // Without one, there is none.
        let plain = kind.make(api, &founder, "plain");
        assert_eq!(plain.get("client_temp_id"), None);
    }
}

fn the_same_temporary_id_is_the_same_thing(api: &Api) {
    let founder = founder(api);
    let access = &founder.access;
    for (number, kind) in KINDS.into_iter().enumerate() {
        let temp = temp(api, number);
        let first = create(api, &kind, access, &temp);
        // A slow connection: the client did not hear the answer and sends it again.
        let again = create(api, &kind, access, &temp);
        assert_eq!(again.data(200), first.data(201));
        assert_eq!(again.header("etag"), Some("\"v1\""));
        assert_eq!(again.sql(), 1);
        // Also when it has changed since, or the plan has no more room.
        let path = kind.at(&first.data(201));
        api.patch(&path, &json!({"name": "y", "version": 1}))
            .bearer(access)
            .send()
            .data(200);
        while count(api, &kind, access) < kind.most {
            kind.make(api, &founder, "more");
        }
        let later = create(
            api,
            &kind,
            access,
            &temp.to_uppercase().replace("TEMP_", "temp_"),
        );
        let later = later.data(200);
        assert_eq!(
            (&later["id"], &later["version"]),
            (&first.data(201)["id"], &json!(2))
        );
        // And when it was deleted: the client is told so, and gets no second one.
        api.delete(&path).bearer(access).send().data(200);
        let gone = create(api, &kind, access, &temp).data(200);
        assert_eq!(gone["id"], first.data(201)["id"]);
        assert!(gone["deletedAt"].is_string());
    }
    // One name stands for one thing, whatever its kind.
    let [projects, agents] = KINDS;
    let other = self::temp(api, 99);
    let agent = agents.list(api, access, "").data(200)[0].clone();
    api.delete(&agents.at(&agent))
        .bearer(access)
        .send()
        .data(200);
    create(api, &agents, access, &other).data(201);
    let refused = create(api, &projects, access, &other).refused(409, "STATE_CONFLICT");
    assert_eq!(refused["error"]["field"], "client_temp_id");
}

fn parallel_creations_of_one_temporary_id_are_one(api: &Api) {
    for kind in KINDS {
        let founder = founder(api);
        let temp = temp(api, 1);
        let answers = api.parallel(20, |_| create(api, &kind, &founder.access, &temp));
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1);
        let ids: Vec<_> = answers
            .iter()
            .map(|answer| answer.json()["data"]["id"].clone())
            .collect();
        assert!(
            ids.iter().all(|id| *id == ids[0] && id.is_string()),
            "{ids:?}"
        );
        assert_eq!(count(api, &kind, &founder.access), 1);
    }
}

/// A client's state, of which each answer takes its place whatever came before.
fn answers_may_come_in_any_order(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        let temps: Vec<String> = (0..kind.most).map(|number| temp(api, number)).collect();
        let mut state: Vec<String> = temps.clone();
        let mut answers = api.parallel(temps.len(), |number| {
            create(api, &kind, &founder.access, &temps[number]).data(201)
        });
        answers.reverse();
        for answer in &answers {
            let temp = text(&answer["client_temp_id"]);
            let place = state.iter().position(|id| *id == temp).unwrap();
            state[place] = text(&answer["id"]);
        }
        assert!(
            state.iter().all(|id| id.starts_with(kind.prefix)),
            "{state:?}"
        );
        let mut listed: Vec<String> = kind
            .list(api, &founder.access, "")
            .data(200)
            .as_array()
            .unwrap()
            .iter()
            .map(|item| text(&item["id"]))
            .collect();
        listed.sort();
        state.sort();
        assert_eq!(state, listed);
    }
}

fn temporary_ids_are_nowhere_else(api: &Api) {
    let founder = founder(api);
    let temp = temp(api, 1);
    let not_allowed = |body: Value, kind: &Kind, field: &str| {
        let answer = kind.create(api, &founder.access, &body);
        let refused = answer.refused(400, "TEMP_ID_NOT_ALLOWED");
        assert_eq!(refused["error"]["field"], field);
    };
    for kind in KINDS {
        not_allowed(json!({"name": temp}), &kind, "name");
        not_allowed(
            json!({"name": "x", "description": temp}),
            &kind,
            "description",
        );
        not_allowed(
            json!({"name": "x", "metadata": {"a": [temp]}}),
            &kind,
            "metadata",
        );
        let made = create(api, &kind, &founder.access, &temp);
        let by_temp = format!("{}/{temp}", kind.path);
        let answer = api.get(&by_temp).bearer(&founder.access).send();
        answer.refused(404, "NOT_FOUND");
        if made.status == 201 {
            let listed = kind.list(api, &founder.access, "").text();
            assert!(!listed.contains("temp_"), "{listed}");
        }
    }
    let [_, agents] = KINDS;
    not_allowed(
        json!({"name": "x", "project_id": temp}),
        &agents,
        "project_id",
    );
    not_allowed(json!({"name": "x", "model": temp}), &agents, "model");
    let configuration = json!({"name": "x", "configuration": {"project": temp}});
    not_allowed(configuration, &agents, "configuration");
    let agent = agents.make(api, &founder, "a");
    let refused = api
        .patch(
            &agents.at(&agent),
            &json!({"project_id": temp, "version": 1}),
        )
        .bearer(&founder.access)
        .send()
        .refused(400, "TEMP_ID_NOT_ALLOWED");
    assert_eq!(refused["error"]["field"], "project_id");
}

fn temporary_ids_of_another_form_are_refused(api: &Api) {
    let founder = founder(api);
    for kind in KINDS {
        for bad in [
            "",
            "1",
            "temp_",
            "temp_1",
            "0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071",
            "temp_0f3c5a7b9d1e4f408a1b2c3d4e5f6071",
            "temp_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f607g",
            "TEMP_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071",
            "temp_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071 ",
        ] {
            create(api, &kind, &founder.access, bad).blames("client_temp_id");
        }
        let body = json!({"name": "x", "client_temp_id": 7});
        kind.create(api, &founder.access, &body)
            .blames("client_temp_id");
        assert_eq!(count(api, &kind, &founder.access), 0);
    }
}

fn temporary_ids_and_idempotency_keys_agree(api: &Api) {
    let founder = founder(api);
    for (number, kind) in KINDS.into_iter().enumerate() {
        let temp = temp(api, number);
        let send = |key: &str, temp: &str| {
            let body = json!({"name": "x", "client_temp_id": temp});
            let call = api.post(kind.path, &body).bearer(&founder.access);
            call.key(key).send()
        };
        let first = send("k1", &temp);
        let replayed = send("k1", &temp);
        assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
        assert_eq!(replayed.data(201), first.data(201));
        // Another key and the same temporary id: the same thing.
        assert_eq!(send("k2", &temp).data(200)["id"], first.data(201)["id"]);
        // The same key and another temporary id: another request.
        let other = self::temp(api, number + 50);
        send("k1", &other).refused(409, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(count(api, &kind, &founder.access), 1);
    }
}

fn temporary_ids_belong_to_one_user(api: &Api) {
    let (host, other) = (founder(api), founder(api));
    let colleague = member(api, &host, "agent");
    for (number, kind) in KINDS.into_iter().enumerate() {
        let temp = temp(api, number);
        let body = json!({"name": "x", "client_temp_id": temp});
        let id = |who: &Founder| {
            let call = api.post(kind.path, &body).bearer(&who.access);
            text(&call.key("same").send().data(201)["id"])
        };
        let ids = [id(&host), id(&colleague), id(&other)];
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_eq!(count(api, &kind, &other.access), 1);
        // A key speaks for the user who made it.
        let scope = format!("{}s:write", kind.one);
        let key = api_key(api, &host, &[&scope]);
        let again = create(api, &kind, &key, &temp).data(200);
        assert_eq!(again["id"], ids[0]);
    }
}

fn temporary_ids_have_an_end(api: &Api) {
    let founder = founder(api);
    for (number, kind) in KINDS.into_iter().enumerate() {
        // A key: sessions do not live that long.
        let key = api_key(api, &founder, &[&format!("{}s:write", kind.one)]);
        let body = json!({"name": "x", "client_temp_id": temp(api, number)});
        let send = |days: i64| {
            let call = api.post(kind.path, &body).bearer(&key);
            call.later(days * DAY).send()
        };
        let first = send(0).data(201);
        assert_eq!(send(6).data(200)["id"], first["id"]);
        let second = send(8).data(201);
        assert_ne!(second["id"], first["id"]);
        assert_eq!(send(8).data(200)["id"], second["id"]);
    }
}
