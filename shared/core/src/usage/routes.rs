//! The usage function's table.

use super::{ingest, summary};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
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
            Action::Ingest => ingest::ingest(cx).await,
            Action::Summary => summary::summary(cx).await,
        }
    }
}
