//! Every step of the product, with the database failing at every call: before the call is done,
//! and after it is done but before its answer arrives. Tried again, the step has its effect once.

use edgekeep_core::stripe::sign;
use edgekeep_robustness::{Answer, Call, Fault, Founder, World, run, text};
use serde_json::{Value, json};

/// Runs `step` once with a fault at each of its database calls, in a fresh world each time, and
/// then again without; `check` looks at what is there in the end.
pub(crate) async fn survive<S>(
    prepare: impl AsyncFn(&World) -> S,
    step: impl AsyncFn(&World, &S, i64) -> Answer,
    check: impl AsyncFn(&World, &S, Answer),
) {
    for kind in [Fault::Before, Fault::After] {
        for call in 1.. {
            let world = World::new(&[]).await;
            let state = prepare(&world).await;
            world.set(kind(call));
            let first = step(&world, &state, 0).await;
            if !world.happened() {
                assert!(call > 1, "the step does not use the database");
                break;
            }
            // A lost database is told as such, and never as a mistake of ours or the client's.
            assert!(
                first.status() == 503 || first.status() < 300,
                "{} at call {call}",
                first.status()
            );
            world.set(Fault::None);
            // A minute later, so that leases and claims of the lost attempt have run out.
            let again = step(&world, &state, 61_000).await;
            check(&world, &state, again).await;
        }
    }
}

pub(crate) fn later(call: Call, millis: i64) -> Call {
    call.header("x-test-clock-offset-ms", &millis.to_string())
}

async fn ready(world: &World) -> (Founder, String) {
    let founder = world.founder("f@example.com").await;
    let key = world.api_key(&founder).await;
    (founder, key)
}

async fn summary(world: &World, key: &str) -> Value {
    world
        .send(Call::new("GET", "/api/v1/usage/summary").bearer(key))
        .await
        .data(200)
}

#[test]
fn registration() {
    run(async || {
        survive(
            async |_| (),
            async |world, (), _| world.register("r@example.com").await,
            async |world, (), again| {
                again.data(201);
                let mails = world.mails("r@example.com").await;
                let links = mails.iter().filter(|mail| mail["link"].is_string()).count();
                assert_eq!(links, 1, "{mails:?}");
            },
        )
        .await;
    });
}

#[test]
fn login() {
    run(async || {
        survive(
            async |world| {
                world.register("l@example.com").await.data(201);
                world.verify("l@example.com").await.data(200);
            },
            async |world, (), _| world.login("l@example.com").await,
            async |world, (), again| {
                let token = text(&again.data(200)["access_token"]);
                world
                    .send(Call::new("GET", "/api/v1/auth/me").bearer(&token))
                    .await
                    .data(200);
            },
        )
        .await;
    });
}

#[test]
fn refresh() {
    run(async || {
        survive(
            async |world| world.founder("f@example.com").await,
            // At once: a client repeats a lost refresh within the grace.
            async |world, founder, _| {
                let body = json!({"refresh_token": founder.refresh});
                world.send(Call::post("/api/v1/auth/refresh", &body)).await
            },
            async |world, _, again| {
                let body = json!({"refresh_token": again.data(200)["refresh_token"]});
                world
                    .send(Call::post("/api/v1/auth/refresh", &body))
                    .await
                    .data(200);
            },
        )
        .await;
    });
}

/// Rows: J-02
#[test]
fn ingest_loses_nothing_and_counts_nothing_twice() {
    run(async || {
        let events: Vec<Value> = (0..50)
            .map(|n| json!({"id": n.to_string(), "meter": "m", "quantity": 2}))
            .collect();
        survive(
            ready,
            async |world, (_, key), _| {
                world
                    .send(Call::post("/api/v1/usage/events", &json!(events)).bearer(key))
                    .await
            },
            async |world, (_, key), again| {
                let counts = again.data(200);
                let both =
                    counts["inserted"].as_i64().unwrap() + counts["duplicates"].as_i64().unwrap();
                assert_eq!(both, 50);
                let total = summary(world, key).await;
                assert_eq!(
                    (&total["events"], &total["meters"][0]["quantity"]),
                    (&json!(50), &json!(100))
                );
            },
        )
        .await;
    });
}

/// Rows: H-08 H-09
#[test]
fn a_stripe_event_is_applied_once() {
    run(async || {
        survive(
            ready,
            async |world, (founder, _), offset| {
                let now = edgekeep_core::port::Platform::now(world).plus(offset);
                let body = json!({"id": "evt_1", "type": "customer.subscription.created", "created": now.seconds(),
                    "livemode": false, "data": {"object": {"id": "sub_1", "status": "active", "customer": "cus_1",
                    "metadata": {"tenant_id": founder.tenant},
                    "items": {"data": [{"price": {"lookup_key": "edgekeep_starter_monthly"}}]}}}});
                let secret = edgekeep_robustness::variables(&[])["STRIPE_WEBHOOK_SECRET"].clone();
                let signature = sign(&secret, body.to_string().as_bytes(), now);
                let call = Call::post("/webhooks/stripe", &body).header("stripe-signature", &signature);
                world.send(later(call, offset)).await
            },
            async |world, (founder, _), again| {
                again.data(200);
                let call = Call::new("GET", "/api/v1/billing/subscription").bearer(&founder.access);
                let shown = world.send(call).await.data(200);
                assert_eq!(shown["plan"], "STARTER", "{shown}");
            },
        )
        .await;
    });
}

/// Rows: F-08 F-11 F-12
#[test]
fn a_job_is_submitted_once() {
    run(async || {
        survive(
            ready,
            async |world, (_, key), _| {
                let call = Call::post("/api/v1/jobs", &json!({"type": "usage.export"})).bearer(key);
                world.send(call.header("idempotency-key", "k1")).await
            },
            async |world, (_, key), again| {
                let id = text(&again.data(202)["id"]);
                let jobs = world
                    .send(Call::new("GET", "/api/v1/jobs").bearer(key))
                    .await
                    .data(200);
                assert_eq!(
                    (jobs.as_array().unwrap().len(), text(&jobs[0]["id"])),
                    (1, id)
                );
            },
        )
        .await;
    });
}

#[test]
fn an_api_key_is_created_once() {
    run(async || {
        survive(
            async |world| world.founder("f@example.com").await,
            async |world, founder, _| {
                let call =
                    Call::post("/api/v1/api-keys", &json!({"name": "k"})).bearer(&founder.access);
                world.send(call.header("idempotency-key", "k1")).await
            },
            async |world, founder, again| {
                again.data(201);
                let keys = world
                    .send(Call::new("GET", "/api/v1/api-keys").bearer(&founder.access))
                    .await;
                assert_eq!(keys.data(200).as_array().unwrap().len(), 1);
            },
        )
        .await;
    });
}

/// Rows: G-12 G-16
#[test]
fn a_job_that_loses_its_worker_is_finished_by_the_next() {
    run(async || {
        survive(
            async |world| {
                let (founder, key) = ready(world).await;
                let events: Vec<Value> = (0..7)
                    .map(|n| json!({"id": n.to_string(), "meter": "m"}))
                    .collect();
                world
                    .send(Call::post("/api/v1/usage/events", &json!(events)).bearer(&key))
                    .await
                    .data(200);
                let job = Call::post("/api/v1/jobs", &json!({"type": "usage.export"})).bearer(&key);
                let job = text(&world.send(job).await.data(202)["id"]);
                (founder, key, job)
            },
            // The lease of a lost worker runs by the real clock, so the test moves the row's time
            // by waking it until it may be taken.
            async |world, (_, _, job), offset| {
                if offset > 0 {
                    expire_lease(world, job).await;
                }
                edgekeep_core::jobs::on_wake(world, job).await;
                world.send(Call::new("GET", "/healthz")).await
            },
            async |world, (_, key, job), again| {
                again.data(200);
                let path = format!("/api/v1/jobs/{job}");
                let shown = world
                    .send(Call::new("GET", &path).bearer(key))
                    .await
                    .data(200);
                assert_eq!(shown["state"], "completed", "{shown}");
                let result = world
                    .send(Call::new("GET", &format!("{path}/result")).bearer(key))
                    .await;
                let text = String::from_utf8(result.0.body).unwrap();
                assert_eq!(text.lines().count(), 7);
            },
        )
        .await;
    });
}

async fn expire_lease(world: &World, job: &str) {
    use edgekeep_core::port::{Database as _, Platform as _};
    use edgekeep_core::sql::SystemQuery;
    static EXPIRE: SystemQuery = SystemQuery::new(
        "test.expire_lease",
        "UPDATE jobs SET leased_until = 0 WHERE id = ?1",
    );
    world
        .database()
        .unwrap()
        .query(&EXPIRE.bind([job.into()]))
        .await
        .unwrap();
}

/// Rows: P-12 Q-06 F-15
#[test]
fn everything_works_while_every_key_value_call_fails() {
    run(async || {
        let world = World::new(&[]).await;
        world.key_value_down(true);
        let (founder, key) = ready(&world).await;
        let submit = || {
            let call = Call::post("/api/v1/jobs", &json!({"type": "usage.export"})).bearer(&key);
            call.header("idempotency-key", "k")
        };
        let first = world.send(submit()).await.data(202);
        assert_eq!(world.send(submit()).await.data(202)["id"], first["id"]);
        world
            .send(Call::new("GET", "/api/v1/auth/me").bearer(&founder.access))
            .await
            .data(200);
        assert_eq!(summary(&world, &key).await["events"], 0);
        let health = world.send(Call::new("GET", "/health")).await.data(200);
        assert_eq!(health["status"], "degraded");
    });
}
