//! Cases of the database port, and the tables they use.

pub(crate) mod batches;
pub(crate) mod races;
pub(crate) mod statements;
pub(crate) mod values;

use edgekeep_core::port::Platform;
use edgekeep_core::sql::{Statement, SystemQuery, Value};

use crate::bench::{Bench, Outcome};

/// Rows with a place, an integer and a text.
static ROWS: SystemQuery = SystemQuery::new(
    "conformance.rows",
    "CREATE TABLE IF NOT EXISTS conformance_rows (id TEXT NOT NULL, place INTEGER NOT NULL,
        number INTEGER, body TEXT, PRIMARY KEY (id, place)) STRICT",
)
.postgres(
    "CREATE TABLE IF NOT EXISTS conformance_rows (id TEXT COLLATE \"C\" NOT NULL,
        place BIGINT NOT NULL, number BIGINT, body TEXT COLLATE \"C\", PRIMARY KEY (id, place))",
);

/// Counters with an owner.
static COUNTERS: SystemQuery = SystemQuery::new(
    "conformance.counters",
    "CREATE TABLE IF NOT EXISTS conformance_counters (id TEXT NOT NULL PRIMARY KEY,
        hits INTEGER NOT NULL CHECK (hits >= 0), owner TEXT) STRICT",
)
.postgres(
    "CREATE TABLE IF NOT EXISTS conformance_counters (id TEXT NOT NULL PRIMARY KEY,
        hits BIGINT NOT NULL CHECK (hits >= 0), owner TEXT)",
);

/// Children of counters.
static CHILDREN: SystemQuery = SystemQuery::new(
    "conformance.children",
    "CREATE TABLE IF NOT EXISTS conformance_children (id TEXT NOT NULL PRIMARY KEY,
        parent TEXT NOT NULL REFERENCES conformance_counters (id) ON DELETE CASCADE)",
);

/// `?1` id, `?2` place, `?3` number, `?4` body.
static INSERT: SystemQuery = SystemQuery::new(
    "conformance.insert",
    "INSERT INTO conformance_rows (id, place, number, body) VALUES (?1, ?2, ?3, ?4)",
);

/// `?1` id.
static COUNT: SystemQuery = SystemQuery::new(
    "conformance.count",
    "SELECT COUNT(*) FROM conformance_rows WHERE id = ?1",
);

/// `?1` id: counts one more and says how many.
static HIT: SystemQuery = SystemQuery::new(
    "conformance.hit",
    "INSERT INTO conformance_counters (id, hits) VALUES (?1, 1)
    ON CONFLICT (id) DO UPDATE SET hits = conformance_counters.hits + 1 RETURNING hits",
);

pub(crate) async fn prepare<P: Platform>(bench: &Bench<'_, P>) -> Outcome {
    for table in [&ROWS, &COUNTERS, &CHILDREN] {
        bench.query(table.bind([])).await?;
    }
    Ok(())
}

fn insert(id: &str, place: i64, number: Option<i64>, body: Option<&str>) -> Statement {
    INSERT.bind([id.into(), place.into(), number.into(), body.into()])
}

fn count(id: &str) -> Statement {
    COUNT.bind([id.into()])
}

fn hit(id: &str) -> Statement {
    HIT.bind([Value::from(id)])
}
