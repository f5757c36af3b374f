//! The database port: PostgreSQL when `database_url` is set, else Spin's SQLite.

mod postgres;
mod sqlite;

use edgekeep_core::port::{Database, DatabaseError, Dialect};
use edgekeep_core::sql::{Row, Statement};

use postgres::Postgres;
use sqlite::Sqlite;

/// The database of this instance.
pub(crate) struct SpinDatabase(Kind);

enum Kind {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl SpinDatabase {
    /// PostgreSQL at that URL; SQLite when it is empty.
    pub(crate) fn new(url: String) -> Self {
        if url.is_empty() {
            Self(Kind::Sqlite(Sqlite::default()))
        } else {
            Self(Kind::Postgres(Postgres::new(url)))
        }
    }

    async fn run(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.run(statements).await,
            Kind::Postgres(postgres) => postgres.run(statements).await,
        }
    }
}

impl Database for SpinDatabase {
    fn dialect(&self) -> Dialect {
        match &self.0 {
            Kind::Sqlite(_) => Dialect::Sqlite,
            Kind::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn query(&self, statement: &Statement) -> Result<Vec<Row>, DatabaseError> {
        let mut rows = self.run(core::slice::from_ref(statement)).await?;
        Ok(rows.pop().unwrap_or_default())
    }

    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        self.run(statements).await
    }
}

/// Whether a statement surely only reads. In doubt it writes, which only costs time.
fn only_reads(text: &str) -> bool {
    let mut words = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty());
    let is =
        |word: &str, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    words
        .next()
        .is_some_and(|first| is(first, &["SELECT", "WITH"]))
        && !words.any(|word| {
            is(
                word,
                &["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "INTO"],
            )
        })
}

#[cfg(test)]
mod tests {
    use super::only_reads;

    #[test]
    fn writes_are_never_taken_for_reads() {
        for text in [
            "SELECT id, updated_at FROM users WHERE id = ?1",
            "  select 1",
            "WITH new AS (SELECT 1 AS n) SELECT n FROM new",
        ] {
            assert!(only_reads(text), "{text}");
        }
        for text in [
            "INSERT INTO t (a) VALUES (?1) RETURNING a",
            "WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone",
            "with e as (select 1) insert into t select * from e",
            "SELECT id FROM t FOR UPDATE",
            "UPDATE t SET a = 1",
            "CREATE TABLE t (a)",
            "",
        ] {
            assert!(!only_reads(text), "{text}");
        }
    }
}
