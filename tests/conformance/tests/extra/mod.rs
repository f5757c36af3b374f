//! What only a native database can show: other processes, lost connections, a schema that moves.

mod cleanup;
mod trips;

use std::sync::Arc;
use std::thread;

use edgekeep_core::port::{Database as _, DatabaseError, Platform as _};
use edgekeep_core::sql::{Row, SystemQuery, Value};
use edgekeep_native::Platform;
use edgekeep_support::{Postgres, Scratch};
use libtest_mimic::{Failed, Trial};

use trips::{Trips, proxy};

use super::{block_on, platform};

static TABLE: SystemQuery = SystemQuery::new(
    "extra.table",
    "CREATE TABLE IF NOT EXISTS extra (id TEXT PRIMARY KEY, hits BIGINT)",
);

static HIT: SystemQuery = SystemQuery::new(
    "extra.hit",
    "INSERT INTO extra (id, hits) VALUES (?1, 1)
    ON CONFLICT (id) DO UPDATE SET hits = extra.hits + 1 RETURNING hits",
);

static ALL: SystemQuery = SystemQuery::new("extra.all", "SELECT * FROM extra");

static WIDEN: SystemQuery =
    SystemQuery::new("extra.widen", "ALTER TABLE extra ADD COLUMN more BIGINT");

static KILL: SystemQuery = SystemQuery::new(
    "extra.kill",
    "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()",
);

static NAP: SystemQuery = SystemQuery::new("extra.nap", "SELECT pg_sleep(60)");

static OPEN: SystemQuery = SystemQuery::new(
    "extra.open",
    "SELECT COUNT(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
);

pub(crate) fn sqlite() -> Vec<Trial> {
    vec![Trial::test("sqlite::extra.processes_share_a_file", || {
        let scratch = Scratch::new()?;
        let url = format!("sqlite:{}", scratch.path().join("test.db").display());
        block_on(async { hits(&platform(&url).await?, 0).await })?;
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                let work = move || block_on(async { hits(&platform(&url).await?, 100).await });
                thread::Builder::new().spawn(work).expect("a thread")
            })
            .collect();
        for worker in workers {
            worker.join().map_err(|_| "a worker panicked")??;
        }
        block_on(async { expect(&platform(&url).await?, 402).await })
    })]
}

pub(crate) fn postgres(server: &Arc<Postgres>) -> Vec<Trial> {
    let trial = |name: &str, run: fn(&Postgres) -> Result<(), Failed>| {
        let server = Arc::clone(server);
        Trial::test(format!("postgres::extra.{name}"), move || run(&server))
    };
    vec![
        trial("a_lost_connection_is_replaced", |server| {
            block_on(async {
                let url = server.create().await?;
                let (one, other) = (platform(&url).await?, platform(&url).await?);
                hits(&one, 3).await?;
                other
                    .database()
                    .map_err(|_| "missing")?
                    .query(&KILL.bind([]))
                    .await?;
                // At most the first call notices, and says that another try may help.
                let first = one.database().map_err(|_| "missing")?.query(&hit()).await;
                let sum = if first.is_ok() { 5 } else { 4 };
                if !matches!(first, Ok(_) | Err(DatabaseError::Unavailable(_))) {
                    return Err(format!("{first:?}").into());
                }
                expect(&one, sum).await
            })
        }),
        trial("a_call_that_hangs_is_given_up", |server| {
            block_on(async {
                let url = server.create().await?;
                let platform = platform(&url).await?;
                hits(&platform, 0).await?;
                let database = platform.database().map_err(|_| "missing")?;
                let nap = [hit(), NAP.bind([])];
                let (query, batch) = tokio::join!(database.query(&nap[1]), database.batch(&nap));
                assert!(
                    matches!(query, Err(DatabaseError::Unavailable(_))),
                    "{query:?}"
                );
                assert!(
                    matches!(batch, Err(DatabaseError::Unavailable(_))),
                    "{batch:?}"
                );
                Ok(())
            })
        }),
        trial("a_renewed_row_survives_the_clean_up", |server| {
            block_on(cleanup::a_renewed_row_survives(server))
        }),
        trial("a_changed_schema_passes", |server| {
            block_on(async {
                let url = server.create().await?;
                let platform = platform(&url).await?;
                hits(&platform, 1).await?;
                let database = platform.database().map_err(|_| "missing")?;
                database.query(&ALL.bind([])).await?;
                database.query(&WIDEN.bind([])).await?;
                // What was prepared for the old schema may fail once, as passing.
                if let Err(error) = database.query(&ALL.bind([])).await {
                    assert!(matches!(error, DatabaseError::Busy(_)), "{error}");
                }
                let rows = database.query(&ALL.bind([])).await?;
                let wanted = vec![Row(vec!["one".into(), Value::Int(1), Value::Null])];
                if rows == wanted {
                    Ok(())
                } else {
                    Err(format!("{rows:?}").into())
                }
            })
        }),
        trial("a_value_of_another_type_leaves_nothing", |server| {
            block_on(async {
                let url = server.create().await?;
                let platform = platform(&url).await?;
                hits(&platform, 0).await?;
                let database = platform.database().map_err(|_| "missing")?;
                // The driver finds out, so the server never hears of this statement.
                let odd = HIT.bind([Value::Int(1)]);
                let result = database.batch(&[hit(), odd, hit()]).await;
                assert!(
                    matches!(result, Err(DatabaseError::Refused(_))),
                    "{result:?}"
                );
                expect(&platform, 2).await
            })
        }),
        trial("a_batch_is_one_round_trip", |server| {
            block_on(async {
                let url = server.create().await?;
                let (head, name) = url.rsplit_once('/').ok_or("no name")?;
                let (_, port) = head.rsplit_once(':').ok_or("no port")?;
                let trips = Arc::new(Trips::default());
                let own = proxy(port.parse()?, Arc::clone(&trips)).await?;
                let url = format!("postgres://edgekeep@127.0.0.1:{own}/{name}");
                let platform = platform(&url).await?;
                hits(&platform, 0).await?;
                let database = platform.database().map_err(|_| "missing")?;
                let batch: Vec<_> = (0..40).map(|_| hit()).chain([ALL.bind([])]).collect();
                trips.take();
                database.batch(&batch).await?;
                let first = trips.take();
                database.batch(&batch).await?;
                let later = trips.take();
                database.query(&hit()).await?;
                let query = trips.take();
                // The first also prepares one statement that is new.
                let found = (first, later, query);
                if found == (2, 1, 1) {
                    Ok(())
                } else {
                    Err(format!("{found:?} trips").into())
                }
            })
        }),
        trial("no_transaction_stays_open", |server| {
            block_on(async {
                let url = server.create().await?;
                let platform = platform(&url).await?;
                hits(&platform, 0).await?;
                let database = platform.database().map_err(|_| "missing")?;
                for round in (0..4_000_u64).step_by(100) {
                    let batch = [hit(), hit(), hit()];
                    let patience = std::time::Duration::from_micros(round);
                    let _ = tokio::time::timeout(patience, database.batch(&batch)).await;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                let rows = database.query(&OPEN.bind([])).await?;
                if rows != [Row(vec![Value::Int(0)])] {
                    return Err(format!("{rows:?}").into());
                }
                let rows = database.query(&hit()).await?;
                let hits = rows.first().ok_or("no row")?.int(0)?;
                if hits % 3 == 2 {
                    Ok(())
                } else {
                    Err(format!("{hits} hits").into())
                }
            })
        }),
    ]
}

fn hit() -> edgekeep_core::sql::Statement {
    HIT.bind(["one".into()])
}

/// Makes the table and a row, then counts `times` more.
async fn hits(platform: &Platform, times: usize) -> Result<(), Failed> {
    let database = platform.database().map_err(|_| "missing")?;
    if times == 0 {
        database.query(&TABLE.bind([])).await?;
        database.query(&hit()).await?;
    }
    for _ in 0..times {
        database.query(&TABLE.bind([])).await?;
        database.batch(&[hit()]).await?;
    }
    Ok(())
}

/// The next hit must be this one.
async fn expect(platform: &Platform, wanted: i64) -> Result<(), Failed> {
    let rows = platform
        .database()
        .map_err(|_| "missing")?
        .query(&hit())
        .await?;
    let found = rows.first().ok_or("no row")?.int(0)?;
    if found == wanted {
        Ok(())
    } else {
        Err(format!("{found} instead of {wanted}").into())
    }
}
