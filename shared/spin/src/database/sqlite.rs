//! Spin's SQLite.
//!
//! It is driven by the blocking calls, which the SDK hides: a batch then runs from BEGIN to
//! COMMIT without another request of the instance in between, so the write lock is never held
//! while somebody hashes a password, and no transaction can be left behind. They are cheaper
//! too (a row costs 1 µs instead of 13). What must not block is waiting for another writer:
//! that is done outside, between whole attempts.

use core::cell::RefCell;

use edgekeep_core::port::{DatabaseError, Dialect};
use edgekeep_core::sql::{Row, Statement, Value};
use spin_sdk::sqlite::wit::sqlite::{Connection, Error, Value as SqliteValue};

use super::only_reads;
use crate::timer::Backoff;

const LABEL: &str = "default";

/// Run once on a new connection. Readers and a writer get on with WAL, which stays set in the
/// file; a busy database is reported at once instead of blocking the instance.
const PREPARE: [&str; 3] = [
    "PRAGMA journal_mode = WAL",
    "PRAGMA busy_timeout = 0",
    "PRAGMA foreign_keys = ON",
];

/// Connections that nobody uses at the moment. Opening one reads the schema anew, which costs
/// more than a typical statement.
#[derive(Default)]
pub(crate) struct Sqlite {
    idle: RefCell<Vec<Connection>>,
}

enum Failure {
    /// Somebody else writes: try again.
    Busy(String),
    /// Everything else.
    Final(DatabaseError),
}

impl Sqlite {
    /// One statement alone, several in a transaction.
    pub(super) async fn run(
        &self,
        statements: &[Statement],
    ) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let mut backoff = Backoff::new(1, 20, 5_000);
        loop {
            match self.attempt(statements) {
                Ok(rows) => return Ok(rows),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Busy(why)) => {
                    if !backoff.pause().await {
                        return Err(DatabaseError::Busy(why));
                    }
                }
            }
        }
    }

    fn attempt(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Failure> {
        let idle = self.idle.borrow_mut().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open()?,
        };
        let alone = matches!(statements, [_]);
        if !alone && let Err(failure) = begin(&connection, statements) {
            self.give_back(connection);
            return Err(failure);
        }
        let rows = statements
            .iter()
            .map(|statement| run(&connection, statement))
            .collect();
        let done = match rows {
            Ok(rows) if !alone => command(&connection, "COMMIT").map(|()| rows),
            rows => rows,
        };
        if done.is_ok() || alone {
            self.give_back(connection);
        } else {
            // Then closed: should even this fail, closing rolls back.
            let _ = command(&connection, "ROLLBACK");
        }
        done
    }

    fn give_back(&self, connection: Connection) {
        self.idle.borrow_mut().push(connection);
    }
}

fn open() -> Result<Connection, Failure> {
    let connection = Connection::open(LABEL).map_err(failed)?;
    for pragma in PREPARE {
        // Changing the journal can be refused while others are at work; the next one manages.
        let _ = connection.execute(pragma, &[]);
    }
    Ok(connection)
}

fn begin(connection: &Connection, statements: &[Statement]) -> Result<(), Failure> {
    let reads = statements
        .iter()
        .all(|statement| only_reads(statement.query.text(Dialect::Sqlite)));
    // A transaction that turns into a writer half-way can find the database busy where waiting
    // is no use.
    command(connection, if reads { "BEGIN" } else { "BEGIN IMMEDIATE" })
}

fn command(connection: &Connection, text: &str) -> Result<(), Failure> {
    connection.execute(text, &[]).map(drop).map_err(failed)
}

fn run(connection: &Connection, statement: &Statement) -> Result<Vec<Row>, Failure> {
    let params: Vec<SqliteValue> = statement.params.iter().map(param).collect();
    let result = connection
        .execute(statement.query.text(Dialect::Sqlite), &params)
        .map_err(failed)?;
    let rows = result
        .rows
        .into_iter()
        .map(|row| row.values.into_iter().map(value).collect());
    rows.map(|row: Result<Vec<Value>, DatabaseError>| row.map(Row).map_err(Failure::Final))
        .collect()
}

fn param(value: &Value) -> SqliteValue {
    match value {
        Value::Null => SqliteValue::Null,
        Value::Int(n) => SqliteValue::Integer(*n),
        Value::Text(text) => SqliteValue::Text(text.clone()),
    }
}

fn value(value: SqliteValue) -> Result<Value, DatabaseError> {
    match value {
        SqliteValue::Null => Ok(Value::Null),
        SqliteValue::Integer(n) => Ok(Value::Int(n)),
        SqliteValue::Text(text) => Ok(Value::Text(text)),
        SqliteValue::Real(_) => Err(DatabaseError::Shape("a REAL column".to_owned())),
        SqliteValue::Blob(_) => Err(DatabaseError::Shape("a BLOB column".to_owned())),
    }
}

/// Spin passes SQLite's errors on as text only.
fn failed(error: Error) -> Failure {
    let Error::Io(why) = error else {
        return Failure::Final(DatabaseError::Unavailable(error.to_string()));
    };
    let says = |parts: &[&str]| parts.iter().any(|part| why.contains(part));
    if says(&["is locked", "is busy"]) {
        Failure::Busy(why)
    } else if says(&[
        "unable to open",
        "disk I/O",
        "is full",
        "too many connections",
        "out of memory",
    ]) {
        Failure::Final(DatabaseError::Unavailable(why))
    } else {
        Failure::Final(DatabaseError::Refused(why))
    }
}
