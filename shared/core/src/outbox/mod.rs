//! The outbox: events that are written in the batch which makes them true, and passed on later.
//!
//! [`publish`] gives a statement for that batch, so there is either the change and its event or
//! neither. A task of the scheduler relays: it leases events, does what their topic's line in
//! [`TOPICS`] says, and marks them, both in one batch. The lease's count is a fence, so of two
//! relays that hold one event only the later can mark it; what a consumer has done stands in the
//! inbox besides, so an event that somebody sends through again is not mailed twice.

mod inbox;
mod relay;
mod store;
mod topics;

use serde_json::Value as Json;

use crate::http::{Context, Error};
use crate::port::Platform;
use crate::sql::{Statement, TenantQuery};
use crate::tenancy::TenantId;
use crate::time::Millis;

pub(crate) use relay::relay;
pub use topics::{TOPICS, Topic};

/// Every statement of the outbox.
pub(crate) static QUERIES: [&[&crate::sql::Query]; 2] = [store::QUERIES, inbox::QUERIES];

/// The text of a statement that publishes an event only where something is so: `$from` finds it.
/// `?1` tenant, `?2` id, `?3` topic, `?4` version, `?5` payload, `?6` now; bound by
/// [`Event::publish_by`]; a statement with more of them starts at `?7`. The id comes back where
/// the event was written.
#[macro_export]
macro_rules! publish_where {
    ($($from:tt)+) => {
        concat!(
            "INSERT INTO outbox (tenant_id, id, topic, version, payload, created_at, claimed_until) \
             SELECT CAST(?1 AS TEXT), ?2, ?3, CAST(?4 AS BIGINT), ?5, CAST(?6 AS BIGINT), \
             CAST(?6 AS BIGINT) ",
            $($from)+,
            " RETURNING id"
        )
    };
}

/// Something that has happened to a tenant.
#[derive(Debug, Clone)]
pub struct Event {
    /// `evt_…`; consumers tell repetitions by it.
    pub id: String,
    topic: &'static Topic,
    payload: String,
    now: Millis,
}

impl Event {
    /// A new one. The payload is shown to the tenant and to whom it sends webhooks, so it must not
    /// hold secrets.
    ///
    /// # Errors
    /// `UNAVAILABLE` without random bytes.
    pub fn new<P: Platform>(
        cx: &Context<'_, P>,
        topic: &'static Topic,
        payload: &Json,
    ) -> Result<Self, Error> {
        Ok(Self {
            id: cx.new_id("evt")?,
            topic,
            payload: payload.to_string(),
            now: cx.now,
        })
    }

    /// The statement that writes it.
    pub fn publish(&self, tenant: &TenantId) -> Statement {
        self.publish_by(&store::PUBLISH, tenant)
    }

    /// The same by a statement of the domain, made with [`crate::publish_where!`], that writes
    /// nothing where nothing has happened. The caller adds what it takes from `?7` on.
    pub fn publish_by(&self, query: &'static TenantQuery, tenant: &TenantId) -> Statement {
        query.bind(
            tenant,
            [
                self.id.as_str().into(),
                self.topic.name.into(),
                self.topic.version.into(),
                self.payload.as_str().into(),
                self.now.into(),
            ],
        )
    }
}

/// The statement that writes an event, for the batch that makes it true.
///
/// # Errors
/// As [`Event::new`].
pub fn publish<P: Platform>(
    cx: &Context<'_, P>,
    tenant: &TenantId,
    topic: &'static Topic,
    payload: &Json,
) -> Result<Statement, Error> {
    Event::new(cx, topic, payload).map(|event| event.publish(tenant))
}
