//! Writing: a handler's statements together with the claim of the idempotency key and its answer,
//! in one batch.

use super::context::{Actor, Context, Meter};
use super::error::{Error, Interrupt};
use super::message::Reply;
use crate::audit::Record;
use crate::guard::idempotency::{Claim, Stored};
use crate::key_value;
use crate::port::Platform;
use crate::sql::{Row, Statement};

/// A change that the database itself may refuse, because its rule must hold against parallel
/// requests too: a number that a plan allows, a state that only one of two may leave.
#[derive(Debug)]
pub struct Guarded {
    /// Runs first: takes turns on a row that rivals have in common ([`crate::tenancy`]). Without it
    /// two transactions of PostgreSQL count the same rows and both go ahead.
    pub lock: Option<Statement>,
    /// Makes the change and returns a row, or returns none where its rule forbids it.
    pub change: Statement,
    /// Records the change if it was made.
    pub record: Record,
    /// More writes, each of which asks for the change or its record.
    pub rest: Vec<Statement>,
}

impl<P: Platform> Context<'_, P> {
    /// Writes everything in one batch, with the claim of the idempotency key and its answer.
    ///
    /// # Errors
    /// The first answer, when a parallel request with the same key was faster.
    pub async fn commit(
        &self,
        actor: &Actor,
        writes: Vec<Statement>,
        reply: Reply,
    ) -> Result<Reply, Interrupt> {
        let kept = reply.clone();
        self.commit_keeping(actor, writes, reply, &kept).await
    }

    /// Like [`Self::commit`], for answers with a secret in them: `kept` is what a replay gives.
    pub async fn commit_keeping(
        &self,
        actor: &Actor,
        mut writes: Vec<Statement>,
        reply: Reply,
        kept: &Reply,
    ) -> Result<Reply, Interrupt> {
        let claim = self
            .claim
            .as_ref()
            .and_then(|claim| Some((claim, claim.keep(kept, self.now)?)));
        let Some((claim, stored)) = claim else {
            self.batch(&writes).await?;
            return Ok(reply);
        };
        writes.extend(claim.statements(&actor.tenant, &stored, self.now));
        match self.batch(&writes).await {
            Ok(_) => {
                self.cache_answer(claim, &stored);
                Ok(reply)
            }
            Err(error) => Err(self.replay_after(claim, error).await?),
        }
    }

    /// Like [`Self::commit_keeping`], for a change with a guard. `None` when the guard refused:
    /// then nothing was written, no record and no claim, and the same key may be tried again.
    ///
    /// # Errors
    /// The first answer, when a parallel request with the same key was faster.
    pub async fn commit_guarded(
        &self,
        actor: &Actor,
        guarded: Guarded,
        reply: Reply,
        kept: &Reply,
    ) -> Result<Option<Reply>, Interrupt> {
        let Guarded {
            lock,
            change,
            record,
            rest,
        } = guarded;
        let mut writes: Vec<Statement> = lock.into_iter().collect();
        let guard = writes.len();
        writes.extend([change, record.statement]);
        writes.extend(rest);
        let done = |rows: &[Vec<Row>]| rows.get(guard).is_some_and(|rows| !rows.is_empty());
        let claim = self
            .claim
            .as_ref()
            .and_then(|claim| Some((claim, claim.keep(kept, self.now)?)));
        let Some((claim, stored)) = claim else {
            let rows = self.batch(&writes).await?;
            return Ok(done(&rows).then_some(reply));
        };
        writes.extend(claim.statements_if(&actor.tenant, &stored, &record.id, self.now));
        let rows = match self.batch(&writes).await {
            Ok(rows) => rows,
            Err(error) => return Err(self.replay_after(claim, error).await?),
        };
        if done(&rows) {
            self.cache_answer(claim, &stored);
            return Ok(Some(reply));
        }
        // A twin with the same key may have taken the last place.
        let found = rows.last().map_or(&[][..], Vec::as_slice);
        match Claim::stored(found, self.now)? {
            Some(first) => Err(Interrupt::Replay(claim.replay(first)?)),
            None => Ok(None),
        }
    }

    /// What to answer when a batch with a claim failed: the claim of a faster twin, if there is
    /// one.
    async fn replay_after(&self, claim: &Claim, error: Error) -> Result<Interrupt, Error> {
        let rows = self.query(claim.find()).await?;
        match Claim::stored(&rows, self.now)? {
            Some(first) => Ok(Interrupt::Replay(claim.replay(first)?)),
            None => Ok(error.into()),
        }
    }

    fn cache_answer(&self, claim: &Claim, stored: &Stored) {
        let Ok(text) = serde_json::to_string(stored) else {
            return;
        };
        Meter::count(&self.meter.kv);
        // SQL holds the answer too, so a failure here changes nothing.
        key_value::put_later(self.platform, claim.kv_key(), text, 86_400, self.now);
    }
}
