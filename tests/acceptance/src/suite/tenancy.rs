//! Which tenant a request is in: by its credential, by a service's word, by its host.

use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::{Api, Call};
use crate::fixture::{Founder, PASSWORD, api_key, founder, send_events};

tests! { "tenancy":
    a_host_leads_to_its_tenant ["L-01" "L-02"];
    a_service_says_for_which_tenant_it_acts ["L-01" "L-02"];
    a_credential_is_not_outvoted ["L-01" "L-05"];
    a_domain_has_one_tenant ["L-01" "L-05"];
    a_closed_tenant_gives_its_domains_back ["L-01"];
    what_is_no_domain_is_refused ["L-01"];
}

const DOMAINS: &str = "/api/v1/organizations/domains";
const HERE: &str = "/api/v1/organizations/here";

/// A domain that nobody else uses.
fn new_domain(founder: &Founder) -> String {
    let own = founder.tenant.replace('_', "-");
    format!("{own}.customer.example")
}

fn by_service<'a>(api: &'a Api, method: &str, path: &str, tenant: &str) -> Call<'a> {
    api.call(method, path)
        .bearer(&api.service_token("organizations"))
        .header("x-tenant-id", tenant)
}

fn add(api: &Api, tenant: &str, domain: &str) -> Answer {
    by_service(api, "PUT", &format!("{DOMAINS}/{domain}"), tenant).send()
}

fn here(api: &Api, host: &str) -> Value {
    let answer = api.get(HERE).header("host", host).send();
    answer.data(200)["organization"].clone()
}

fn a_host_leads_to_its_tenant(api: &Api) {
    let founder = founder(api);
    let domain = new_domain(&founder);
    // Nobody's host: there is no tenant, and none is needed.
    assert_eq!(here(api, &domain), Value::Null);
    assert_eq!(
        api.get(HERE).send().data(200),
        json!({"organization": null})
    );
    add(api, &founder.tenant, &domain).data(200);
    let answer = api.get(HERE).header("host", &domain).send();
    assert_eq!(answer.sql(), 1);
    let name = api
        .get("/api/v1/organizations/current")
        .bearer(&founder.access)
        .send()
        .data(200)["name"]
        .clone();
    let shown = json!({"id": founder.tenant, "name": name});
    assert_eq!(answer.data(200)["organization"], shown);
    assert_eq!(here(api, &format!("{}:8443", domain.to_uppercase())), shown);
    // Who is nobody has no word in it.
    let answer = api
        .get(HERE)
        .header("host", "x.customer.example")
        .header("x-tenant-id", &founder.tenant)
        .send();
    assert_eq!(answer.data(200), json!({"organization": null}));
    let path = format!("{DOMAINS}/{domain}");
    by_service(api, "DELETE", &path, &founder.tenant)
        .send()
        .data(200);
    assert_eq!(here(api, &domain), Value::Null);
}

fn a_service_says_for_which_tenant_it_acts(api: &Api) {
    let founder = founder(api);
    let domain = new_domain(&founder);
    let added = add(api, &founder.tenant, &domain);
    assert_eq!(added.sql(), 2);
    assert_eq!(added.data(200)["domain"], domain.as_str());
    // Once more changes nothing.
    add(api, &founder.tenant, &domain).data(200);
    let listed = by_service(api, "GET", DOMAINS, &founder.tenant).send();
    let listed = listed.data(200);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    // Without a tenant there is nothing to do; the host is not asked instead.
    let token = api.service_token("organizations");
    let unnamed = api.get(DOMAINS).bearer(&token).header("host", &domain);
    unnamed.send().refused(400, "TENANT_REQUIRED");
    by_service(api, "GET", DOMAINS, "x")
        .send()
        .blames("x-tenant-id");
    let nobody = "ten_00000000000000000000000000";
    let refused = by_service(api, "GET", DOMAINS, nobody).send();
    refused.refused(404, "NOT_FOUND");
    // Who did it stands in the tenant's log.
    let path = "/api/v1/organizations/audit?action=organization.domain_add";
    let seen = api.get(path).bearer(&founder.access).send().data(200);
    assert_eq!(seen.as_array().unwrap().len(), 1, "{seen}");
    assert_eq!(
        (&seen[0]["actor"], &seen[0]["target"]),
        (&json!("service:acceptance"), &json!(domain))
    );
    // Members cannot give themselves a domain, whatever they are.
    api.call("PUT", &format!("{DOMAINS}/{domain}"))
        .bearer(&founder.access)
        .send()
        .refused(401, "TOKEN_INVALID");
}

fn a_credential_is_not_outvoted(api: &Api) {
    let (mine, theirs) = (founder(api), founder(api));
    let domain = new_domain(&theirs);
    add(api, &theirs.tenant, &domain).data(200);
    let with = |call: Call<'_>| {
        let call = call.header("host", &domain);
        call.header("x-tenant-id", &theirs.tenant).send()
    };
    let current = api
        .get("/api/v1/organizations/current")
        .bearer(&mine.access);
    assert_eq!(with(current).data(200)["id"], mine.tenant.as_str());
    let me = api.get("/api/v1/auth/me").bearer(&mine.access);
    assert_eq!(with(me).data(200)["tenant"]["id"], mine.tenant.as_str());
    let create = api
        .post("/api/v1/api-keys", &json!({"name": "x"}))
        .bearer(&mine.access);
    with(create).data(201);
    let keys = |who: &Founder| {
        let listed = api.get("/api/v1/api-keys").bearer(&who.access).send();
        listed.data(200).as_array().unwrap().len()
    };
    assert_eq!((keys(&mine), keys(&theirs)), (1, 0));
    // Nor a key's tenant.
    let key = api_key(api, &mine, &["usage:write", "usage:read"]);
    send_events(api, &key, "a", 2).data(200);
    let used = with(api.get("/api/v1/usage/summary").bearer(&key)).data(200);
    assert_eq!(used["events"], 2);
}

fn a_domain_has_one_tenant(api: &Api) {
    let founders = [(); 4].map(|()| founder(api));
    let domain = new_domain(&founders[0]);
    let answers = api.parallel(4, |index| add(api, &founders[index].tenant, &domain).status);
    let got: Vec<_> = (0..4).filter(|index| answers[*index] == 200).collect();
    assert_eq!(got.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 409].contains(status)));
    let owner = &founders[got[0]];
    assert_eq!(here(api, &domain)["id"], owner.tenant.as_str());
    let other = &founders[(got[0] + 1) % 4];
    let path = format!("{DOMAINS}/{domain}");
    let refused = by_service(api, "DELETE", &path, &other.tenant).send();
    refused.refused(404, "NOT_FOUND");
    let listed = by_service(api, "GET", DOMAINS, &other.tenant).send();
    assert_eq!(listed.data(200), json!([]));
}

fn a_closed_tenant_gives_its_domains_back(api: &Api) {
    let (founder, other) = (founder(api), founder(api));
    let domain = new_domain(&founder);
    add(api, &founder.tenant, &domain).data(200);
    add(api, &other.tenant, &domain).refused(409, "STATE_CONFLICT");
    api.call("DELETE", "/api/v1/auth/me")
        .json(&json!({"password": PASSWORD}))
        .bearer(&founder.access)
        .send()
        .data(200);
    assert_eq!(here(api, &domain), Value::Null);
    let made = add(api, &other.tenant, &domain).data(200);
    assert_eq!(here(api, &domain)["id"], other.tenant);
    // Once more changes nothing.
    assert_eq!(add(api, &other.tenant, &domain).data(200), made);
}

fn what_is_no_domain_is_refused(api: &Api) {
    let founder = founder(api);
    for domain in [
        "localhost",
        "127.0.0.1",
        "Upper.example.com",
        "a..example.com",
        "a.example.com:80",
    ] {
        add(api, &founder.tenant, domain).blames("domain");
    }
}
