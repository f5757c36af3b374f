//! The beginning: a part of registration.

use serde_json::json;

use super::store::PUBLISH_STARTED;
use crate::http::{Context, Error};
use crate::outbox::{Event, Topic};
use crate::port::Platform;
use crate::sql::{Statement, Value};
use crate::tenancy::TenantId;

/// What a new tenant's row and its batch get.
pub(crate) struct Beginning {
    /// Plan of the trial, or NULL for none.
    pub(crate) plan: Value,
    /// When it ends, or NULL.
    pub(crate) ends: Value,
    /// Behind the statement that makes the tenant.
    pub(crate) event: Option<Statement>,
}

impl Beginning {
    /// That of a tenant which registers now; `wanted` is false for who asked to do without.
    pub(crate) fn of<P: Platform>(
        cx: &Context<'_, P>,
        tenant: &TenantId,
        wanted: bool,
    ) -> Result<Self, Error> {
        let config = cx.config()?;
        if !wanted || config.trial_life == 0 {
            return Ok(Self {
                plan: Value::Null,
                ends: Value::Null,
                event: None,
            });
        }
        let (plan, ends) = (config.trial_plan.as_str(), cx.now.plus(config.trial_life));
        let payload = json!({"plan": plan, "ends_at": ends.rfc3339()});
        let event = Event::new(cx, Topic::TRIAL_STARTED, &payload)?;
        Ok(Self {
            plan: plan.into(),
            ends: ends.into(),
            event: Some(event.publish_by(&PUBLISH_STARTED, tenant)),
        })
    }
}
