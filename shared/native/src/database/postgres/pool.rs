//! Connections, kept for the next call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use edgekeep_core::port::{DatabaseError, Dialect};
use edgekeep_core::sql::{Query, Statement, to_dollar_placeholders};
use futures_util::future::try_join_all;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, Error};

use super::{chain, classify};
use crate::postgres_tls;

/// Connections unless `DB_POOL_MAX` says otherwise.
const MAX_CONNECTIONS: usize = 16;
/// How long a call waits for a free connection, for a new one to open, and for its answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// At most [`MAX_CONNECTIONS`] connections, opened when they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    config: Config,
    idle: RefCell<Vec<Connection>>,
    permits: Semaphore,
}

/// A connection and what is prepared on it, by the address of the statement.
#[derive(Debug)]
struct Connection {
    client: Client,
    prepared: BTreeMap<usize, tokio_postgres::Statement>,
}

impl Pool {
    pub(super) fn new(url: &str) -> Result<Self, DatabaseError> {
        let config = url.parse::<Config>().map_err(|error| {
            DatabaseError::Refused(format!("not a PostgreSQL URL: {}", chain(&error)))
        })?;
        Ok(Self {
            config,
            idle: RefCell::default(),
            permits: Semaphore::new(MAX_CONNECTIONS),
        })
    }

    /// Another number of connections.
    pub(super) fn limit(&mut self, most: usize) {
        self.permits = Semaphore::new(most);
    }

    /// A connection for one call.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, DatabaseError> {
        let busy = || DatabaseError::Unavailable("every connection is busy".to_owned());
        let permit = timeout(PATIENCE, self.permits.acquire()).await;
        let permit = permit.map_err(|_| busy())?.map_err(|_| busy())?;
        let mut idle = self.idle.take();
        // The server may have closed some in the meantime.
        idle.retain(|connection| !connection.client.is_closed());
        let kept = idle.pop();
        self.idle.replace(idle);
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lease {
            pool: self,
            connection,
            _permit: permit,
        })
    }

    async fn connect(&self) -> Result<Connection, DatabaseError> {
        let slow = || DatabaseError::Unavailable("PostgreSQL did not open in time".to_owned());
        let client = timeout(PATIENCE, postgres_tls::connect(&self.config)).await;
        let client = client
            .map_err(|_| slow())?
            .map_err(DatabaseError::Unavailable)?;
        Ok(Connection {
            client,
            prepared: BTreeMap::new(),
        })
    }
}

/// A connection in use. It returns to the pool only by [`Lease::give_back`], after every answer
/// has arrived: dropped before, with its future, it is closed, and the server rolls back.
#[derive(Debug)]
pub(super) struct Lease<'p> {
    pool: &'p Pool,
    connection: Connection,
    _permit: SemaphorePermit<'p>,
}

impl Lease<'_> {
    pub(super) fn client(&self) -> &Client {
        &self.connection.client
    }

    pub(super) fn give_back(self) {
        self.pool.idle.borrow_mut().push(self.connection);
    }

    /// Turns an error of this connection into the port's, and keeps the connection where the
    /// error was only about the statement.
    pub(super) fn judge(self, error: &Error) -> DatabaseError {
        let judged = classify(error);
        if matches!(judged, DatabaseError::Refused(_)) {
            self.give_back();
        }
        judged
    }

    /// The statements as this connection knows them; what is new is prepared, in one round trip.
    pub(super) async fn prepare(
        &mut self,
        statements: &[Statement],
    ) -> Result<Vec<tokio_postgres::Statement>, Error> {
        let Connection { client, prepared } = &mut self.connection;
        let mut missing: BTreeMap<usize, &'static Query> = BTreeMap::new();
        for statement in statements {
            let key = address(statement.query);
            if !prepared.contains_key(&key) {
                missing.insert(key, statement.query);
            }
        }
        let client = &*client;
        let made = missing.into_iter().map(|(key, query)| async move {
            let text = to_dollar_placeholders(query.text(Dialect::Postgres));
            client.prepare(&text).await.map(|made| (key, made))
        });
        prepared.extend(try_join_all(made).await?);
        let known = statements
            .iter()
            .map(|statement| prepared.get(&address(statement.query)));
        Ok(known.flatten().cloned().collect())
    }
}

/// Statements are statics, so their address names them.
fn address(query: &'static Query) -> usize {
    core::ptr::from_ref(query).addr()
}
