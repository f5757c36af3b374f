//! The database port.

use core::fmt;

use crate::sql::{Row, Statement};

/// Which text of a statement the adapter must run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, D1 and libSQL.
    Sqlite,
    /// PostgreSQL; the adapter rewrites `?N` to `$N`.
    Postgres,
}

/// A SQL database that runs portable statements (docs/sql.md).
///
/// Each call is one round trip. A call must be cancel-safe: dropping its future leaves either
/// all of its effect or none, and the connection usable.
pub trait Database {
    /// The dialect of this database.
    fn dialect(&self) -> Dialect;

    /// Runs one statement and returns its rows; no rows for a write without `RETURNING`.
    async fn query(&self, statement: &Statement) -> Result<Vec<Row>, DatabaseError>;

    /// Runs all statements in order, in one transaction: all or nothing. It is not interactive
    /// (that is what D1 offers), so no statement depends on Rust in between. Returns the rows
    /// of every statement, in order.
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError>;
}

/// Why a statement gave no rows. The text is for the log, never for a client, and no rule
/// reads it: conflicts that matter are read from rows (`ON CONFLICT … RETURNING`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseError {
    /// No database could be reached, or it has no room; the same call may succeed later.
    Unavailable(String),
    /// It was reached, and gave way to another request: a deadlock, a lock, a changed schema. Nothing
    /// is left of the call, and the same one may succeed at once.
    Busy(String),
    /// The database refused the statement or batch, which left nothing behind.
    Refused(String),
    /// A row did not have the shape that the code beside the statement expects.
    Shape(String),
}

impl DatabaseError {
    /// Which of them it is, for metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Busy(_) => "busy",
            Self::Refused(_) => "refused",
            Self::Shape(_) => "shape",
        }
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "database unavailable: {why}"),
            Self::Busy(why) => write!(f, "database busy: {why}"),
            Self::Refused(why) => write!(f, "statement refused: {why}"),
            Self::Shape(why) => write!(f, "unexpected row: {why}"),
        }
    }
}

impl core::error::Error for DatabaseError {}
