//! PostgreSQL through Spin's host.
//!
//! The host keeps a pool of its own and hands a connection on as it is: when an instance traps
//! between BEGIN and COMMIT, the next taker of that connection is inside the dead request's
//! transaction and knows nothing of it. So the first use of a connection is always a
//! transaction of ours, and it begins in a way that an open transaction refuses ([`link::BEGIN`]).

mod failure;
mod link;
mod value;

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::time::Duration;
use std::rc::Rc;

use edgekeep_core::port::{DatabaseError, Dialect};
use edgekeep_core::sql::{Row, Statement};
use spin_sdk::time::sleep;

use super::only_reads;
use crate::timer::{Backoff, within};
use failure::Failure;
use link::{Link, Transaction};

/// Connections for writes that an instance keeps for later, besides the one for reads. Spin
/// lends a component 64 of them, and what one instance keeps, the others lack.
const KEPT: usize = 1;

/// One request of an instance cannot wake another, so who waits looks again after this time.
const LOOK: Duration = Duration::from_millis(2);

/// How often a read looks whether another request has brought a connection before it opens one.
const LOOKS: u32 = 10;

/// The database at one URL.
pub(crate) struct Postgres {
    url: String,
    /// Serves the reads of all requests of the instance at the same time.
    shared: RefCell<Option<Rc<Link>>>,
    idle: RefCell<Vec<Link>>,
    /// Requests of this instance that use a connection alone, or wait for one.
    alone: Cell<u32>,
}

impl Postgres {
    pub(crate) const fn new(url: String) -> Self {
        Self {
            url,
            shared: RefCell::new(None),
            idle: RefCell::new(Vec::new()),
            alone: Cell::new(0),
        }
    }

    /// One statement alone, several in a transaction. What certainly left nothing behind
    /// (deadlock, serialization, connection lost before COMMIT) is tried again.
    pub(super) async fn run(
        &self,
        statements: &[Statement],
    ) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let reads = statements
            .iter()
            .all(|statement| only_reads(statement.query.text(Dialect::Postgres)));
        let mut backoff = Backoff::new(2, 50, 250);
        loop {
            let result = match if reads { self.reader().await } else { None } {
                Some(link) => link
                    .all(statements)
                    .await
                    .map_err(|failure| failure.repeatable(true)),
                None => self.alone(statements, reads).await,
            };
            let failure = match result {
                Ok(rows) => return Ok(rows),
                Err(failure) => failure,
            };
            if failure.lost {
                // The server went away, and with it the others.
                self.shared.borrow_mut().take();
                self.idle.borrow_mut().clear();
            }
            if !failure.again || !backoff.pause().await {
                return Err(failure.error);
            }
        }
    }

    /// The shared connection. Reads need no transaction: under READ COMMITTED each statement
    /// sees its own moment anyway.
    async fn reader(&self) -> Option<Rc<Link>> {
        for _ in 0..LOOKS {
            let shared = self.shared.borrow().clone();
            if shared.is_some() || self.alone.get() == 0 {
                return shared;
            }
            sleep(LOOK).await;
        }
        None
    }

    /// Runs the statements on a connection that nobody else uses meanwhile.
    async fn alone(&self, statements: &[Statement], reads: bool) -> Result<Vec<Vec<Row>>, Failure> {
        let _counted = Counted::new(&self.alone);
        let link = self.take().await?;
        if link.is_clean() && matches!(statements, [_]) {
            // If the connection is lost under a write, nobody knows whether it happened.
            let result = link
                .all(statements)
                .await
                .map_err(|failure| failure.repeatable(reads));
            if result.is_ok() {
                self.give_back(link);
            }
            return result;
        }
        let transaction = Transaction::begin(link).await?;
        match transaction.rows(statements).await {
            Ok(rows) => {
                self.give_back(transaction.commit().await?);
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

    /// A connection kept here, else one of the host's. The host may have none to lend; then one
    /// that is given back here meanwhile serves as well. Instances that kept connections while
    /// they waited for more would in the end all wait for each other.
    async fn take(&self) -> Result<Link, Failure> {
        let idle = self.idle.borrow_mut().pop();
        if let Some(link) = idle {
            return Ok(link);
        }
        let mut opening = pin!(Link::open(&self.url));
        loop {
            if let Some(opened) = within(LOOK, opening.as_mut()).await {
                return opened;
            }
            if let Some(link) = self.unused() {
                return Ok(link);
            }
        }
    }

    fn unused(&self) -> Option<Link> {
        self.idle.borrow_mut().pop().or_else(|| {
            let mut shared = self.shared.borrow_mut();
            let link = shared.take()?;
            Rc::try_unwrap(link)
                .map_err(|used| *shared = Some(used))
                .ok()
        })
    }

    /// Keeps a connection that is outside of any transaction, or gives it back to the host.
    fn give_back(&self, link: Link) {
        let mut shared = self.shared.borrow_mut();
        let mut idle = self.idle.borrow_mut();
        if shared.is_none() {
            *shared = Some(Rc::new(link));
        } else if idle.len() < KEPT {
            idle.push(link);
        }
    }
}

/// Counts one until it is dropped.
struct Counted<'c>(&'c Cell<u32>);

impl<'c> Counted<'c> {
    fn new(count: &'c Cell<u32>) -> Self {
        count.set(count.get().saturating_add(1));
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
