//! Migrations go up, down and up again, many times and several at once.

use std::thread;

use edgekeep_core::time::Millis;
use edgekeep_native::migrate::{Migration, Migrator};
use edgekeep_support::Scratch;
use libtest_mimic::{Failed, Trial};

use super::{OnPostgres, databases, dependencies};

/// One that works, and one that fails after its first statement.
const HALF: &[Migration] = &[
    Migration {
        name: "0001_works",
        up: "CREATE TABLE one (id TEXT)",
        down: "DROP TABLE one",
    },
    Migration {
        name: "0002_fails",
        up: "CREATE TABLE two (id TEXT); INSERT INTO nowhere VALUES (1)",
        down: "DROP TABLE two",
    },
];

/// What a build has that landed another file before the ones applied.
const EARLIER: &[Migration] = &[
    Migration {
        name: "0000_late",
        up: "SELECT 1",
        down: "SELECT 1",
    },
    Migration {
        name: "0001_works",
        up: "SELECT 1",
        down: "SELECT 1",
    },
];

pub(crate) fn trials() -> Vec<Trial> {
    fn with_file(run: impl AsyncFnOnce(&str) -> Result<(), Failed>) -> Result<(), Failed> {
        let scratch = Scratch::new()?;
        let url = format!("sqlite:{}", scratch.path().join("m.db").display());
        databases::block_on(run(&url))
    }
    vec![
        // Rows: M-09
        Trial::test("migrations::go_up_and_down_on_sqlite", || {
            with_file(up_and_down)
        }),
        Trial::test("migrations::fail_whole_on_sqlite", || with_file(fail_whole)),
        Trial::test("migrations::run_once_on_sqlite", || with_file(run_once)),
        // Rows: M-02
        Trial::test("migrations::the_tool_knows_every_step", tool),
    ]
}

pub(crate) fn on_postgres() -> Vec<OnPostgres> {
    vec![
        // Rows: M-09
        ("migrations::go_up_and_down_on_postgres", |server| {
            Box::pin(async move { up_and_down(&server.create().await?).await })
        }),
        ("migrations::fail_whole_on_postgres", |server| {
            Box::pin(async move { fail_whole(&server.create().await?).await })
        }),
        ("migrations::run_once_on_postgres", |server| {
            Box::pin(async move { run_once(&server.create().await?).await })
        }),
    ]
}

async fn up_and_down(url: &str) -> Result<(), Failed> {
    let mut migrator = Migrator::open(url).await?;
    let all = migrator.files().len();
    assert!(
        migrator.seed().await.is_err(),
        "there is nothing to seed yet"
    );
    assert_eq!(migrator.up(Millis(1)).await?.len(), all);
    assert_eq!(migrator.up(Millis(2)).await?.len(), 0);
    assert!(
        migrator
            .status()
            .await?
            .iter()
            .all(|s| s.applied_at == Some(Millis(1)) && s.known)
    );
    migrator.seed().await?;
    // Down by one and up again, and down to nothing and up again.
    for count in [1, all, 1_000] {
        let back = migrator.down(count).await?.len();
        assert_eq!(back, count.min(all));
        let pending = migrator
            .status()
            .await?
            .iter()
            .filter(|s| s.applied_at.is_none())
            .count();
        assert_eq!(pending, back);
        assert_eq!(migrator.up(Millis(3)).await?.len(), back);
    }
    let mut plans = Vec::new();
    for _ in 0..2 {
        migrator.seed().await?;
        plans.push(seeded(url).await?);
    }
    assert_eq!(plans.first(), plans.last());
    assert_eq!(plans.first().map(Vec::len), Some(4));
    Ok(())
}

/// The plans that are there.
async fn seeded(url: &str) -> Result<Vec<String>, Failed> {
    let list = "SELECT id || name || price_minor || sort FROM plans ORDER BY id";
    if let Some(file) = url.strip_prefix("sqlite:") {
        let connection = rusqlite::Connection::open(file)?;
        let mut statement = connection.prepare(list)?;
        return Ok(statement
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?);
    }
    let rows = databases::connect(url).await?.query(list, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn fail_whole(url: &str) -> Result<(), Failed> {
    let mut migrator = Migrator::open(url).await?.with_files(HALF);
    let error = migrator
        .up(Millis(1))
        .await
        .expect_err("the second cannot pass")
        .to_string();
    assert!(
        error.contains("0002_fails") && error.contains("nowhere"),
        "{error}"
    );
    let applied: Vec<bool> = migrator
        .status()
        .await?
        .iter()
        .map(|standing| standing.applied_at.is_some())
        .collect();
    assert_eq!(applied, [true, false]);
    // Its first statement is gone too, or it would now fail at that one.
    let again = migrator
        .up(Millis(1))
        .await
        .expect_err("it still cannot")
        .to_string();
    assert_eq!(again, error);

    let error = Migrator::open(url)
        .await?
        .with_files(EARLIER)
        .up(Millis(1))
        .await;
    let error = error.expect_err("files come last").to_string();
    assert!(
        error.contains("0000_late") && error.contains("rename"),
        "{error}"
    );
    // An older build runs on a newer schema, but cannot take back what it does not know.
    let mut older = Migrator::open(url).await?.with_files(&[]);
    assert_eq!(older.up(Millis(1)).await?.len(), 0);
    assert!(older.status().await?.iter().all(|standing| !standing.known));
    let error = older.down(1).await.expect_err("unknown").to_string();
    assert!(error.contains("newer build"), "{error}");
    assert_eq!(migrator.down(5).await?, ["0001_works"]);
    Ok(())
}

/// Several tools at once do each file once.
async fn run_once(url: &str) -> Result<(), Failed> {
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let url = url.to_owned();
            let work = move || {
                databases::block_on(async move {
                    Ok(Migrator::open(&url).await?.up(Millis(1)).await?.len())
                })
            };
            thread::Builder::new().spawn(work).expect("a thread")
        })
        .collect();
    let mut done = 0;
    for worker in workers {
        done += worker.join().map_err(|_| "a worker panicked")??;
    }
    assert_eq!(done, Migrator::open(url).await?.files().len());
    Ok(())
}

/// The commands of an operator, each by its exit code and its words.
fn tool() -> Result<(), Failed> {
    let scratch = Scratch::new()?;
    let url = format!("sqlite:{}", scratch.path().join("tool.db").display());
    let run = "run --quiet -p edgekeep-native --bin edgekeep";
    let run: Vec<&str> = run.split(' ').collect();
    let migrate = |command: &[&str]| {
        let arguments = [&["--", "migrate"], command, &["--database", &url]].concat();
        Ok::<_, Failed>(String::from_utf8(dependencies::cargo(&run, &arguments)?)?)
    };
    let steps: [(&[&str], &str); 8] = [
        (&["status"], "pending"),
        (&["up"], "applied 0001_init"),
        (&["status"], "Z  0001_init"),
        (&["seed"], "the plans are there"),
        (&["seed"], "the plans are there"),
        (&["down", "1000"], "took back 0001_init"),
        (&["status"], "pending"),
        (&["up"], "applied 0001_init"),
    ];
    for (command, words) in steps {
        let told = migrate(command)?;
        assert!(told.contains(words), "{command:?}: {told}");
    }
    migrate(&["down", "1000"])?;
    let refused = migrate(&["seed"])
        .err()
        .and_then(|failed| failed.message().map(str::to_owned));
    assert!(
        refused.is_some_and(|why| why.contains("edgekeep: ")),
        "there is nothing to seed"
    );
    Ok(())
}
