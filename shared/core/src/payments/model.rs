//! A payment as it is stored and shown.

use serde_json::{Map, Value as Json, json};

use super::machine::{CANCELLED, COMPLETED, CONFIRMED, PAID};
use crate::port::DatabaseError;
use crate::sql::Row;
use crate::tenancy::TenantId;
use crate::time::Millis;

/// The columns of [`Known::from_row`], in its order.
macro_rules! known {
    () => {
        "id, tenant_id, status, amount_minor, currency, payment_intent_id, refunded_at, version, created_at"
    };
}
pub(super) use known;

/// The columns of [`Payment::from_row`], in its order.
macro_rules! columns {
    () => {
        concat!(
            crate::payments::model::known!(),
            ", user_id, product_id, quantity, payment_method, next_action, error, metadata, refunded_minor, \
             updated_at, paid_at, confirmed_at, completed_at, cancelled_at"
        )
    };
}
pub(super) use columns;

/// What rules ask for of a row of `payments`. The webhook and the scheduler read no more: code that they do
/// not have does not count against their size.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) tenant: TenantId,
    pub(super) status: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(crate) intent: Option<String>,
    pub(super) refunded_at: Option<i64>,
    pub(super) version: i64,
    pub(super) created_at: i64,
}

impl Known {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.text(0)?.to_owned(),
            tenant: TenantId::proven(row.text(1)?),
            status: row.text(2)?.to_owned(),
            amount: row.int(3)?,
            currency: row.text(4)?.to_owned(),
            intent: row.opt_text(5)?.map(str::to_owned),
            refunded_at: row.opt_int(6)?,
            version: row.int(7)?,
            created_at: row.int(8)?,
        })
    }

    /// The first of some rows.
    pub(crate) fn first(rows: &[Row]) -> Result<Option<Self>, DatabaseError> {
        rows.first().map(Self::from_row).transpose()
    }

    /// Whether money was taken that was not given back.
    pub(super) fn is_paid(&self) -> bool {
        [PAID, CONFIRMED, COMPLETED].contains(&self.status.as_str())
    }
}

/// A row of `payments`.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) known: Known,
    pub(super) user: String,
    pub(super) product: String,
    pub(super) quantity: i64,
    method: Option<String>,
    action: Option<String>,
    error: Option<String>,
    pub(super) metadata: String,
    refunded: i64,
    updated_at: i64,
    paid_at: Option<i64>,
    confirmed_at: Option<i64>,
    completed_at: Option<i64>,
    cancelled_at: Option<i64>,
}

impl Payment {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        let text = |index| row.text(index).map(str::to_owned);
        let opt_text = |index| Ok::<_, DatabaseError>(row.opt_text(index)?.map(str::to_owned));
        Ok(Self {
            known: Known::from_row(row)?,
            user: text(9)?,
            product: text(10)?,
            quantity: row.int(11)?,
            method: opt_text(12)?,
            action: opt_text(13)?,
            error: opt_text(14)?,
            metadata: text(15)?,
            refunded: row.int(16)?,
            updated_at: row.int(17)?,
            paid_at: row.opt_int(18)?,
            confirmed_at: row.opt_int(19)?,
            completed_at: row.opt_int(20)?,
            cancelled_at: row.opt_int(21)?,
        })
    }

    /// The first of some rows.
    pub(super) fn first(rows: &[Row]) -> Result<Option<Self>, DatabaseError> {
        rows.first().map(Self::from_row).transpose()
    }

    /// What clients see of it.
    pub(super) fn show(&self) -> Result<Map<String, Json>, DatabaseError> {
        let time = |at: Option<i64>| at.map(|at| Millis(at).rfc3339());
        let metadata: Json = serde_json::from_str(&self.metadata)
            .map_err(|_| DatabaseError::Shape("metadata is not JSON".to_owned()))?;
        let mut shown = Map::new();
        for (name, value) in [
            ("id", json!(self.known.id)),
            ("status", json!(self.known.status)),
            ("product", json!(self.product)),
            ("quantity", json!(self.quantity)),
            ("amountMinor", json!(self.known.amount)),
            ("currency", json!(self.known.currency)),
            ("paymentIntent", json!(self.known.intent)),
            ("paymentMethod", json!(self.method)),
            ("nextAction", action(self.action.as_deref())),
            ("error", json!(self.error)),
            ("metadata", metadata),
            ("refundedMinor", json!(self.refunded)),
            ("version", json!(self.known.version)),
            ("createdBy", json!(self.user)),
            ("createdAt", json!(time(Some(self.known.created_at)))),
            ("updatedAt", json!(time(Some(self.updated_at)))),
            ("paidAt", json!(time(self.paid_at))),
            ("confirmedAt", json!(time(self.confirmed_at))),
            ("completedAt", json!(time(self.completed_at))),
            ("cancelledAt", json!(time(self.cancelled_at))),
            ("refundedAt", json!(time(self.known.refunded_at))),
        ] {
            shown.insert(name.to_owned(), value);
        }
        Ok(shown)
    }

    /// Itself after a change that was made just now.
    #[must_use]
    pub(super) fn moved(mut self, to: &str, refund: bool, now: Millis) -> Self {
        to.clone_into(&mut self.known.status);
        self.known.version = self.known.version.saturating_add(1);
        self.updated_at = now.0;
        self.error = None;
        self.action = None;
        match to {
            CONFIRMED => self.confirmed_at = Some(now.0),
            COMPLETED => self.completed_at = Some(now.0),
            CANCELLED => self.cancelled_at = Some(now.0),
            _ => {}
        }
        if refund {
            self.known.refunded_at.get_or_insert(now.0);
            self.refunded = self.known.amount;
        }
        self
    }

    /// Itself with a `PaymentIntent`, and what is to be done next.
    #[must_use]
    pub(super) fn with_intent(mut self, intent: &str, action: Option<&str>) -> Self {
        self.known.intent = Some(intent.to_owned());
        self.action = action.map(str::to_owned);
        self
    }
}

/// What whoever pays has to do next: Stripe's word for it, which its library in the browser acts on.
pub(super) fn action(kind: Option<&str>) -> Json {
    kind.map_or(Json::Null, |kind| json!({"type": kind}))
}
