//! The rows of ingest, written by rusqlite in one process: no HTTP, no JSON, no D1, one thread. What a
//! stack reaches of it is the share that everything around SQLite leaves.
//!
//! `edgekeep-bench-bare DIRECTORY SECONDS SIZE…` makes a database in the directory for each size of a
//! batch and prints `SIZE EVENTS_A_SECOND` for it. It runs at the top of the repository.

#![allow(
    clippy::disallowed_methods,
    reason = "a program of its own, with a clock and files"
)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior, params};

const METERS: [&str; 4] = ["api.calls", "tokens.in", "tokens.out", "storage.bytes"];
const HOUR: i64 = 3_600_000;
/// Any moment will do; the rows are as long at each.
const NOW: i64 = 1_795_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("needs a directory")?;
    let seconds = arguments.next().ok_or("needs seconds")?.parse()?;
    for size in arguments {
        let file = Path::new(&directory).join(format!("bare-{size}.sqlite"));
        let mut database = open(&file)?;
        let rate = measure(
            &mut database,
            size.parse()?,
            Duration::from_secs_f64(seconds),
        )?;
        println!("{size} {rate:.0}");
    }
    Ok(())
}

/// A migrated database with one tenant, and the journal that workerd uses.
fn open(file: &Path) -> Result<Connection, Box<dyn Error>> {
    let database = Connection::open(file)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "foreign_keys", true)?;
    let mut migrations: Vec<_> = fs::read_dir("migrations/sqlite")?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    migrations.retain(|path| path.extension().is_some_and(|end| end == "sql"));
    migrations.sort();
    migrations.push("migrations/seed.sql".into());
    for migration in migrations {
        database.execute_batch(&fs::read_to_string(migration)?)?;
    }
    database.execute(
        "INSERT INTO tenants (id, name, plan_id, created_at, updated_at)
         VALUES ('t', 'Bare', 'ENTERPRISE', ?1, ?1)",
        [NOW],
    )?;
    Ok(database)
}

/// Events a second, in transactions of `size` events. Statements are prepared once.
fn measure(database: &mut Connection, size: i64, time: Duration) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut events: i64 = 0;
    while start.elapsed() < time {
        write(database, events, size)?;
        events += size;
    }
    #[allow(clippy::cast_precision_loss, reason = "some millions at most")]
    let rate = events as f64 / start.elapsed().as_secs_f64();
    let stored: i64 =
        database.query_row("SELECT SUM(events) FROM usage_hourly", [], |row| row.get(0))?;
    assert_eq!(stored, events, "every event is in its hour");
    Ok(rate)
}

/// One batch: the events, their hours and their month.
fn write(database: &mut Connection, first: i64, size: i64) -> rusqlite::Result<()> {
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut sums = std::collections::BTreeMap::new();
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO usage_events
                (tenant_id, source, event_id, meter, quantity, subject, occurred_at, received_at)
             VALUES ('t', 'bench', ?1, ?2, ?3, 'cus_1', ?4, ?5)
             ON CONFLICT (tenant_id, source, event_id) DO NOTHING",
        )?;
        for number in first..first + size {
            let meter = METERS[usize::try_from(number % 4).unwrap_or(0)];
            let (quantity, at) = (number % 7 + 1, NOW - number % 3 * 1_800_000);
            let id = format!("evt-{NOW}-{number}");
            insert.execute(params![id, meter, quantity, at, NOW])?;
            let sum = sums.entry((meter, at - at % HOUR)).or_insert((0, 0));
            *sum = (sum.0 + quantity, sum.1 + 1);
        }
        let mut fold = transaction.prepare_cached(
            "INSERT INTO usage_hourly (tenant_id, meter, hour, quantity, events)
             VALUES ('t', ?1, ?2, ?3, ?4)
             ON CONFLICT (tenant_id, meter, hour) DO UPDATE SET
                 quantity = quantity + excluded.quantity, events = events + excluded.events",
        )?;
        for ((meter, hour), (quantity, events)) in sums {
            fold.execute(params![meter, hour, quantity, events])?;
        }
        transaction.prepare_cached(
            "INSERT INTO usage_months (tenant_id, month, events, batch) VALUES ('t', '2026-11', ?1, ?2)
             ON CONFLICT (tenant_id, month) DO UPDATE SET
                 events = events + excluded.events, batch = excluded.batch",
        )?
        .execute(params![size, format!("bat_{first}")])?;
    }
    transaction.commit()
}
