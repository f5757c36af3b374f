//! The journey, told step by step: what `scripts/demo` runs and the README shows.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::Api;
use crate::fixture::{
    PASSWORD, STARTER, mail, mail_token, new_email, run_task, stripe_event, subscription_event,
    text,
};

/// Walks through the product; panics where a step does not answer as it should.
pub fn run(api: &Api) {
    let email = new_email(api);
    step("Register", "POST /api/v1/auth/register");
    // A trial would have the quota of PROFESSIONAL, which no demo fills.
    let body = json!({"email": email, "password": PASSWORD, "company": "Acme", "trial": false});
    show(&api.post("/api/v1/auth/register", &body).send(), 201);

    step("Open the link in the mail", "POST /api/v1/auth/verify");
    println!("    mail: {}", mail(api, &email)["subject"]);
    let token = mail_token(api, &email);
    let body = json!({ "token": token });
    show(&api.post("/api/v1/auth/verify", &body).send(), 200);

    step("Sign in", "POST /api/v1/auth/login");
    let body = json!({"email": email, "password": PASSWORD});
    let tokens = show(&api.post("/api/v1/auth/login", &body).send(), 200);
    let access = text(&tokens["access_token"]);

    step("Who am I", "GET /api/v1/auth/me");
    let me = show(&api.get("/api/v1/auth/me").bearer(&access).send(), 200);
    let tenant = text(&me["tenant"]["id"]);

    step("Refresh the token", "POST /api/v1/auth/refresh");
    let body = json!({"refresh_token": tokens["refresh_token"]});
    let tokens = show(&api.post("/api/v1/auth/refresh", &body).send(), 200);
    let access = text(&tokens["access_token"]);

    step("Create an API key", "POST /api/v1/api-keys");
    let body = json!({"name": "demo", "scopes": ["usage:write", "usage:read", "jobs"]});
    let key = show(
        &api.post("/api/v1/api-keys", &body).bearer(&access).send(),
        201,
    );
    let key = text(&key["key"]);

    meter(api, &key);
    pay(api, &access, &tenant, &key);
    export(api, &key);

    step("Sign out", "POST /api/v1/auth/logout");
    show(
        &api.call("POST", "/api/v1/auth/logout")
            .bearer(&access)
            .send(),
        200,
    );
    step("The token is worth nothing now", "GET /api/v1/auth/me");
    refused(&api.get("/api/v1/auth/me").bearer(&access).send(), 401);
    println!(
        "\nThat was the whole journey. Every route: {}/docs; who may call them: docs/roles.md",
        api.base()
    );
}

fn meter(api: &Api, key: &str) {
    step("Send usage, one event twice", "POST /api/v1/usage/events");
    let event =
        |id: &str| json!({"specversion": "1.0", "id": id, "source": "demo", "type": "api.calls"});
    let body = json!([event("1"), event("2"), event("1")]).to_string();
    let send = api.call("POST", "/api/v1/usage/events");
    let send = send
        .body("application/cloudevents-batch+json", body)
        .bearer(key);
    show(&send.send(), 200);

    step(
        "Fill the free quota of 1000 events",
        "POST /api/v1/usage/events",
    );
    let events: Vec<Value> = (0..998)
        .map(|n| json!({"id": format!("fill-{n}"), "meter": "api.calls"}))
        .collect();
    let filled = api
        .post("/api/v1/usage/events", &json!(events))
        .bearer(key)
        .send()
        .data(200);
    println!("    inserted {}", filled["inserted"]);
    step("One more is refused", "POST /api/v1/usage/events");
    let more = json!({"id": "more", "meter": "api.calls"});
    refused(
        &api.post("/api/v1/usage/events", &more).bearer(key).send(),
        429,
    );
}

fn pay(api: &Api, access: &str, tenant: &str, key: &str) {
    step(
        "Stripe says that the tenant pays, twice",
        "POST /webhooks/stripe",
    );
    let now = api.now().seconds();
    let id = format!("evt_{tenant}");
    let event = subscription_event(&id, "created", now, tenant, "active", STARTER);
    show(&stripe_event(api, &event), 200);
    show(&stripe_event(api, &event), 200);
    step("The plan changed", "GET /api/v1/billing/subscription");
    show(
        &api.get("/api/v1/billing/subscription")
            .bearer(access)
            .send(),
        200,
    );
    step("So the event is taken now", "POST /api/v1/usage/events");
    let more = json!({"id": "more", "meter": "api.calls"});
    show(
        &api.post("/api/v1/usage/events", &more).bearer(key).send(),
        200,
    );
    step("The month so far", "GET /api/v1/usage/summary");
    show(&api.get("/api/v1/usage/summary").bearer(key).send(), 200);
}

fn export(api: &Api, key: &str) {
    step("Export the usage as a job", "POST /api/v1/jobs");
    let body = json!({"type": "usage.export"});
    let job = show(
        &api.post("/api/v1/jobs", &body)
            .bearer(key)
            .key("demo-export")
            .send(),
        202,
    );
    let place = text(&job["pollUrl"]);
    step("Ask until it is done", &format!("GET {place}"));
    let mut done = Value::Null;
    for round in 0..60 {
        done = api.get(&place).bearer(key).send().data(200);
        if done["state"] == "completed" {
            break;
        }
        // Without a queue the next tick runs it; the demo does not wait for the minute.
        if round == 5 {
            run_task(api, "jobs", 0);
        }
        sleep(Duration::from_millis(250));
    }
    println!("    {done}");
    step(
        "Download the result",
        &format!("GET {}", text(&done["resultUrl"])),
    );
    let result = api.get(&text(&done["resultUrl"])).bearer(key).send();
    let lines = result.text();
    println!(
        "    {} lines; the first: {}",
        lines.lines().count(),
        lines.lines().next().unwrap_or("")
    );
}

fn step(what: &str, request: &str) {
    println!("\n\x1b[1m{what}\x1b[0m\n    {request}");
}

/// Prints what was answered, with the middle of long texts left out.
fn show(answer: &Answer, status: u16) -> Value {
    let data = answer.data(status);
    println!("    {status} {}", shortened(&data));
    data
}

fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    println!("    {status} {}", answer.json()["error"]);
}

fn shortened(data: &Value) -> Value {
    match data {
        Value::String(text) if text.len() > 60 => {
            json!(format!("{}…", text.chars().take(40).collect::<String>()))
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), shortened(value)))
            .collect(),
        other => other.clone(),
    }
}
