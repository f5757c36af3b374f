//! Ready-made callers.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::Api;

pub const PASSWORD: &str = "correct horse battery staple";

/// A signed-in founder with a tenant of their own.
pub struct Founder {
    pub email: String,
    pub access: String,
    pub refresh: String,
    pub tenant: String,
    pub user: String,
}

/// An address that nobody else uses.
pub fn new_email(api: &Api) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("user-{}-{number}@example.com", api.now().0)
}

/// The address of a client in a network of its own (RFC 3849), for `X-Forwarded-For`: the suite is a
/// proxy that the server trusts, and asks more than one network may.
pub fn elsewhere(api: &Api) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) & 0xffff;
    let second = api.now().seconds() & 0xffff;
    format!("2001:db8:{second:x}:{number:x}::1")
}

pub fn register(api: &Api, email: &str) -> Answer {
    api.post(
        "/api/v1/auth/register",
        &json!({"email": email, "password": PASSWORD, "trial": false}),
    )
    .header("x-forwarded-for", &elsewhere(api))
    .send()
}

/// The mails to an address, the latest first.
pub fn mails(api: &Api, email: &str) -> Vec<Value> {
    let path = format!("/api/v1/dev/mailbox?to={email}");
    api.get(&path).send().data(200).as_array().unwrap().clone()
}

/// The latest mail to an address.
pub fn mail(api: &Api, email: &str) -> Value {
    mails(api, email).swap_remove(0)
}

/// The token in the link of the latest mail.
pub fn mail_token(api: &Api, email: &str) -> String {
    let mail = mail(api, email);
    mail["link"]
        .as_str()
        .unwrap()
        .split("token=")
        .nth(1)
        .unwrap()
        .to_owned()
}

pub fn login(api: &Api, email: &str, password: &str) -> Answer {
    api.post(
        "/api/v1/auth/login",
        &json!({"email": email, "password": password}),
    )
    .send()
}

pub fn founder(api: &Api) -> Founder {
    founder_at(api, new_email(api))
}

/// The same with an address of one's own.
pub fn founder_at(api: &Api, email: String) -> Founder {
    register(api, &email).data(201);
    let token = mail_token(api, &email);
    api.post("/api/v1/auth/verify", &json!({"token": token}))
        .send()
        .data(200);
    signed_in(api, &email)
}

/// Whoever has this address, in a new session.
pub fn signed_in(api: &Api, email: &str) -> Founder {
    let tokens = login(api, email, PASSWORD).data(200);
    let access = text(&tokens["access_token"]);
    let me = api.get("/api/v1/auth/me").bearer(&access).send().data(200);
    Founder {
        access,
        refresh: text(&tokens["refresh_token"]),
        tenant: text(&me["tenant"]["id"]),
        user: text(&me["id"]),
        email: email.to_owned(),
    }
}

/// Invites an address to the host's tenant.
pub fn invite(api: &Api, host: &Founder, email: &str, role: &str) -> Answer {
    let body = json!({"email": email, "role": role});
    api.post("/api/v1/organizations/invitations", &body)
        .bearer(&host.access)
        .send()
}

pub fn accept(api: &Api, access: &str, token: &str) -> Answer {
    api.post("/api/v1/invitations/accept", &json!({"token": token}))
        .bearer(access)
        .send()
}

pub fn switch(api: &Api, access: &str, tenant: &str) -> Answer {
    api.post("/api/v1/auth/switch", &json!({"tenant_id": tenant}))
        .bearer(access)
        .send()
}

/// A new user with this role in the host's tenant, whose session is there.
pub fn member(api: &Api, host: &Founder, role: &str) -> Founder {
    let guest = founder(api);
    invite(api, host, &guest.email, role).data(201);
    let token = mail_token(api, &guest.email);
    accept(api, &guest.access, &token).data(200);
    let tokens = switch(api, &guest.access, &host.tenant).data(200);
    Founder {
        access: text(&tokens["access_token"]),
        refresh: text(&tokens["refresh_token"]),
        tenant: host.tenant.clone(),
        ..guest
    }
}

/// A new API key with these scopes.
pub fn api_key(api: &Api, founder: &Founder, scopes: &[&str]) -> String {
    let body = json!({"name": "test", "scopes": scopes});
    let key = api
        .post("/api/v1/api-keys", &body)
        .bearer(&founder.access)
        .send()
        .data(201);
    text(&key["key"])
}

/// Reads a list of `count` items one by one, then at once: the same ones, each once, and an end.
pub fn walk_pages(api: &Api, founder: &Founder, path: &str, count: usize) {
    let read = |query: &str| {
        let target = format!("{path}?{query}");
        api.get(&target).bearer(&founder.access).send()
    };
    let mut seen = Vec::new();
    let mut query = "limit=1".to_owned();
    for _ in 0..count {
        let answer = read(&query);
        let items = answer.data(200).as_array().unwrap().clone();
        assert_eq!(items.len(), 1, "{query}");
        seen.extend(items);
        let next = answer.json()["metadata"]["nextCursor"].clone();
        assert_eq!(next.is_string(), seen.len() < count, "{next}");
        query = format!("limit=1&cursor={}", next.as_str().unwrap_or_default());
    }
    let ids = |items: &[Value]| {
        items
            .iter()
            .map(|item| text(&item["id"]))
            .collect::<Vec<_>>()
    };
    let whole = read("limit=100").data(200);
    assert_eq!(ids(&seen), ids(whole.as_array().unwrap()));
    for bad in ["limit=0", "limit=101", "limit=x", "limit=-1"] {
        read(bad).blames("limit");
    }
    read("cursor=x").blames("cursor");
}

#[track_caller]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

/// Sends `count` new plain events of one meter with ids `prefix-0…`.
pub fn send_events(api: &Api, key: &str, prefix: &str, count: usize) -> Answer {
    let events: Vec<Value> = (0..count)
        .map(|n| json!({"id": format!("{prefix}-{n}"), "meter": "calls"}))
        .collect();
    api.post("/api/v1/usage/events", &json!(events))
        .bearer(key)
        .send()
}

/// Sends a signed Stripe event, of something that Stripe knows.
pub fn stripe_event(api: &Api, event: &Value) -> Answer {
    crate::stripe::know(event);
    deliver(api, event)
}

/// Delivers an event, signed.
pub fn deliver(api: &Api, event: &Value) -> Answer {
    let body = event.to_string();
    let secret = std::env::var("STRIPE_WEBHOOK_SECRET").unwrap();
    let signature = edgekeep_core::stripe::sign(&secret, body.as_bytes(), api.now());
    api.call("POST", "/webhooks/stripe")
        .body("application/json; charset=utf-8", body)
        .header("stripe-signature", &signature)
        .send()
}

/// An event about a subscription, in the shape of API version 2026-09-30.
pub fn subscription_event(
    id: &str,
    kind: &str,
    created: i64,
    tenant: &str,
    status: &str,
    lookup_key: &str,
) -> Value {
    json!({
        "id": id, "object": "event", "api_version": "2026-09-30.endive", "created": created,
        "livemode": false, "type": format!("customer.subscription.{kind}"),
        "data": {"object": {
            "id": format!("sub_{tenant}"), "object": "subscription", "status": status,
            "customer": format!("cus_{tenant}"), "cancel_at": null,
            "metadata": {"tenant_id": tenant},
            "items": {"object": "list", "data": [{
                "id": "si_1", "current_period_end": created + 2_592_000,
                "price": {"id": "price_1", "lookup_key": lookup_key},
            }]},
        }},
    })
}

/// Puts a tenant on a plan, through Stripe's webhook as in life.
pub fn upgrade(api: &Api, tenant: &str, lookup_key: &str) {
    let now = api.now().seconds();
    let id = format!("evt_up_{tenant}_{lookup_key}");
    stripe_event(
        api,
        &subscription_event(&id, "created", now, tenant, "active", lookup_key),
    )
    .data(200);
}

/// The lookup key in Stripe of the first plan that costs something.
pub const STARTER: &str = "edgekeep_starter_monthly";

/// A founder whose plan has roles of one's own and teams.
pub fn host(api: &Api) -> Founder {
    let host = founder(api);
    upgrade(api, &host.tenant, STARTER);
    host
}

/// Gives a tenant rate limits of its own, as an operator does; "" takes them back.
pub fn limit(api: &Api, tenant: &str, limits: &str) {
    let limits = (!limits.is_empty()).then_some(limits);
    api.call("PUT", "/api/v1/billing/rate-limits")
        .json(&json!({"rateLimits": limits}))
        .bearer(&api.service_token("billing"))
        .header("x-tenant-id", tenant)
        .send()
        .data(200);
}

/// Ends what [`host`] pays for.
pub fn downgrade(api: &Api, host: &Founder) {
    let (later, tenant) = (api.now().seconds() + 5, &host.tenant);
    let event = format!("evt_down_{tenant}");
    let ended = subscription_event(&event, "deleted", later, tenant, "canceled", STARTER);
    stripe_event(api, &ended).data(200);
}

/// Gives a member a role.
pub fn give(api: &Api, who: &Founder, whom: &Founder, role: &str) -> Answer {
    let path = format!("/api/v1/organizations/members/{}", whom.user);
    api.patch(&path, &json!({"role": role}))
        .bearer(&who.access)
        .send()
}

/// Makes the scheduler run one task now, with its clock moved.
pub fn run_task(api: &Api, task: &str, later: i64) -> Value {
    // A tick of the server's own may hold the lease for a moment.
    for _ in 0..50 {
        let ran = api
            .call("POST", &format!("/api/v1/scheduler/tick?task={task}"))
            .bearer(&api.service_token_at("scheduler", later))
            .later(later)
            .send()
            .data(200);
        if !ran["ran"].as_array().unwrap().is_empty() {
            return ran["ran"][0].clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{task} never got its lease");
}

/// What the API says of the bearer of this access token.
pub fn me(api: &Api, access: &str) -> Answer {
    api.get("/api/v1/auth/me").bearer(access).send()
}

/// The same of who was just given these tokens.
pub fn profile(api: &Api, tokens: &Value) -> Value {
    me(api, &text(&tokens["access_token"])).data(200)
}
