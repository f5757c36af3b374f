//! What a case works with.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use edgekeep_core::crypto::hex;
use edgekeep_core::port::{Database as _, DatabaseError, KeyValue as _, Outbound as _, Platform};
use edgekeep_core::port::{OutboundError, OutboundRequest, OutboundResponse};
use edgekeep_core::sql::{Row, Statement};

/// Why a case failed.
#[derive(Debug)]
pub struct Failure(pub String);

/// What a case answers.
pub type Outcome = Result<(), Failure>;

impl<E: core::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// The adapter under test, and a server that plays the outside world (tests/peer/mod.rs).
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a, P> {
    pub(crate) platform: &'a P,
    peer: &'a str,
}

impl<'a, P: Platform> Bench<'a, P> {
    /// `peer` is the URL of that server, without a slash at its end.
    pub fn new(platform: &'a P, peer: &'a str) -> Self {
        Self { platform, peer }
    }

    /// A text that nobody else uses.
    pub(crate) fn id(&self) -> Result<String, Failure> {
        let mut bytes = [0; 12];
        let drawn = self.platform.random(&mut bytes);
        drawn.map_err(|_| Failure("the random generator failed".to_owned()))?;
        Ok(format!("conformance-{}", hex(&bytes)))
    }

    pub(crate) fn database(&self) -> Result<&'a P::Database, Failure> {
        self.platform
            .database()
            .map_err(|missing| Failure(format!("{} is missing", missing.0)))
    }

    pub(crate) fn key_value(&self) -> Result<&'a P::KeyValue, Failure> {
        self.platform
            .key_value()
            .ok_or_else(|| Failure("no key-value store is bound".to_owned()))
    }

    pub(crate) async fn query(&self, statement: Statement) -> Result<Vec<Row>, Failure> {
        Ok(self.database()?.query(&statement).await?)
    }

    pub(crate) async fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Failure> {
        Ok(self.database()?.batch(statements).await?)
    }

    /// The integer in the first column of the only row.
    pub(crate) async fn number(&self, statement: Statement) -> Result<i64, Failure> {
        let rows = self.query(statement).await?;
        match rows.as_slice() {
            [row] => Ok(row.int(0)?),
            rows => Err(Failure(format!("{} rows instead of one", rows.len()))),
        }
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<String>, Failure> {
        Ok(self.key_value()?.get(key, self.platform.now()).await?)
    }

    /// The peer's URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.peer)
    }

    /// A request to the peer.
    pub(crate) async fn ask(
        &self,
        method: &'static str,
        path: &str,
        body: &str,
    ) -> Result<OutboundResponse, OutboundError> {
        let request = OutboundRequest {
            method,
            url: self.url(path),
            headers: vec![
                ("content-type", "text/plain".to_owned()),
                ("x-case", "yes".to_owned()),
            ],
            body: body.as_bytes().to_vec(),
            timeout_ms: 5_000,
        };
        self.platform.outbound().send(request).await
    }
}

/// Fails the case with `why` unless it holds.
pub(crate) fn holds(condition: bool, why: impl FnOnce() -> String) -> Outcome {
    if condition {
        Ok(())
    } else {
        Err(Failure(why()))
    }
}

/// Fails the case unless both are equal.
pub(crate) fn same<T: PartialEq + core::fmt::Debug>(found: &T, wanted: &T) -> Outcome {
    holds(found == wanted, || {
        format!("{found:?} instead of {wanted:?}")
    })
}

/// Fails the case unless the database refused.
pub(crate) fn refused<T: core::fmt::Debug>(result: &Result<T, DatabaseError>) -> Outcome {
    let right = matches!(result, Err(DatabaseError::Refused(_)));
    holds(right, || format!("{result:?} instead of a refusal"))
}

/// Polls once, as a caller does who then goes away.
pub(crate) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
