//! Usage under faults: whatever happens on the way, every event that was accepted counts once.

use std::collections::BTreeMap;

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use edgekeep_core::auth::token::issue_service;
use edgekeep_core::port::Platform as _;
use edgekeep_core::sql::{Row, SystemQuery};
use edgekeep_core::time::{DAY, HOUR, Millis};
use edgekeep_robustness::{Answer, Call, Fault, Founder, World, run, text};
use serde_json::{Value, json};

use super::faults::{later, survive};
use super::metrics::{page, value};

static HOURS: SystemQuery = SystemQuery::new(
    "test.hours",
    "SELECT meter, hour, quantity, events FROM usage_hourly
    WHERE tenant_id = ?1 AND (quantity <> 0 OR events <> 0) ORDER BY meter, hour",
);
static EVENTS: SystemQuery = SystemQuery::new(
    "test.events",
    "SELECT meter, occurred_at - occurred_at % 3600000, SUM(quantity),
        SUM(CASE WHEN corrects IS NULL THEN 1 ELSE 0 END)
    FROM usage_events WHERE tenant_id = ?1 GROUP BY 1, 2
    HAVING SUM(quantity) <> 0 OR SUM(CASE WHEN corrects IS NULL THEN 1 ELSE 0 END) <> 0
    ORDER BY 1, 2",
);
static COUNTED: SystemQuery = SystemQuery::new(
    "test.counted",
    "SELECT (SELECT COUNT(*) FROM usage_events WHERE tenant_id = ?1) AS stored,
        (SELECT COALESCE(SUM(events), 0) FROM usage_months WHERE tenant_id = ?1) AS counted",
);

static TOLD: SystemQuery = SystemQuery::new(
    "test.told",
    "SELECT (SELECT COUNT(*) FROM usage_thresholds WHERE tenant_id = ?1) AS marked,
        (SELECT COUNT(*) FROM outbox WHERE tenant_id = ?1 AND topic = 'quota.threshold') AS told",
);

async fn ready(world: &World) -> (Founder, String) {
    let founder = world.founder("f@example.com").await;
    let key = world.api_key(&founder).await;
    (founder, key)
}

pub(crate) fn service(world: &World, function: &str, offset: i64) -> String {
    let ready = world.app().ready().unwrap();
    issue_service(&ready.keys, "test", function, world.now().plus(offset)).unwrap()
}

fn record(world: &World, tenant: &str, events: &Value, offset: i64) -> Call {
    Call::post("/api/v1/usage/record", events)
        .bearer(&service(world, "usage", offset))
        .header("x-tenant-id", tenant)
}

/// Rows: J-01 J-20
#[test]
fn what_a_service_records_is_neither_lost_nor_counted_twice() {
    run(async || {
        let events: Vec<Value> = (0..1_000)
            .map(|n| json!({"id": n.to_string(), "meter": "m", "quantity": 2}))
            .collect();
        survive(
            ready,
            async |world, (founder, _), offset| {
                let call = record(world, &founder.tenant, &json!(events), offset);
                world.send(later(call, offset)).await
            },
            async |world, (founder, _), again: Answer| {
                let counts = again.data(200);
                let both =
                    counts["inserted"].as_i64().unwrap() + counts["duplicates"].as_i64().unwrap();
                assert_eq!(both, 1_000);
                let rows = world.sql(&COUNTED, &[&founder.tenant]).await;
                assert_eq!(ints(&rows[0]), [1_000, 1_000]);
                agree(world, &founder.tenant).await;
            },
        )
        .await;
    });
}

/// A batch that stops after any of its statements has stored nothing.
///
/// Rows: J-01 J-08
#[test]
fn a_batch_that_stops_in_between_leaves_nothing_behind() {
    run(async || {
        let events = json!([
            {"id": "1", "meter": "m"},
            {"id": "2", "meter": "m", "quantity": -1, "corrects": "1"},
        ]);
        for sender in ["key", "service"] {
            for statement in 1.. {
                let world = World::new(&[]).await;
                let (founder, key) = ready(&world).await;
                let call = || match sender {
                    "key" => Call::post("/api/v1/usage/events", &events).bearer(&key),
                    _ => record(&world, &founder.tenant, &events, 0),
                };
                world.set(Fault::Statement(statement));
                let first = world.send(call()).await;
                if !world.happened() {
                    assert!(statement > 2, "{sender}");
                    break;
                }
                assert_eq!(first.status(), 500, "{sender} {statement}");
                let rows = world.sql(&COUNTED, &[&founder.tenant]).await;
                assert_eq!(ints(&rows[0]), [0, 0], "{sender} {statement}");
                world.set(Fault::None);
                assert_eq!(world.send(call()).await.data(200)["inserted"], 2);
                let rows = world.sql(&COUNTED, &[&founder.tenant]).await;
                assert_eq!(ints(&rows[0]), [2, 2], "{sender} {statement}");
                agree(&world, &founder.tenant).await;
            }
        }
    });
}

/// Rows: J-14
#[test]
fn a_reservation_is_finalised_once_wherever_it_stops() {
    run(async || {
        let events: Vec<Value> = (0..7)
            .map(|n| json!({"id": n.to_string(), "meter": "m"}))
            .collect();
        survive(
            async |world| {
                let (founder, key) = ready(world).await;
                let body = json!({"events": 10, "expiresIn": 600});
                let call = Call::post("/api/v1/usage/reservations", &body).bearer(&key);
                let id = text(&world.send(call).await.data(201)["id"]);
                (founder, key, id)
            },
            async |world, (_, key, id), offset| {
                let path = format!("/api/v1/usage/reservations/{id}/finalise");
                let call = Call::post(&path, &json!(events)).bearer(key);
                world.send(later(call, offset)).await
            },
            async |world, (founder, _, _), again| {
                let counts = again.data(200);
                let both =
                    counts["inserted"].as_i64().unwrap() + counts["duplicates"].as_i64().unwrap();
                assert_eq!(both, 7);
                let rows = world.sql(&COUNTED, &[&founder.tenant]).await;
                assert_eq!(ints(&rows[0]), [7, 7]);
                agree(world, &founder.tenant).await;
            },
        )
        .await;
    });
}

/// Rows: J-07
#[test]
fn attempts_to_record_count_by_how_they_end() {
    run(async || {
        let world = World::new(&[]).await;
        let (founder, key) = ready(&world).await;
        let events = json!({"id": "1", "meter": "m"});
        let by_key = |body: &Value| Call::post("/api/v1/usage/events", body).bearer(&key);
        for (ends, wanted) in [
            ("success", [1, 0, 0]),
            ("refused", [1, 1, 0]),
            ("failure", [1, 1, 1]),
        ] {
            match ends {
                "success" => assert_eq!(world.send(by_key(&events)).await.status(), 200),
                "refused" => assert_eq!(world.send(by_key(&json!([]))).await.status(), 400),
                _ => {
                    world.set(Fault::Before(1));
                    let call = record(&world, &founder.tenant, &events, 0);
                    assert_eq!(world.send(call).await.status(), 503);
                }
            }
            let page = page(&world).await;
            let counted = ["success", "refused", "failure"].map(|result| {
                let series = format!("usage_recording_attempts_total{{result=\"{result}\"}}");
                value(&page, &series)
            });
            assert_eq!(counted, wanted, "{ends}");
        }
    });
}

/// What expires is given back once, wherever the tick stops.
///
/// Rows: J-14 J-18
#[test]
fn the_tick_returns_and_tells_once_wherever_it_stops() {
    run(async || {
        survive(
            async |world| {
                let (founder, key) = ready(world).await;
                for events in [10, 20] {
                    let body = json!({"events": events, "expiresIn": 1});
                    let call = Call::post("/api/v1/usage/reservations", &body).bearer(&key);
                    world.send(call).await.data(201);
                }
                let events: Vec<Value> = (0..800)
                    .map(|n| json!({"id": n.to_string(), "meter": "m"}))
                    .collect();
                let call = Call::post("/api/v1/usage/events", &json!(events)).bearer(&key);
                world.send(call).await.data(200);
                founder
            },
            async |world, _, offset| {
                let offset = offset + 10_000;
                let token = service(world, "scheduler", offset);
                let call = Call::post("/api/v1/scheduler/tick?task=quotas", &json!({}));
                world.send(later(call.bearer(&token), offset)).await
            },
            async |world, founder, again| {
                // An attempt that was lost on its way holds the task's lease for five minutes.
                let _ = again;
                let offset = 400_000;
                let token = service(world, "scheduler", offset);
                let call = Call::post("/api/v1/scheduler/tick?task=quotas", &json!({}));
                world
                    .send(later(call.bearer(&token), offset))
                    .await
                    .data(200);
                let rows = world.sql(&COUNTED, &[&founder.tenant]).await;
                assert_eq!(ints(&rows[0]), [800, 800]);
                let told = world.sql(&TOLD, &[&founder.tenant]).await;
                assert_eq!(ints(&told[0]), [1, 1]);
            },
        )
        .await;
    });
}

fn ints(row: &Row) -> Vec<i64> {
    (0..row.0.len()).filter_map(|at| row.int(at).ok()).collect()
}

/// The hours hold what the events say.
async fn agree(world: &World, tenant: &str) {
    let hours = world.sql(&HOURS, &[tenant]).await;
    let events = world.sql(&EVENTS, &[tenant]).await;
    let plain = |rows: &[Row]| format!("{rows:?}");
    assert_eq!(plain(&hours), plain(&events));
}

/// An event of a random history.
#[derive(Debug, Clone)]
struct Sent {
    id: u8,
    meter: &'static str,
    quantity: i64,
    corrects: bool,
    at: Millis,
}

impl Sent {
    fn draw(u: &mut Unstructured<'_>, now: Millis) -> Result<Self> {
        let corrects = u.ratio(1, 5)?;
        let least = if corrects { -100 } else { 0 };
        Ok(Self {
            id: u.int_in_range(0..=60)?,
            meter: u.choose(&["a", "b"])?,
            quantity: u.int_in_range(least..=100)?,
            corrects,
            // Some late, some in the hour that runs, some at the edges of hours.
            at: match u.int_in_range(0..=3)? {
                0 => now,
                1 => now.minus(u.int_in_range(0..=30 * DAY)?),
                2 => now.minus(u.int_in_range(0..=48)? * HOUR).hour(),
                _ => now.minus(u.int_in_range(0..=48)? * HOUR).hour().minus(1),
            },
        })
    }

    fn json(&self) -> Value {
        let mut event = json!({"id": self.id.to_string(), "meter": self.meter,
            "quantity": self.quantity, "timestamp": self.at.rfc3339()});
        if self.corrects {
            event["corrects"] = json!("0");
        }
        event
    }
}

/// Rows: J-02 J-03 J-08 J-09
#[test]
fn events_hours_and_windows_agree_after_any_history() {
    arbtest(|u| {
        let now = Millis(drawn_at());
        let mut batches = Vec::new();
        for _ in 0..u.int_in_range(1..=8)? {
            let count = u.int_in_range(1..=12)?;
            let events = (0..count)
                .map(|_| Sent::draw(u, now))
                .collect::<Result<Vec<_>>>()?;
            let fault = match u.int_in_range(0..=3)? {
                0 => Fault::Before(1),
                1 => Fault::After(1),
                2 => Fault::Statement(u.int_in_range(1..=5)?),
                _ => Fault::None,
            };
            batches.push((events, fault, u.arbitrary::<bool>()?));
        }
        run(async || history(&batches).await);
        Ok(())
    })
    .budget_ms(6_000);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a history is drawn before there is a platform to ask"
)]
fn drawn_at() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_millis()).unwrap()
}

/// Sends the batches, each until it is taken, and compares what is there with what was sent.
async fn history(batches: &[(Vec<Sent>, Fault, bool)]) {
    let world = World::new(&[]).await;
    let (founder, key) = ready(&world).await;
    let mut known: BTreeMap<u8, Sent> = BTreeMap::new();
    for (events, fault, by_key) in batches {
        let body: Value = events.iter().map(Sent::json).collect();
        world.set(*fault);
        loop {
            let call = if *by_key {
                Call::post("/api/v1/usage/events", &body).bearer(&key)
            } else {
                record(&world, &founder.tenant, &body, 0)
            };
            let answer = world.send(call).await;
            world.set(Fault::None);
            if answer.status() == 200 {
                assert_eq!(answer.json()["data"]["invalid"], 0, "{body}");
                break;
            }
            assert!([500, 503].contains(&answer.status()), "{}", answer.status());
        }
        for event in events {
            known.entry(event.id).or_insert_with(|| event.clone());
        }
    }
    let mut hours: BTreeMap<(&str, i64), (i64, i64)> = BTreeMap::new();
    for event in known.values() {
        let sum = hours.entry((event.meter, event.at.hour().0)).or_default();
        sum.0 += event.quantity;
        sum.1 += i64::from(!event.corrects);
    }
    let rows = world.sql(&HOURS, &[&founder.tenant]).await;
    let stored: Vec<_> = rows
        .iter()
        .map(|row| {
            let numbers = (row.int(2).unwrap(), row.int(3).unwrap());
            ((row.text(0).unwrap(), row.int(1).unwrap()), numbers)
        })
        .collect();
    for meter in ["a", "b"] {
        let wanted: i64 = hours
            .iter()
            .filter(|((of, _), _)| *of == meter)
            .map(|(_, sums)| sums.0)
            .sum();
        // Windows from the rollup, and the same from the events.
        for query in [
            "window=day",
            "window=month",
            "window=day&time_zone=Asia/Kolkata",
        ] {
            assert_eq!(
                windows(&world, &key, meter, query).await,
                wanted,
                "{meter} {query}"
            );
        }
    }
    hours.retain(|_, sums| *sums != (0, 0));
    assert_eq!(stored, hours.into_iter().collect::<Vec<_>>());
    agree(&world, &founder.tenant).await;
    let rows = world.sql(&COUNTED, &[&founder.tenant]).await;
    let all = i64::try_from(known.len()).unwrap();
    assert_eq!(ints(&rows[0]), [all, all]);
}

/// The sum of all windows of the last 40 days and the next one.
async fn windows(world: &World, key: &str, meter: &str, query: &str) -> i64 {
    let (from, to) = (world.now().minus(40 * DAY), world.now().plus(DAY));
    let (from, to) = (from.rfc3339(), to.rfc3339());
    let target = format!("/api/v1/usage/query?meter={meter}&from={from}&to={to}&{query}");
    let answer = world.send(Call::new("GET", &target).bearer(key)).await;
    let data = answer.data(200);
    let values = data["values"].as_array().unwrap().iter();
    values.map(|one| one["value"].as_i64().unwrap()).sum()
}
