//! One connection, and a transaction on it.

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

use edgekeep_core::port::Dialect;
use edgekeep_core::sql::{Row, Statement, to_dollar_placeholders};
use spin_sdk::pg::Connection;
use spin_sdk::wasip3::spawn;

use super::failure::Failure;
use super::value::{param, row};

/// The default, spelt out: within a transaction that has already done something, PostgreSQL
/// takes `BEGIN` with a warning that nobody sees, but refuses this with 25001.
pub(super) const BEGIN: &str = "BEGIN NOT DEFERRABLE";

/// A connection.
pub(super) struct Link {
    connection: Connection,
    clean: bool,
}

impl Link {
    /// One from the host's pool, in an unknown state.
    pub(super) async fn open(url: &str) -> Result<Self, Failure> {
        let connection = Connection::open(url).await?;
        Ok(Self {
            connection,
            clean: false,
        })
    }

    /// Whether it is surely outside of any transaction.
    pub(super) const fn is_clean(&self) -> bool {
        self.clean
    }

    async fn command(&self, text: &str) -> Result<(), Failure> {
        self.connection.execute(text, []).await?;
        Ok(())
    }

    async fn query(&self, statement: &Statement) -> Result<Vec<Row>, Failure> {
        let text = to_dollar_placeholders(statement.query.text(Dialect::Postgres));
        let params: Vec<_> = statement.params.iter().map(param).collect();
        let (_, rows, end) = self.connection.query(text, params).await?.into_inner();
        let rows = rows.collect().await;
        // An error stands here only; the rows before it look like all there are.
        end.await?;
        rows.into_iter().map(row).collect()
    }

    /// Runs all statements, each for itself. They are sent together, so that several cost the
    /// time of one on the way to the server.
    pub(super) async fn all(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Failure> {
        let running = statements
            .iter()
            .map(|statement| Box::pin(self.query(statement)));
        join(running.collect()).await.into_iter().collect()
    }
}

/// A transaction, which ends with ROLLBACK unless it was committed, also when the future that
/// holds it is dropped.
pub(super) struct Transaction {
    link: Option<Link>,
}

impl Transaction {
    /// Begins one; a transaction that a dead request left open is rolled back first.
    pub(super) async fn begin(link: Link) -> Result<Self, Failure> {
        let begun = Self { link: Some(link) };
        let Some(link) = &begun.link else {
            return Err(Failure::lost());
        };
        if let Err(failure) = link.command(BEGIN).await {
            if !failure.is_leftover() {
                return Err(failure.repeatable(true));
            }
            link.command("ROLLBACK").await?;
            link.command(BEGIN).await?;
        }
        Ok(begun)
    }

    /// Runs the statements one after the other.
    pub(super) async fn rows(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Failure> {
        let Some(link) = &self.link else {
            return Err(Failure::lost());
        };
        let mut all = Vec::with_capacity(statements.len());
        for statement in statements {
            all.push(link.query(statement).await?);
        }
        Ok(all)
    }

    /// Commits, and hands the connection back.
    pub(super) async fn commit(self) -> Result<Link, Failure> {
        self.end("COMMIT").await
    }

    /// Takes everything back; the connection only if that went well.
    pub(super) async fn roll_back(self) -> Option<Link> {
        self.end("ROLLBACK").await.ok()
    }

    async fn end(mut self, command: &str) -> Result<Link, Failure> {
        let Some(link) = &self.link else {
            return Err(Failure::lost());
        };
        link.command(command).await?;
        // From here on there is nothing to roll back.
        match self.link.take() {
            Some(link) => Ok(Link {
                clean: true,
                ..link
            }),
            None => Err(Failure::lost()),
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            // The host would lend the connection to the next one as it is.
            spawn(async move { drop(link.command("ROLLBACK").await) });
        }
    }
}

/// Runs all futures at once, and gives their outputs in order.
async fn join<F: Future>(mut running: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
