//! The states of a payment and the changes that there are: one table, from which both this crate's list and
//! the condition in SQL are made.

use serde_json::json;

use super::model::Known;
use super::store::{HISTORY, MOVE, PUBLISH_MOVED};
use crate::http::{Context, Error};
use crate::outbox::{Event, Topic};
use crate::port::Platform;
use crate::sql::Statement;
use crate::tenancy::TenantId;
use crate::time::Millis;

pub(super) const PENDING: &str = "payment_pending";
pub(super) const PROCESSING: &str = "processing";
pub(super) const PAID: &str = "paid";
pub(super) const CONFIRMED: &str = "confirmed";
pub(super) const COMPLETED: &str = "completed";
pub(super) const FAILED: &str = "payment_failed";
pub(super) const CANCELLED: &str = "cancelled";

/// Every state.
pub const STATES: [&str; 7] = [
    PENDING, PROCESSING, PAID, CONFIRMED, COMPLETED, FAILED, CANCELLED,
];

/// Each state with those that lead to it.
macro_rules! machine {
    ($with:ident) => {
        $with! {
            "processing" <- "payment_pending", "payment_failed";
            "paid" <- "processing";
            "confirmed" <- "paid";
            "completed" <- "confirmed";
            "payment_failed" <- "payment_pending", "processing";
            "cancelled" <- "payment_pending", "processing", "paid", "confirmed", "completed", "payment_failed";
        }
    };
}

macro_rules! pairs {
    ($( $to:literal <- $($from:literal),+; )+) => {
        /// Every change that there is: from, to.
        pub const LEGAL: &[(&str, &str)] = &[$( $( ($from, $to) ),+ ),+];
    };
}
machine!(pairs);

/// The condition for a change to the state `?3`.
macro_rules! guard {
    ($( $to:literal <- $first:literal $(, $from:literal)*; )+) => {
        concat!(
            "(0 = 1"
            $(, " OR CAST(?3 AS TEXT) = '", $to, "' AND status IN ('", $first, "'" $(, ", '", $from, "'")*, ")")+,
            ")"
        )
    };
}
pub(super) use guard;
pub(super) use machine;

/// Whether there is such a change.
pub(super) fn is_legal(from: &str, to: &str) -> bool {
    LEGAL.contains(&(from, to))
}

/// A change of a payment's state, with what is written down by it.
#[derive(Debug, Default)]
pub(super) struct Move<'a> {
    pub(super) to: &'static str,
    /// Id of the event or of the request that caused it, or `reconcile`.
    pub(super) cause: &'a str,
    /// Only if it still has this version.
    pub(super) version: Option<i64>,
    /// Why it failed.
    pub(super) error: Option<&'a str>,
    pub(super) intent: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    /// The refund of all of it.
    pub(super) refund: Option<&'a str>,
    /// When Stripe is asked again, if nothing is heard.
    pub(super) next_check: Option<Millis>,
}

/// The statements of a change. All of them do nothing where the first does nothing.
pub(super) struct Written {
    /// A row comes back where the change was made.
    pub(super) change: Statement,
    /// Its entry in the history, and the event that tells of it, if one does.
    pub(super) rest: Vec<Statement>,
    /// Id of the entry, by which other statements ask whether the change was made.
    pub(super) transition: String,
}

impl Move<'_> {
    pub(super) fn write<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        payment: &Known,
    ) -> Result<Written, Error> {
        let (tenant, id) = (&payment.tenant, payment.id.as_str());
        let transition = cx.new_id("trn")?;
        let event = match self.topic() {
            Some(topic) => Some(Event::new(cx, topic, &payment.told())?),
            None => None,
        };
        let mail = event.as_ref().filter(|_| self.to == PAID);
        let change = MOVE.bind(
            tenant,
            [
                id.into(),
                self.to.into(),
                transition.as_str().into(),
                cx.now.into(),
                self.version.into(),
                self.error.into(),
                self.intent.into(),
                self.method.into(),
                self.refund.into(),
                mail.map(|event| event.id.as_str()).into(),
                self.next_check.map(|at| at.0).into(),
            ],
        );
        let mut rest = vec![history(tenant, id, &transition, self.cause)];
        if let Some(event) = &event {
            let mut publish = event.publish_by(&PUBLISH_MOVED, tenant);
            let of = [id.into(), transition.as_str().into()];
            publish.params.extend(of);
            rest.push(publish);
        }
        Ok(Written {
            change,
            rest,
            transition,
        })
    }

    fn topic(&self) -> Option<&'static Topic> {
        match self.to {
            PAID => Some(Topic::PAYMENT_PAID),
            FAILED => Some(Topic::PAYMENT_FAILED),
            CANCELLED => Some(Topic::PAYMENT_CANCELLED),
            _ => None,
        }
    }
}

/// Writes the entry of the change that has just been made, if it was.
pub(super) fn history(tenant: &TenantId, id: &str, transition: &str, cause: &str) -> Statement {
    HISTORY.bind(tenant, [id.into(), transition.into(), cause.into()])
}

impl Known {
    /// What events and the log tell of it.
    pub(super) fn told(&self) -> serde_json::Value {
        json!({
            "payment": self.id,
            "amount_minor": self.amount,
            "currency": self.currency,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: I-02
    #[test]
    fn the_table_is_the_documented_machine() {
        let mut expected = vec![
            (PENDING, PROCESSING),
            (PROCESSING, PAID),
            (PAID, CONFIRMED),
            (CONFIRMED, COMPLETED),
            (PENDING, FAILED),
            (PROCESSING, FAILED),
            (FAILED, PROCESSING),
        ];
        let alive = STATES.into_iter().filter(|state| *state != CANCELLED);
        expected.extend(alive.map(|state| (state, CANCELLED)));
        let mut legal = LEGAL.to_vec();
        expected.sort_unstable();
        legal.sort_unstable();
        assert_eq!(legal, expected);
        for (from, to) in expected {
            assert!(is_legal(from, to) && from != to);
        }
    }
}
