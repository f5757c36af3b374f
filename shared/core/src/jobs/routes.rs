//! The jobs function's table.

use super::service;
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Idempotency, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::{ApiScope, Permission};

/// Background jobs.
#[derive(Debug)]
pub struct Jobs;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Take a job.
    Submit,
    /// The tenant's jobs.
    List,
    /// How a job is doing.
    Get,
    /// What it made.
    Result,
}

const READ: Access = Access::MemberOrKey(Permission::JobsRead, ApiScope::Jobs);
const WRITE: Access = Access::MemberOrKey(Permission::JobsWrite, ApiScope::Jobs);

impl Function for Jobs {
    type Action = Action;
    const NAME: &'static str = "jobs";
    const ROUTES: &'static [Route<Action>] = &[
        Route::post("/api/v1/jobs", "jobs.submit", Action::Submit, WRITE)
            .rate(RateClass::Ai)
            .idempotency(Idempotency::Optional)
            .feature(Feature::Jobs),
        Route::get("/api/v1/jobs", "jobs.list", Action::List, READ).feature(Feature::Jobs),
        Route::get("/api/v1/jobs/:id", "jobs.get", Action::Get, READ).feature(Feature::Jobs),
        Route::get(
            "/api/v1/jobs/:id/result",
            "jobs.result",
            Action::Result,
            READ,
        )
        .feature(Feature::Jobs),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Submit => service::submit(cx).await,
            Action::List => service::list(cx).await,
            Action::Get => service::get(cx).await,
            Action::Result => service::result(cx).await,
        }
    }
}
