//! Invoices add up to what was used, whatever fails and however late events come.

use std::collections::BTreeMap;

use edgekeep_core::auth::token::issue_service;
use edgekeep_core::port::Platform as _;
use edgekeep_core::sql::{Row, SystemQuery};
use edgekeep_core::time::{DAY, HOUR, Millis};
use edgekeep_robustness::{Answer, Call, Fault, World, run};
use serde_json::{Value, json};

use crate::faults::later;

static LINES: SystemQuery = SystemQuery::new(
    "test.lines",
    "SELECT meter, month, CAST(SUM(quantity) AS BIGINT), CAST(SUM(amount_minor) AS BIGINT)
    FROM invoice_lines GROUP BY meter, month",
);
static HOURS: SystemQuery = SystemQuery::new(
    "test.hours",
    "SELECT meter, hour, quantity FROM usage_hourly",
);
static INVOICES: SystemQuery = SystemQuery::new(
    "test.invoices",
    "SELECT i.sequence, i.total_minor,
        (SELECT CAST(SUM(l.amount_minor) AS BIGINT) FROM invoice_lines l WHERE l.invoice_id = i.id)
    FROM invoices i ORDER BY i.sequence",
);

static EVENTS: SystemQuery = SystemQuery::new(
    "test.invoice_events",
    "SELECT topic, payload FROM outbox WHERE topic LIKE 'invoice.%' ORDER BY created_at, id",
);
static AUDIT: SystemQuery = SystemQuery::new(
    "test.settled",
    "SELECT id FROM audit_log WHERE action = 'invoice.settle'",
);

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % most
    }
}

fn token(world: &World, function: &str, offset: i64) -> String {
    let ready = world.app().ready().unwrap();
    issue_service(&ready.keys, "test", function, world.now().plus(offset)).unwrap()
}

async fn tick(world: &World, offset: i64) -> Answer {
    let call = Call::new("POST", "/api/v1/scheduler/tick?task=invoices");
    let call = call.header("content-type", "application/json");
    world
        .send(later(
            call.bearer(&token(world, "scheduler", offset)),
            offset,
        ))
        .await
}

/// The same call until it works, the first time with something failing in the database.
async fn with_a_fault(world: &World, dice: &mut Dice, call: impl AsyncFn(i64) -> Answer) {
    let kinds = [Fault::Before, Fault::After, Fault::Statement];
    let kind = kinds[dice.below(3) as usize];
    world.set(kind(1 + dice.below(14) as u32));
    let first = call(0).await;
    world.set(Fault::None);
    if first.status() != 200 || dice.below(3) == 0 {
        // Later than the lease of a run that broke off.
        call(DAY / 24).await.data(200);
    }
}

/// What was meant to be counted, by meter and month.
type Meant = BTreeMap<(String, String), i64>;

async fn use_something(
    world: &World,
    key: &str,
    dice: &mut Dice,
    offset: i64,
    meant: &mut Meant,
    sent: &mut u64,
) {
    let now = world.now().plus(offset);
    let mut events = Vec::new();
    for _ in 0..1 + dice.below(8) {
        let again = *sent > 0 && dice.below(4) == 0;
        let id = if again { dice.below(*sent) } else { *sent };
        let at = Millis(now.0 - (dice.below(34 * 24) as i64) * HOUR);
        let (meter, quantity) = (format!("m{}", dice.below(3)), dice.below(500) as i64);
        events.push(json!({"id": id.to_string(), "meter": meter, "quantity": quantity, "timestamp": at.rfc3339()}));
        if !again {
            *sent += 1;
            *meant.entry((meter, at.month())).or_default() += quantity;
        }
    }
    let body = Value::from(events);
    with_a_fault(world, dice, async |_| {
        let call = Call::post("/api/v1/usage/events", &body).bearer(key);
        world.send(later(call, offset)).await
    })
    .await;
}

fn by_month(rows: &[Row]) -> Meant {
    let mut sums = Meant::new();
    for row in rows {
        let month = Millis(row.int(1).unwrap()).month();
        *sums
            .entry((row.text(0).unwrap().to_owned(), month))
            .or_default() += row.int(2).unwrap();
    }
    sums
}

/// Rows: H-30 J-09
#[test]
fn events_rollups_and_invoice_lines_have_one_sum() {
    for seed in 1..=12 {
        run(async || {
            let world = World::new(&[]).await;
            let founder = world.founder("f@example.com").await;
            let key = world.api_key(&founder).await;
            let price = json!({"plan": "FREE", "meter": "m0", "unitAmountMinor": 7, "perUnits": 3, "includedUnits": 50,
                "fromMonth": "2020-01"});
            for meter in ["m0", "m1"] {
                let mut price = price.clone();
                price["meter"] = meter.into();
                let mut call =
                    Call::post("/api/v1/prices", &price).bearer(&token(&world, "invoices", 0));
                call.method = "PUT".to_owned();
                world.send(call).await.data(200);
            }
            let (mut dice, mut meant, mut sent) = (Dice(seed), Meant::new(), 0);
            // Half a year in steps of some days.
            let mut offset = 0;
            while offset < 180 * DAY {
                use_something(&world, &key, &mut dice, offset, &mut meant, &mut sent).await;
                with_a_fault(&world, &mut dice, async |more| {
                    tick(&world, offset + more).await
                })
                .await;
                offset += (1 + dice.below(9) as i64) * DAY;
            }
            // What came last is billed when its month, and the next, are over.
            tick(&world, offset + 70 * DAY).await.data(200);

            meant.retain(|_, sum| *sum > 0);
            let mut hours = by_month(&world.sql(&HOURS, &[]).await);
            hours.retain(|_, sum| *sum > 0);
            assert_eq!(hours, meant, "seed {seed}");
            meant.retain(|(meter, _), _| meter != "m2");
            let lines = world.sql(&LINES, &[]).await;
            let billed: Meant = lines
                .iter()
                .map(|row| {
                    (
                        (
                            row.text(0).unwrap().to_owned(),
                            row.text(1).unwrap().to_owned(),
                        ),
                        row.int(2).unwrap(),
                    )
                })
                .collect();
            assert_eq!(billed, meant, "seed {seed}");
            for row in &lines {
                let units = (row.int(2).unwrap() - 50).max(0);
                assert_eq!(row.int(3).unwrap(), (units * 7 * 2 + 3) / 6, "seed {seed}");
            }
            for (at, row) in world.sql(&INVOICES, &[]).await.iter().enumerate() {
                assert_eq!(row.int(0).unwrap(), at as i64 + 1);
                assert_eq!(row.int(1).unwrap(), row.int(2).unwrap());
            }
            // Each was told of once, whatever failed.
            let invoices = world.sql(&INVOICES, &[]).await;
            let mut totals: Vec<_> = invoices.iter().map(|row| row.int(1).unwrap()).collect();
            let mut told: Vec<_> = events(&world)
                .await
                .iter()
                .map(|(_, told)| told["amount_minor"].as_i64().unwrap())
                .collect();
            totals.sort_unstable();
            told.sort_unstable();
            assert_eq!(told, totals, "seed {seed}");
        });
    }
}

/// Topics and payloads of what was told of invoices.
async fn events(world: &World) -> Vec<(String, Value)> {
    let rows = world.sql(&EVENTS, &[]).await;
    let told = rows.iter().map(|row| {
        let payload = serde_json::from_str(row.text(1).unwrap()).unwrap();
        (row.text(0).unwrap().to_owned(), payload)
    });
    told.collect()
}

/// Rows: H-33 K-04
#[test]
fn what_becomes_of_an_invoice_is_told_once_and_recorded_once() {
    for (status, topic) in [
        ("paid", "invoice.paid"),
        ("void", "invoice.voided"),
        ("uncollectible", "invoice.marked_uncollectible"),
    ] {
        run(async || {
            let world = World::new(&[]).await;
            let founder = world.founder("f@example.com").await;
            let key = world.api_key(&founder).await;
            let price = json!({"plan": "FREE", "meter": "m", "unitAmountMinor": 7});
            let mut call =
                Call::post("/api/v1/prices", &price).bearer(&token(&world, "invoices", 0));
            call.method = "PUT".to_owned();
            world.send(call).await.data(200);
            let used = json!({"id": "1", "meter": "m", "quantity": 3});
            let call = Call::post("/api/v1/usage/events", &used).bearer(&key);
            world.send(call).await.data(200);
            for _ in 0..2 {
                tick(&world, 35 * DAY).await.data(200);
            }
            let all = events(&world).await;
            let [(created, told)] = all.as_slice() else {
                panic!("{all:?}")
            };
            assert_eq!(created, "invoice.created");
            assert_eq!(
                (&told["amount_minor"], &told["currency"]),
                (&json!(21), &json!("usd"))
            );
            let path = format!(
                "/api/v1/invoices/{}/status",
                told["invoice"].as_str().unwrap()
            );
            let settle = async |status: &str| {
                let mut call = Call::post(&path, &json!({"status": status}));
                call.method = "PUT".to_owned();
                let call = call.header("x-tenant-id", &founder.tenant);
                world
                    .send(call.bearer(&token(&world, "invoices", 0)))
                    .await
                    .status()
            };
            // Fails after each statement in turn: nothing is told of what did not happen.
            for statement in 1.. {
                world.set(Fault::Statement(statement));
                if settle(status).await == 200 {
                    assert!(statement > 4, "{statement}");
                    break;
                }
                assert_eq!(events(&world).await.len(), 1, "{statement}");
                assert_eq!(world.sql(&AUDIT, &[]).await.len(), 0, "{statement}");
            }
            world.set(Fault::None);
            let other = if status == "paid" { "void" } else { "paid" };
            assert_eq!(
                [
                    settle(status).await,
                    settle(status).await,
                    settle(other).await
                ],
                [200, 200, 409]
            );
            let all = events(&world).await;
            assert_eq!(all.len(), 2, "{all:?}");
            // It was made in the future, by the moved clock.
            let (settled, told) = &all[0];
            assert_eq!(settled, topic);
            assert!(told["number"].as_str().unwrap().starts_with("INV-"));
            assert_eq!(world.sql(&AUDIT, &[]).await.len(), 1);
        });
    }
}
