//! Trials: a plan for some days, once per tenant.
//!
//! Registration begins one. The tenant's row holds the plan that counts, so nothing on a request's
//! path looks at a trial; a task of the scheduler walks the trials whose next stage has come
//! ([`stage`]), tells the founders through the outbox, and ends them. A subscription that gives
//! access beats a trial at any time.

mod begin;
mod service;
mod stage;
mod store;
mod task;

pub(crate) use begin::Beginning;
pub(crate) use service::{extend, shown, stats};
pub(crate) use store::{OWN, QUERIES};
pub(crate) use task::run;

/// Where an application's page about plans is, behind `FRONTEND_URL`.
pub(crate) const UPGRADE_PATH: &str = "/billing";

/// Whether a trial gives its plan at `?now`: `$tenant` is the name of the tenant's row.
#[macro_export]
#[doc(hidden)]
macro_rules! trial_gives {
    ($tenant:literal, $now:literal) => {
        concat!(
            $tenant,
            ".trial_stage IN ('started', 'ending', 'last_day') AND ",
            $tenant,
            ".trial_ends_at > ",
            $now
        )
    };
}
