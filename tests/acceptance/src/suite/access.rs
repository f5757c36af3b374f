//! Every route of the product, called by every kind of caller: the answer is the one that its
//! table declares. Routes that are added are covered without a change here.

use edgekeep_core::functions;
use edgekeep_core::http::{Access, Idempotency, Method, RouteInfo};
use edgekeep_core::tenancy::{ApiScope, Permission, Role};
use serde_json::{Value, json};

use super::tests;
use crate::answer::Answer;
use crate::api::{Api, Call};
use crate::fixture::{
    Founder, STARTER, api_key, elsewhere, founder, give, invite, member, new_email, switch, text,
    upgrade,
};

tests! { "access":
    what_is_open_is_on_one_list ["A-21" "B-02"];
    nobody_gets_in_without_a_credential ["A-20" "A-21" "B-02" "A-15" "A-16"];
    ended_sessions_get_in_nowhere ["A-10" "A-40"];
    each_role_gets_in_where_its_permission_says ["A-40" "B-01" "B-02" "B-03" "B-12" "B-15"];
    keys_get_in_by_their_scopes_alone ["B-02" "C-13"];
    services_get_in_where_they_are_meant_to ["B-02"];
    clients_are_refused_every_admin_operation ["B-07"];
    other_tenants_things_do_not_exist ["L-05" "A-19"];
    colleagues_jobs_are_not_ones_own ["A-19" "B-04"];
}

fn routes() -> Vec<(&'static str, &'static RouteInfo)> {
    functions::routes()
}

/// The route's request with these texts for its `:` segments, and an empty object as its body.
fn call<'a>(api: &'a Api, route: &RouteInfo, id: impl Fn(&str) -> String) -> Call<'a> {
    call_with(api, route, id, &json!({}))
}

/// The same with another body, where it has one.
fn call_with<'a>(
    api: &'a Api,
    route: &RouteInfo,
    id: impl Fn(&str) -> String,
    body: &Value,
) -> Call<'a> {
    let mut path: Vec<String> = Vec::new();
    for segment in route.path.split('/') {
        let before = path.last().cloned().unwrap_or_default();
        path.push(match segment.strip_prefix(':') {
            Some(_) => id(&before),
            None => segment.to_owned(),
        });
    }
    let path = path.join("/");
    // Who is refused counts by address, and here nearly everybody is.
    let call = api
        .call(route.method.name(), &path)
        .header("x-forwarded-for", &elsewhere(api));
    let call = match route.idempotency {
        Idempotency::Required => call.header("idempotency-key", &format!("{}-{path}", route.name)),
        Idempotency::None | Idempotency::Optional => call,
    };
    match route.method {
        Method::Get | Method::Delete => call,
        _ => call.json(body),
    }
}

fn nowhere(_: &str) -> String {
    "x".to_owned()
}

#[track_caller]
fn is_let_in(answer: &Answer, route: &RouteInfo, who: &str) {
    let refused = matches!(answer.status, 401 | 403) || answer.status >= 500;
    assert!(!refused, "{who} at {}: {}", route.name, answer.text());
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, route: &RouteInfo, who: &str) {
    assert_eq!(
        answer.status,
        status,
        "{who} at {}: {}",
        route.name,
        answer.text()
    );
}

const fn is_open(route: &RouteInfo) -> bool {
    matches!(
        route.access,
        Access::Public | Access::Signed | Access::Development
    )
}

const fn permission(access: Access) -> Option<Permission> {
    match access {
        Access::Member(permission) | Access::MemberOrKey(permission, _) => Some(permission),
        _ => None,
    }
}

const fn scope(access: Access) -> Option<ApiScope> {
    match access {
        Access::Key(_, scope) | Access::MemberOrKey(_, scope) => Some(scope),
        _ => None,
    }
}

/// Everything that answers without a credential. A route that is opened by mistake fails here,
/// whatever its own table says of it.
pub const OPEN: &[&str] = &[
    "GET /.well-known/jwks.json",
    "GET /.well-known/security.txt",
    "GET /openapi.json",
    "GET /docs",
    "GET /healthz",
    "GET /readyz",
    "GET /startupz",
    "GET /health",
    "GET /api/v1/slo/health",
    "GET /api/v1/billing/plans",
    "GET /api/v1/prices",
    "GET /api/v1/organizations/here",
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/verify",
    "GET /api/v1/auth/verify",
    "POST /api/v1/auth/verify/resend",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/reset",
    "POST /api/v1/auth/email/confirm",
    // They take the token of a sign-in that waits for its second factor.
    "POST /api/v1/auth/mfa/verify",
    "POST /api/v1/auth/mfa/email/send",
    "GET /api/v1/auth/oauth",
    "GET /api/v1/auth/oauth/:provider/start",
    "GET /api/v1/auth/oauth/:provider/callback",
    // It takes another issuer's token.
    "POST /api/v1/auth/token/exchange",
    // By Stripe's signature.
    "POST /webhooks/stripe",
    // Not in staging or production.
    "GET /api/v1/dev/mailbox",
];

fn what_is_open_is_on_one_list(_: &Api) {
    for (_, route) in routes().into_iter().filter(|(_, route)| is_open(route)) {
        let line = format!("{} {}", route.method.name(), route.path);
        assert!(OPEN.contains(&line.as_str()), "{line} is open to everybody");
    }
}

fn nobody_gets_in_without_a_credential(api: &Api) {
    for (_, route) in routes().into_iter().filter(|(_, route)| !is_open(route)) {
        is_refused(&call(api, route, nowhere).send(), 401, route, "nobody");
        for garbage in ["x", "a.b.c", "ek_live_x", "er_x"] {
            let answer = call(api, route, nowhere).bearer(garbage).send();
            is_refused(&answer, 401, route, garbage);
        }
        let basic = call(api, route, nowhere).header("authorization", "Basic eDp4");
        is_refused(&basic.send(), 401, route, "basic");
    }
}

fn ended_sessions_get_in_nowhere(api: &Api) {
    let founder = founder(api);
    api.post("/api/v1/auth/logout", &json!({}))
        .bearer(&founder.access)
        .send()
        .data(200);
    for (_, route) in routes().into_iter().filter(|(_, route)| !is_open(route)) {
        let answer = call(api, route, nowhere).bearer(&founder.access).send();
        // A body is read before the session, so it may be refused first, but nothing is done.
        let refused = answer.status == 401 || (matches!(answer.status, 400 | 404) && route.acts);
        assert!(refused, "{}: {}", route.name, answer.text());
    }
}

fn each_role_gets_in_where_its_permission_says(api: &Api) {
    let host = founder(api);
    for role in Role::ALL {
        let mut who = member(api, &host, role.name());
        for (_, route) in routes() {
            let answer = call(api, route, nowhere).bearer(&who.access).send();
            let told = format!("{} {}", role.name(), answer.text());
            match permission(route.access) {
                Some(needed) if role.allows(needed) => is_let_in(&answer, route, &told),
                Some(needed) => {
                    // A request may also be refused for its body before anybody is judged.
                    if matches!(answer.status, 400 | 404) && route.acts {
                        assert_ne!(answer.json()["success"], true);
                        continue;
                    }
                    let body = answer.refused(403, "FORBIDDEN");
                    assert_eq!(body["error"]["permission"], needed.name(), "{}", route.name);
                }
                None if is_open(route) => {}
                None => is_refused(&answer, 401, route, &told),
            }
            // Some routes end the session or the membership that they are called with.
            let me = api.get("/api/v1/auth/me").bearer(&who.access).send();
            if me.status != 200 {
                assert!(route.acts, "{} ended a session", route.name);
                who = member(api, &host, role.name());
            }
        }
    }
}

/// A body that the route would take, where an empty object is refused before anybody is judged.
fn sound_body(route: &RouteInfo) -> Value {
    match route.name {
        "organizations.rename" => json!({"name": "x"}),
        "organizations.require_mfa" => json!({"required": "none"}),
        "members.change" => json!({"role": "client"}),
        "roles.create" => json!({"name": "x", "base": "client", "permissions": []}),
        "teams.create" | "teams.rename" => json!({"name": "x"}),
        "invitations.create" => json!({"email": "x@example.com", "role": "client"}),
        "api_keys.create" => json!({"name": "x"}),
        "billing.checkout" | "billing.change_plan" => json!({"plan": "STARTER"}),
        _ => json!({}),
    }
}

/// What is for founders and admins: the routes that the least roles of the table do not reach.
fn clients_are_refused_every_admin_operation(api: &Api) {
    let host = founder(api);
    // So that it is the role that is refused, and not the plan.
    upgrade(api, &host.tenant, STARTER);
    let low = [member(api, &host, "client"), member(api, &host, "agent")];
    let is_high = |route: &RouteInfo| {
        permission(route.access).is_some_and(|needed| !Role::Agent.allows(needed))
    };
    let mut count = 0;
    for (_, route) in routes().into_iter().filter(|(_, route)| is_high(route)) {
        for who in &low {
            let body = sound_body(route);
            let asked = call_with(api, route, nowhere, &body).bearer(&who.access);
            let needed = permission(route.access).unwrap();
            let body = asked.send().refused(403, "FORBIDDEN");
            assert_eq!(body["error"]["permission"], needed.name(), "{}", route.name);
        }
        count += 1;
    }
    assert!(count > 20, "{count} routes");
}

fn keys_get_in_by_their_scopes_alone(api: &Api) {
    let founder = founder(api);
    // There are more scopes than keys on FREE.
    upgrade(api, &founder.tenant, STARTER);
    for held in ApiScope::ALL {
        let key = api_key(api, &founder, &[held.name()]);
        for (_, route) in routes().into_iter().filter(|(_, route)| !is_open(route)) {
            let answer = call(api, route, nowhere).bearer(&key).send();
            match scope(route.access) {
                Some(needed) if needed == held => is_let_in(&answer, route, held.name()),
                // A body is read before the key is judged.
                Some(_) if answer.status == 400 && route.acts => {}
                Some(_) => {
                    answer.refused(403, "SCOPE_MISSING");
                }
                None => is_refused(&answer, 403, route, held.name()),
            }
        }
    }
}

fn services_get_in_where_they_are_meant_to(api: &Api) {
    for (function, route) in routes().into_iter().filter(|(_, route)| !is_open(route)) {
        let own = call(api, route, nowhere)
            .bearer(&api.service_token(function))
            .send();
        if matches!(route.access, Access::Service | Access::Scraper) {
            is_let_in(&own, route, "its service");
            let other = call(api, route, nowhere).bearer(&api.service_token("another"));
            is_refused(&other.send(), 401, route, "another's service");
        } else {
            is_refused(&own, 401, route, "a service");
        }
    }
}

fn other_tenants_things_do_not_exist(api: &Api) {
    let (host, stranger) = (founder(api), founder(api));
    upgrade(api, &stranger.tenant, STARTER);
    let created = |path: &str, body: Value| {
        let made = api.post(path, &body).bearer(&host.access).send();
        assert!(made.status < 300, "{}", made.text());
        text(&made.json()["data"]["id"])
    };
    let key = created("/api/v1/api-keys", json!({"name": "x"}));
    let job = created("/api/v1/jobs", json!({"type": "usage.export"}));
    let invited = text(&invite(api, &host, &new_email(api), "agent").data(201)["id"]);
    let project = created("/api/v1/projects", json!({"name": "x"}));
    let agent = created("/api/v1/agents", json!({"name": "x"}));
    let sessions = api
        .get("/api/v1/auth/sessions")
        .bearer(&host.access)
        .send()
        .data(200);
    let session = text(&sessions[0]["id"]);
    upgrade(api, &host.tenant, STARTER);
    let role = created(
        "/api/v1/organizations/roles",
        json!({"name": "x", "base": "agent", "permissions": []}),
    );
    let team = created("/api/v1/organizations/teams", json!({"name": "x"}));
    let payment = text(&super::payments::begin(api, &host, "access").data(201)["id"]);
    // By the segment before; an id of a kind that is not here is at least nobody's.
    let id = |before: &str| match before {
        "members" => host.user.clone(),
        "api-keys" => key.clone(),
        "jobs" => job.clone(),
        "projects" => project.clone(),
        "agents" => agent.clone(),
        "invitations" => invited.clone(),
        "sessions" => session.clone(),
        "roles" => role.clone(),
        "teams" => team.clone(),
        "payments" => payment.clone(),
        _ => "x".to_owned(),
    };
    let with_ids = routes()
        .into_iter()
        .filter(|(_, route)| permission(route.access).is_some() && route.path.contains(':'));
    for (_, route) in with_ids {
        let answer = call(api, route, id).bearer(&stranger.access).send();
        // 409: the segment names something of the caller's own, a provider for instance.
        let hidden = matches!(answer.status, 404 | 409) || (answer.status == 400 && route.acts);
        assert!(hidden, "{}: {}", route.name, answer.text());
        assert!(!answer.text().contains(&host.email), "{}", route.name);
    }
    switch(api, &stranger.access, &host.tenant).refused(404, "NOT_FOUND");
    for path in [
        "/api/v1/jobs",
        "/api/v1/api-keys",
        "/api/v1/projects",
        "/api/v1/agents",
        "/api/v1/organizations/invitations",
    ] {
        let listed = api.get(path).bearer(&stranger.access).send().data(200);
        assert_eq!(listed, json!([]), "{path}");
    }
}

fn colleagues_jobs_are_not_ones_own(api: &Api) {
    let host = founder(api);
    let [first, second] = [(); 2].map(|()| member(api, &host, "agent"));
    let admin = member(api, &host, "admin");
    let submit = |who: &Founder, key: &str| {
        api.post("/api/v1/jobs", &json!({"type": "usage.export"}))
            .bearer(&who.access)
            .key(key)
            .send()
    };
    let job = text(&submit(&first, "mine").data(202)["id"]);
    let get = |who: &Founder, end: &str| {
        let path = format!("/api/v1/jobs/{job}{end}");
        api.get(&path).bearer(&who.access).send()
    };
    let own = get(&first, "");
    assert_eq!(own.sql(), 1);
    own.data(200);
    get(&admin, "").data(200);
    for end in ["", "/result"] {
        let refused = get(&second, end).refused(403, "FORBIDDEN");
        assert_eq!(refused["error"]["permission"], "jobs:all");
        assert!(!refused.to_string().contains(&first.user));
        get(&founder(api), end).refused(404, "NOT_FOUND");
    }
    let listed = |bearer: &str| {
        let answer = api.get("/api/v1/jobs").bearer(bearer).send();
        // On Spin the use of a key is written after each answer.
        if !(api.stack.starts_with("spin") && bearer.starts_with("ek_")) {
            assert_eq!(answer.sql(), 1);
        }
        answer.data(200).as_array().unwrap().len()
    };
    assert_eq!(listed(&first.access), 1);
    assert_eq!(listed(&second.access), 0);
    assert_eq!(listed(&admin.access), 1);
    // A key sees what its owner sees, now.
    let key = api_key(api, &admin, &["jobs"]);
    api.get("/api/v1/jobs").bearer(&key).send().data(200);
    assert_eq!(listed(&key), 1);
    give(api, &host, &admin, "agent").data(200);
    assert_eq!(listed(&key), 0);
    let path = format!("/api/v1/jobs/{job}");
    api.get(&path).bearer(&key).send().refused(403, "FORBIDDEN");
}
