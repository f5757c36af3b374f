//! The usage function's table.

use super::{ingest, summary};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Kind, Reply, Route};
use crate::metrics;
use crate::port::Platform;
use crate::tenancy::{ApiScope, Permission};

/// Usage events and their totals.
#[derive(Debug)]
pub struct Usage;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Take events.
    Ingest,
    /// Totals of a month.
    Summary,
}

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
        .media_types(&[
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
        ]),
        Route::get(
            "/api/v1/usage/summary",
            "usage.summary",
            Action::Summary,
            Access::MemberOrKey(Permission::UsageRead, ApiScope::UsageRead),
        )
        .feature(Feature::Usage),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Ingest => {
                let outcome = ingest::ingest(cx).await;
                cx.count(metrics::usage_recording_attempts(result(&outcome)));
                outcome
            }
            Action::Summary => summary::summary(cx).await,
        }
    }
}

/// What became of a request with events, as a label.
fn result(outcome: &Result<Reply, Interrupt>) -> &'static str {
    match outcome {
        Ok(_) | Err(Interrupt::Replay(_)) => "success",
        Err(Interrupt::Error(error)) if error.code().kind() == Kind::Server => "failure",
        Err(Interrupt::Error(_)) => "refused",
    }
}
