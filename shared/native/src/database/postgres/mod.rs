//! PostgreSQL by `tokio-postgres`.

mod pool;
mod value;

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use edgekeep_core::port::DatabaseError;
use edgekeep_core::sql::{Row, Statement};
use futures_util::TryStreamExt as _;
use futures_util::future::{MaybeDone, join_all, maybe_done};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use pool::{PATIENCE, Pool};
use value::{Parameter, row};

/// A pool of connections, each with the statements it has prepared.
#[derive(Debug)]
pub struct Postgres {
    pool: Pool,
}

impl Postgres {
    /// Connects once, so that a wrong URL shows at the start.
    pub(super) async fn open(url: &str) -> Result<Self, DatabaseError> {
        let pool = Pool::new(url)?;
        let first = pool.lease().await?;
        first.give_back();
        Ok(Self { pool })
    }

    pub(super) fn limit(&mut self, most: usize) {
        self.pool.limit(most);
    }

    pub(super) async fn query(&self, statement: &Statement) -> Result<Vec<Row>, DatabaseError> {
        let mut lease = self.pool.lease().await?;
        let outcome = in_time(async {
            let prepared = lease.prepare(core::slice::from_ref(statement)).await?;
            let [prepared] = prepared.as_slice() else {
                return Ok(Ok(Vec::new()));
            };
            run(lease.client(), prepared, statement)
                .await
                .map(|rows| rows.iter().map(row).collect())
        });
        match outcome.await? {
            Ok(rows) => {
                lease.give_back();
                rows
            }
            Err(error) => Err(lease.judge(&error)),
        }
    }

    /// `BEGIN`, the statements and `COMMIT` go out together: one network round trip once the
    /// statements are prepared. After a failed statement the server refuses the rest, and the
    /// `COMMIT` at the end rolls back, which leaves the connection clean either way.
    pub(super) async fn batch(
        &self,
        statements: &[Statement],
    ) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let mut lease = self.pool.lease().await?;
        let outcome = in_time(async {
            let prepared = lease.prepare(statements).await?;
            let calls = prepared.iter().zip(statements);
            let calls = calls.map(|(prepared, statement)| run(lease.client(), prepared, statement));
            transaction(lease.client(), calls.collect()).await
        });
        match outcome.await? {
            Ok(results) => {
                lease.give_back();
                results
                    .iter()
                    .map(|rows| rows.iter().map(row).collect())
                    .collect()
            }
            Err(error) => Err(lease.judge(&error)),
        }
    }
}

/// The outcome, unless the server takes too long. Whoever gets the error drops the lease with it,
/// which closes the connection. As with one that is lost, nobody knows whether what was sent still
/// comes to its end.
async fn in_time<T>(outcome: impl Future<Output = T>) -> Result<T, DatabaseError> {
    let slow = |_| DatabaseError::Unavailable("PostgreSQL did not answer in time".to_owned());
    timeout(PATIENCE, outcome).await.map_err(slow)
}

async fn run(
    client: &Client,
    prepared: &tokio_postgres::Statement,
    statement: &Statement,
) -> Result<Vec<tokio_postgres::Row>, Error> {
    let rows = client
        .query_raw(prepared, statement.params.iter().map(Parameter))
        .await?;
    rows.try_collect().await
}

/// Runs `calls` between `BEGIN` and `COMMIT`.
///
/// tokio-postgres sends a request when its future is first polled, in that order ("Pipelining"
/// in its documentation). The first poll of this function sends everything, so a dropped future
/// has either sent nothing or the whole transaction; were it ever less, dropping the lease
/// closes the connection and the server rolls back.
async fn transaction<C, T>(client: &Client, calls: Vec<C>) -> Result<Vec<T>, Error>
where
    C: Future<Output = Result<T, Error>>,
{
    let mut begin = pin!(maybe_done(client.batch_execute("BEGIN")));
    let mut calls: Vec<Pin<Box<MaybeDone<C>>>> = calls
        .into_iter()
        .map(|call| Box::pin(maybe_done(call)))
        .collect();
    poll_fn(|cx| {
        let _ = begin.as_mut().poll(cx);
        for call in &mut calls {
            let _ = call.as_mut().poll(cx);
        }
        Poll::Ready(())
    })
    .await;
    // A request that could not even be written is unknown to the server, which would commit
    // the others.
    let unsent = calls
        .iter_mut()
        .any(|call| call.as_mut().output_mut().is_some_and(|sent| sent.is_err()));
    let mut end = pin!(maybe_done(client.batch_execute(if unsent {
        "ROLLBACK"
    } else {
        "COMMIT"
    })));
    poll_fn(|cx| {
        let _ = end.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;

    begin.as_mut().await;
    join_all(calls.iter_mut().map(Pin::as_mut)).await;
    end.as_mut().await;

    if let Some(Err(error)) = begin.as_mut().take_output() {
        return Err(error);
    }
    let mut results = Vec::with_capacity(calls.len());
    for call in &mut calls {
        // The first error is the cause; those after it only say that the transaction is over.
        results.extend(call.as_mut().take_output().transpose()?);
    }
    end.as_mut().take_output().transpose()?;
    Ok(results)
}

/// What the server or the network is to blame for may pass; the rest is the statement's.
fn classify(error: &Error) -> DatabaseError {
    let why = match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => chain(error),
    };
    let Some(state) = error.code() else {
        // Either the connection is gone, or a value does not fit its parameter.
        let source = std::error::Error::source(error);
        let lost =
            error.is_closed() || source.is_some_and(<dyn std::error::Error>::is::<io::Error>);
        return if lost {
            DatabaseError::Unavailable(why)
        } else {
            DatabaseError::Refused(why)
        };
    };
    let gave_way = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::QUERY_CANCELED,
        SqlState::LOCK_NOT_AVAILABLE,
        // The schema changed under a prepared statement; another connection prepares it anew.
        SqlState::FEATURE_NOT_SUPPORTED,
    ];
    let passing = [
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    // Classes 08 (connection) and 53 (resources).
    let class = state.code().get(..2).unwrap_or_default();
    if gave_way.contains(state) {
        DatabaseError::Busy(why)
    } else if passing.contains(state) || matches!(class, "08" | "53") {
        DatabaseError::Unavailable(why)
    } else {
        DatabaseError::Refused(why)
    }
}

/// The error with its causes: tokio-postgres says only what it was doing.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
