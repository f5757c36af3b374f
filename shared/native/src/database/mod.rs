//! The two databases behind the port.

mod postgres;
mod sqlite;

use edgekeep_core::port::{self, DatabaseError, Dialect};
use edgekeep_core::sql::{Row, Statement};

pub use postgres::Postgres;
pub(crate) use postgres::chain;
pub use sqlite::Sqlite;
pub(crate) use sqlite::connect;

/// The database that a URL names.
#[derive(Debug)]
pub enum Database {
    /// `sqlite:FILE` or `sqlite::memory:`
    Sqlite(Sqlite),
    /// `postgres://…`
    Postgres(Box<Postgres>),
}

impl Database {
    /// Opens `sqlite:FILE`, `sqlite::memory:` or `postgres://…`.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached, `Refused` for any other URL.
    pub async fn open(url: &str) -> Result<Self, DatabaseError> {
        if let Some(file) = url.strip_prefix("sqlite:") {
            return Sqlite::open(file).map(Self::Sqlite);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Postgres::open(url)
                .await
                .map(|postgres| Self::Postgres(Box::new(postgres)));
        }
        Err(DatabaseError::Refused(
            "a database is sqlite:FILE, sqlite::memory: or postgres://user@host/name".to_owned(),
        ))
    }
}

impl Database {
    /// At most so many connections at a time, where there are connections.
    #[must_use]
    pub fn limited(mut self, connections: usize) -> Self {
        if let Self::Postgres(postgres) = &mut self {
            postgres.limit(connections);
        }
        self
    }
}

impl port::Database for Database {
    fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn query(&self, statement: &Statement) -> Result<Vec<Row>, DatabaseError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.query(statement),
            Self::Postgres(postgres) => postgres.query(statement).await,
        }
    }

    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.batch(statements),
            Self::Postgres(postgres) => postgres.batch(statements).await,
        }
    }
}
