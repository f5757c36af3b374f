//! Every route that takes an `Idempotency-Key`, stopped wherever it can be stopped, and tried again.

use edgekeep_core::functions;
use edgekeep_core::http::{Idempotency, RouteInfo};
use edgekeep_core::sql::SystemQuery;
use edgekeep_robustness::{Answer, Call, Fault, Founder, World, run, text};
use serde_json::json;

use super::payments;
use super::stripe_events::{KEY, STARTER};

static TABLES: SystemQuery = SystemQuery::new(
    "test.tables",
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'",
);
static SUBSCRIPTION: SystemQuery = SystemQuery::new(
    "test.subscription",
    "INSERT INTO subscriptions (id, tenant_id, plan_id, status, version_at, created_at, updated_at)
    VALUES ('sub_1', ?1, 'PROFESSIONAL', 'active', 1, 1, 1)",
);
static UPGRADE: SystemQuery = SystemQuery::new(
    "test.upgrade",
    "UPDATE tenants SET plan_id = 'PROFESSIONAL'",
);

/// How many rows each table has.
async fn rows(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for row in world.sql(&TABLES, &[]).await {
        let table = row.text(0).unwrap().to_owned();
        let count = format!("SELECT COUNT(*) FROM {table}").leak();
        let count: &'static SystemQuery =
            Box::leak(Box::new(SystemQuery::new("test.count", count)));
        let count = world.sql(count, &[]).await[0].int(0).unwrap();
        all.push(format!("{table} {count}"));
    }
    all
}

/// A world with a founder, on a plan that has everything, and the id of their API key.
async fn prepared() -> (World, Founder, String) {
    let world = World::new(&KEY).await;
    let founder = world.founder("f@example.com").await;
    world.sql(&UPGRADE, &[]).await;
    world.stripe(|stripe| {
        stripe.price(STARTER, 2_900);
        stripe.price("edgekeep_professional_monthly", 19_900);
    });
    let key = world.api_key(&founder).await;
    let id = format!("key_{}", key.split('_').nth(2).unwrap());
    (world, founder, id)
}

/// What the route needs besides: a subscription, where one is changed.
async fn prepared_for(route: &RouteInfo) -> (World, Founder, String) {
    if route.name.starts_with("payments.") {
        return payment_for(route).await;
    }
    let (world, founder, key) = prepared().await;
    if route.name.starts_with("billing.") && route.name != "billing.checkout" {
        world.stripe(|stripe| {
            let price = json!({"id": "price_old", "lookup_key": "edgekeep_professional_monthly"});
            stripe.put(json!({"id": "sub_1", "object": "subscription", "status": "active",
                "metadata": {"tenant_id": founder.tenant},
                "items": {"data": [{"id": "si_1", "current_period_end": 2_000_000_000, "price": price}]}}));
        });
        world.sql(&SUBSCRIPTION, &[&founder.tenant]).await;
    }
    (world, founder, key)
}

/// A payment in the state that the route changes, and its id.
async fn payment_for(route: &RouteInfo) -> (World, Founder, String) {
    let (world, founder) = payments::shop().await;
    if route.name == "payments.create" {
        return (world, founder, String::new());
    }
    let (id, intent) = payments::begun(&world, &founder).await;
    payments::pay(&world, &intent).await;
    if route.name == "payments.complete" {
        let place = format!("{id}/confirm");
        payments::act(&world, &founder, "POST", &place)
            .await
            .data(200);
    }
    (world, founder, id)
}

/// A request that the route takes.
fn request(route: &RouteInfo, key: &str) -> Call {
    let body = match route.name {
        "jobs.submit" => json!({"type": "usage.export"}),
        "api_keys.reroll" => json!({}),
        "roles.create" => json!({"name": "x", "base": "client", "permissions": []}),
        "billing.checkout" | "billing.change_plan" => json!({"plan": "STARTER"}),
        "billing.cancel" | "billing.resume" => json!({}),
        "payments.create" => json!({"product": "report"}),
        name if name.starts_with("payments.") => json!({}),
        _ => json!({"name": "x"}),
    };
    let mut call = Call::post(&route.path.replace(":id", key), &body);
    route.method.name().clone_into(&mut call.method);
    call
}

/// The id of what was made or changed.
fn id(answer: &Answer) -> String {
    let data = &answer.json()["data"];
    let made = data.get("subscription").unwrap_or(data);
    text(&made["id"])
}

async fn send(world: &World, founder: &Founder, call: &Call) -> Answer {
    let call = call.clone().header("idempotency-key", "k");
    world.send(call.bearer(&founder.access)).await
}

/// One effect, one answer, nothing stuck: after the failure a repetition with the same key does what a
/// first request does, or gives the answer of the one that was done and not heard of.
///
/// Rows: F-11 F-12 F-13
#[test]
fn every_route_with_a_key_acts_once_wherever_it_stops() {
    run(async || {
        let all = functions::routes();
        let routes = all
            .iter()
            .filter(|(_, route)| route.idempotency != Idempotency::None);
        let mut stops = 0;
        for (_, route) in routes {
            let (world, founder, key) = prepared_for(route).await;
            let clean = send(&world, &founder, &request(route, &key)).await;
            assert!(matches!(clean.status(), 200..=202), "{}", clean.json());
            let expected = rows(&world).await;
            for fault in [Fault::Before, Fault::After, Fault::Statement] {
                for at in 1.. {
                    let (world, founder, key) = prepared_for(route).await;
                    let call = request(route, &key);
                    world.set(fault(at));
                    let first = send(&world, &founder, &call).await;
                    if !world.happened() {
                        assert!(at > 2, "{} has hardly any statements", route.name);
                        break;
                    }
                    stops += 1;
                    let told = format!("{} {:?}", route.name, fault(at));
                    // Answers come from KV's copy and, without it, from SQL.
                    world.key_value_down(at % 2 == 0);
                    // A checkout whose end is not known keeps others away for two minutes.
                    let call = match route.name {
                        "billing.checkout" => call.header("x-test-clock-offset-ms", "121000"),
                        _ => call,
                    };
                    let second = send(&world, &founder, &call).await;
                    assert_eq!(second.status(), clean.status(), "{told}: {}", second.json());
                    let third = send(&world, &founder, &call).await;
                    assert_eq!(third.status(), clean.status(), "{told}: {}", third.json());
                    assert_eq!(
                        third.0.header("idempotent-replayed"),
                        Some("true"),
                        "{told}"
                    );
                    let made = id(&third);
                    assert_eq!(id(&second), made, "{told}");
                    if first.status() < 300 {
                        assert_eq!(id(&first), made, "{told}");
                    }
                    assert_eq!(rows(&world).await, expected, "{told}");
                }
            }
        }
        assert!(stops > 9 * 8, "{stops}");
    });
}
