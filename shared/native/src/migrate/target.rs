//! The few things a migration asks of a database.

use edgekeep_core::time::Millis;
use rusqlite::Connection;
use tokio_postgres::{Client, Config};

use super::MigrateError;
use crate::database::{chain, connect};
use crate::postgres_tls;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS edgekeep_migrations \
                     (name TEXT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)";
const LIST: &str = "SELECT name, applied_at FROM edgekeep_migrations ORDER BY name";
/// "edgekeep" in ASCII, so that the lock collides with nobody else's.
const LOCK: &str = "BEGIN; SELECT pg_advisory_xact_lock(7306078180792952176)";

/// A database by its own driver: migrations are scripts, which the port does not run.
#[derive(Debug)]
pub(super) enum Target {
    Sqlite(Connection),
    Postgres(Box<Client>),
}

impl Target {
    pub(super) async fn open(url: &str) -> Result<Self, MigrateError> {
        if let Some(file) = url.strip_prefix("sqlite:") {
            return connect(file).map(Self::Sqlite).map_err(|error| {
                MigrateError::new(format!("{file}: {error} (does its directory exist?)"))
            });
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            let forms = "--database takes sqlite:FILE or postgres://user@host/name";
            return Err(MigrateError::new(forms));
        }
        let config = url
            .parse::<Config>()
            .map_err(|error| MigrateError::new(chain(&error)))?;
        let client = postgres_tls::connect(&config).await;
        client
            .map(|client| Self::Postgres(Box::new(client)))
            .map_err(MigrateError::new)
    }

    /// Names and times of what is applied, without making anything.
    pub(super) async fn applied(&self) -> Result<Vec<(String, Millis)>, MigrateError> {
        let there = match self {
            Self::Sqlite(_) => {
                "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'edgekeep_migrations'"
            }
            Self::Postgres(_) => "SELECT COUNT(to_regclass('edgekeep_migrations'))",
        };
        let list = match self {
            Self::Sqlite(sqlite) => sqlite_list(sqlite, there).map_err(|error| error.to_string()),
            Self::Postgres(client) => postgres_list(client, there)
                .await
                .map_err(|error| chain(&error)),
        };
        list.map_err(MigrateError::new)
    }

    /// Opens a transaction behind the lock and tells what is applied.
    pub(super) async fn begin(&self) -> Result<Vec<String>, MigrateError> {
        let begin = match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => LOCK,
        };
        self.run(begin).await.map_err(MigrateError::new)?;
        self.run(TABLE).await.map_err(MigrateError::new)?;
        let applied = self.applied().await?;
        Ok(applied.into_iter().map(|(name, _)| name).collect())
    }

    pub(super) async fn commit(&self) -> Result<(), String> {
        self.run("COMMIT").await
    }

    pub(super) async fn rollback(&self) -> Result<(), MigrateError> {
        self.run("ROLLBACK").await.map_err(MigrateError::new)
    }

    /// Runs a file, and writes (`at`) or deletes its row.
    pub(super) async fn apply(
        &self,
        sql: &str,
        name: &str,
        at: Option<Millis>,
    ) -> Result<(), String> {
        self.run(sql).await?;
        // The name comes from a file of ours: build.rs lets only letters, digits and _ through.
        let mark = match at {
            Some(at) => format!(
                "INSERT INTO edgekeep_migrations VALUES ('{name}', {})",
                at.0
            ),
            None => format!("DELETE FROM edgekeep_migrations WHERE name = '{name}'"),
        };
        self.run(&mark).await
    }

    /// Runs a script of several statements.
    pub(super) async fn run(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute_batch(sql).map_err(|error| error.to_string()),
            Self::Postgres(client) => client
                .batch_execute(sql)
                .await
                .map_err(|error| chain(&error)),
        }
    }
}

fn sqlite_list(sqlite: &Connection, there: &str) -> rusqlite::Result<Vec<(String, Millis)>> {
    if sqlite.query_row(there, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Vec::new());
    }
    let mut statement = sqlite.prepare(LIST)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Millis(row.get(1)?))))?;
    rows.collect()
}

async fn postgres_list(
    client: &Client,
    there: &str,
) -> Result<Vec<(String, Millis)>, tokio_postgres::Error> {
    if client.query_one(there, &[]).await?.try_get::<_, i64>(0)? == 0 {
        return Ok(Vec::new());
    }
    let rows = client.query(LIST, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, Millis(row.try_get(1)?))))
        .collect()
}
