//! The usage function's table.

use super::{ingest, list};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Kind, Reply, Route};
use crate::metrics;
use crate::port::Platform;
use crate::tenancy::{ApiScope, Permission};

/// Usage events.
#[derive(Debug)]
pub struct Usage;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Take events.
    Ingest,
    /// Show them.
    Events,
    /// Take events from another service, for a tenant.
    Record,
}

/// The content types of CloudEvents 1.0 in JSON.
const CLOUD_EVENTS: [&str; 2] = [
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
];

impl Function for Usage {
    type Action = Action;
    const NAME: &'static str = "usage";
    const ROUTES: &'static [Route<Action>] = &[
        Route::post(
            "/api/v1/usage/events",
            "usage.ingest",
            Action::Ingest,
            Access::Key(Permission::UsageWrite, ApiScope::UsageWrite),
        )
        .feature(Feature::Usage)
        .rate(RateClass::Ingest)
        .media_types(&CLOUD_EVENTS),
        Route::get(
            "/api/v1/usage/events",
            "usage.events",
            Action::Events,
            Access::MemberOrKey(Permission::UsageRead, ApiScope::UsageRead),
        )
        .feature(Feature::Usage),
        Route::post(
            "/api/v1/usage/record",
            "usage.record",
            Action::Record,
            Access::Service,
        )
        .feature(Feature::Usage)
        .rate(RateClass::Ingest)
        .media_types(&CLOUD_EVENTS),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Ingest => counted(cx, ingest::ingest(cx).await),
            Action::Record => counted(cx, ingest::record(cx).await),
            Action::Events => list::events(cx).await,
        }
    }
}

fn counted<P: Platform>(
    cx: &Context<'_, P>,
    outcome: Result<Reply, Interrupt>,
) -> Result<Reply, Interrupt> {
    cx.count(metrics::usage_recording_attempts(result(&outcome)));
    outcome
}

/// What became of a request with events, as a label.
fn result(outcome: &Result<Reply, Interrupt>) -> &'static str {
    match outcome {
        Ok(_) | Err(Interrupt::Replay(_)) => "success",
        Err(Interrupt::Error(error)) if error.code().kind() == Kind::Server => "failure",
        Err(Interrupt::Error(_)) => "refused",
    }
}
