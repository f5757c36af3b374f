//! Migrated databases of both dialects.

use std::pin::Pin;

use edgekeep_core::time::Millis;
use edgekeep_native::migrate::Migrator;
use edgekeep_support::{Postgres, Scratch};
use libtest_mimic::Failed;
use rusqlite::Connection;
use tokio_postgres::{Client, NoTls};

/// A test as a future that borrows the server.
pub(crate) type Work<'a> = Pin<Box<dyn Future<Output = Result<(), Failed>> + 'a>>;

pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// A new SQLite file with all migrations.
pub(crate) fn sqlite() -> Result<(Scratch, Connection), Failed> {
    block_on(sqlite_within())
}

/// The same, for a test that runs on a runtime already.
pub(crate) async fn sqlite_within() -> Result<(Scratch, Connection), Failed> {
    let scratch = Scratch::new()?;
    let file = scratch.path().join("repo.db");
    let mut migrator = Migrator::open(&format!("sqlite:{}", file.display())).await?;
    migrator.up(Millis(0)).await?;
    let connection = Connection::open(file)?;
    Ok((scratch, connection))
}

/// A new PostgreSQL database with all migrations.
pub(crate) async fn postgres(server: &Postgres) -> Result<Client, Failed> {
    let url = server.create().await?;
    Migrator::open(&url).await?.up(Millis(0)).await?;
    connect(&url).await
}

pub(crate) async fn connect(url: &str) -> Result<Client, Failed> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
