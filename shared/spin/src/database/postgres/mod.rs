//! PostgreSQL through Spin's host.
//!
//! The host keeps a pool of its own and hands a connection on as it is: when an instance traps
//! between BEGIN and COMMIT, the next taker of that connection is inside the dead request's
//! transaction and knows nothing of it. So the first use of a connection is always a
//! transaction of ours, and it begins in a way that an open transaction refuses ([`link::BEGIN`]).

mod failure;
mod link;
mod value;

use core::cell::RefCell;

use edgekeep_core::port::{DatabaseError, Dialect};
use edgekeep_core::sql::{Row, Statement};

use super::only_reads;
use crate::timer::Backoff;
use failure::Failure;
use link::{Link, Transaction};

/// Connections an instance keeps for later. The host lends at most 64 to all instances.
const KEPT: usize = 2;

/// The database at one URL.
pub(crate) struct Postgres {
    url: String,
    idle: RefCell<Vec<Link>>,
}

impl Postgres {
    pub(crate) const fn new(url: String) -> Self {
        Self {
            url,
            idle: RefCell::new(Vec::new()),
        }
    }

    /// One statement alone, several in a transaction. What certainly left nothing behind
    /// (deadlock, serialization, connection lost before COMMIT) is tried again.
    pub(super) async fn run(
        &self,
        statements: &[Statement],
    ) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let mut backoff = Backoff::new(2, 50, 250);
        loop {
            match self.attempt(statements).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => {
                    if failure.lost {
                        // The server went away, and with it the others.
                        self.idle.borrow_mut().clear();
                    }
                    if !failure.again || !backoff.pause().await {
                        return Err(failure.error);
                    }
                }
            }
        }
    }

    async fn attempt(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Failure> {
        let link = self.take().await?;
        let reads = statements
            .iter()
            .all(|statement| only_reads(statement.query.text(Dialect::Postgres)));
        if link.is_clean() && (reads || matches!(statements, [_])) {
            // Reads need no transaction: under READ COMMITTED each statement sees its own
            // moment anyway. Losing the connection under a write leaves its outcome open.
            let result = link.all(statements).await;
            if result.is_ok() {
                self.give_back(link);
            }
            return result.map_err(|failure| failure.repeatable(reads));
        }
        let transaction = Transaction::begin(link).await?;
        match transaction.rows(statements).await {
            Ok(rows) => {
                let link = transaction.commit().await?;
                self.give_back(link);
                Ok(rows)
            }
            Err(failure) => {
                if let Some(link) = transaction.roll_back().await {
                    self.give_back(link);
                }
                Err(failure.repeatable(true))
            }
        }
    }

    async fn take(&self) -> Result<Link, Failure> {
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(link) => Ok(link),
            None => Link::open(&self.url).await,
        }
    }

    fn give_back(&self, link: Link) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < KEPT {
            idle.push(link);
        }
    }
}
