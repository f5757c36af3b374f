//! SQLite in this process.

use std::cell::RefCell;
use std::time::Duration;

use edgekeep_core::port::{DatabaseError, Dialect};
use edgekeep_core::sql::{Row, Statement, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, TransactionBehavior, params_from_iter};

use crate::migrate;

/// More than the product has statements, so that each is compiled once.
const CACHED_STATEMENTS: usize = 256;
/// How long a call waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(10);

/// One connection. Calls run to their end without yielding, so that a dropped future never
/// leaves half of one behind.
#[derive(Debug)]
pub struct Sqlite {
    connection: RefCell<Connection>,
}

impl Sqlite {
    /// Opens or makes the file. `:memory:` lives as long as the value, and comes with schema and
    /// plans because no other process can bring them.
    pub(super) fn open(file: &str) -> Result<Self, DatabaseError> {
        let connection = connect(file).map_err(|error| {
            DatabaseError::Unavailable(format!("{file}: {error} (does its directory exist?)"))
        })?;
        if file == ":memory:" {
            let mut scripts = migrate::sqlite_scripts();
            scripts
                .try_for_each(|script| connection.execute_batch(script))
                .map_err(classify)?;
        }
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        Ok(Self {
            connection: RefCell::new(connection),
        })
    }

    pub(super) fn query(&self, statement: &Statement) -> Result<Vec<Row>, DatabaseError> {
        run(&self.connection.borrow(), statement)
    }

    pub(super) fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let mut connection = self.connection.borrow_mut();
        // IMMEDIATE: a transaction that starts with a read could not wait for its write lock.
        // The guard rolls back wherever this function ends before the commit.
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(classify)?;
        let rows = statements
            .iter()
            .map(|statement| run(&transaction, statement))
            .collect::<Result<Vec<_>, _>>()?;
        transaction.commit().map_err(classify)?;
        Ok(rows)
    }
}

/// A connection as the product wants it, also for migrations.
pub(crate) fn connect(file: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY)?;
    // WAL: a reader in another process does not stop this one from writing.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;")?;
    Ok(connection)
}

struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(n) => ValueRef::Integer(*n),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn run(connection: &Connection, statement: &Statement) -> Result<Vec<Row>, DatabaseError> {
    let text = statement.query.text(Dialect::Sqlite);
    let mut prepared = connection.prepare_cached(text).map_err(classify)?;
    let width = prepared.column_count();
    let mut found = prepared
        .query(params_from_iter(statement.params.iter().map(Parameter)))
        .map_err(classify)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(classify)? {
        let values = (0..width).map(|column| value(row.get_ref(column).map_err(classify)?));
        rows.push(Row(values.collect::<Result<_, _>>()?));
    }
    Ok(rows)
}

fn value(value: ValueRef<'_>) -> Result<Value, DatabaseError> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(n) => Ok(Value::Int(n)),
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec())
            .map(Value::Text)
            .map_err(|_| DatabaseError::Shape("text that is not UTF-8".to_owned())),
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(DatabaseError::Shape(format!(
            "a column of type {}",
            value.data_type()
        ))),
    }
}

/// What is the machine's fault may pass; the rest is the statement's.
#[expect(clippy::needless_pass_by_value, reason = "reads well in map_err")]
fn classify(error: rusqlite::Error) -> DatabaseError {
    let why = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => DatabaseError::Busy(why),
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly,
        ) => DatabaseError::Unavailable(why),
        _ => DatabaseError::Refused(why),
    }
}
