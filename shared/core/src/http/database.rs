//! The database, as handlers use it: each call is counted, and a database that cannot be reached is
//! left alone for two seconds before the next attempt, so that it is not run over when it comes back
//! (docs/resilience.md).

use super::context::{Context, Meter};
use super::error::{Code, Error};
use crate::app::Ready;
use crate::guard::breaker::State;
use crate::metrics;
use crate::port::{Database as _, DatabaseError, Dialect, Platform};
use crate::sql::{Row, Statement};

/// The name of its breaker.
pub(crate) const NAME: &str = "database";

impl<P: Platform> Context<'_, P> {
    /// Whose SQL the database speaks, for statements that only one of them needs.
    pub fn dialect(&self) -> Result<Dialect, Error> {
        Ok(self.platform.database()?.dialect())
    }

    /// Runs one statement: one round trip.
    pub async fn query(&self, statement: Statement) -> Result<Vec<Row>, Error> {
        let statements = core::slice::from_ref(&statement);
        let result = self.reachable(statements)?.query(&statement).await;
        self.settle(result.as_ref().err());
        let rows = result.map_err(|error| named(error, statements))?;
        self.tell(statements, core::slice::from_ref(&rows));
        Ok(rows)
    }

    /// Runs all statements or none: one round trip.
    pub async fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Error> {
        let result = self.reachable(statements)?.batch(statements).await;
        self.settle(result.as_ref().err());
        let rows = result.map_err(|error| named(error, statements))?;
        self.tell(statements, &rows);
        Ok(rows)
    }

    /// The database, for these statements, unless it is left alone.
    ///
    /// # Errors
    /// `UNAVAILABLE`
    fn reachable(&self, statements: &[Statement]) -> Result<&P::Database, Error> {
        check(statements)?;
        let admits = |ready: &Ready| ready.database.admits(self.platform);
        if !self.ready.is_none_or(admits) {
            return Err(Error::new(Code::Unavailable)
                .with_retry_after(2)
                .with_cause("the database cannot be reached; not asked for two seconds"));
        }
        Meter::count(&self.meter.sql);
        Ok(self.platform.database()?)
    }

    fn settle(&self, error: Option<&DatabaseError>) {
        settle(self.platform, self.ready, error);
    }
}

/// The rows of one statement, for what has to be known before there is a context and goes on without:
/// nothing where the database does not work, which this is no probe of.
pub(super) async fn ask<P: Platform>(
    platform: &P,
    ready: &Ready,
    meter: &Meter,
    statement: &Statement,
) -> Option<Vec<Row>> {
    if ready.database.state(platform.now()) != State::Closed {
        return None;
    }
    let database = platform.database().ok()?;
    Meter::count(&meter.sql);
    let result = database.query(statement).await;
    settle(platform, Some(ready), result.as_ref().err());
    result.ok()
}

/// Takes the end of a call. Only a database that was not reached is a failure of its breaker: one
/// that refuses a statement works.
fn settle<P: Platform>(platform: &P, ready: Option<&Ready>, error: Option<&DatabaseError>) {
    if let Some(error) = error {
        metrics::count(platform, metrics::db_errors(error.kind()));
    }
    if let Some(ready) = ready {
        let failed = matches!(error, Some(DatabaseError::Unavailable(_)));
        ready.database.settle(platform, failed);
    }
}

/// Values that some database would change are a mistake of ours.
fn check(statements: &[Statement]) -> Result<(), Error> {
    let odd = statements
        .iter()
        .find(|statement| !statement.params.iter().all(crate::sql::Value::is_portable));
    match odd {
        None => Ok(()),
        Some(statement) => Err(Error::new(Code::Internal).with_cause(format!(
            "{}: a value that is not portable",
            statement.query.name
        ))),
    }
}

/// Adds the names of the statements to what the log will say.
fn named(error: DatabaseError, statements: &[Statement]) -> Error {
    let names: Vec<_> = statements
        .iter()
        .map(|statement| statement.query.name)
        .collect();
    let cause = format!("{error} (in {})", names.join(", "));
    Error::from(error).with_cause(cause)
}
