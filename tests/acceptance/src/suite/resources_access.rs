//! Projects and agents: who gets to whose.

use serde_json::json;

use super::resources::{KINDS, delete, get, recorded, restore};
use super::tests;
use crate::api::Api;
use crate::fixture::{api_key, founder, member, text};

tests! { "resources":
    another_tenants_do_not_exist ["L-04" "L-05" "L-07"];
    colleagues_look_and_do_not_change ["A-19" "B-05"];
    keys_need_their_scopes [];
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
