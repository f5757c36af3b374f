//! The meters function's table.

use super::{definition, entitlements, history, query, requests, reservations, summary};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::{ApiScope, Permission};

/// Totals of usage.
#[derive(Debug)]
pub struct Meters;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Totals of a month.
    Summary,
    /// What a meter says, window by window.
    Query,
    /// Month after month.
    History,
    /// Requests, by who sent them and how they ended.
    Requests,
    /// Hold places of the quota.
    Reserve,
    /// Use them, or give them back.
    Finalise,
    /// What the tenant may have.
    Entitlements,
    /// One of them.
    Entitlement,
    /// Give a tenant one of its own.
    Override,
    /// Take it back.
    Reset,
    /// Definitions of meters.
    List,
    /// One.
    Get,
    /// Make or replace one.
    Set,
    /// Remove one.
    Delete,
}

/// Who may look at usage.
const READER: Access = Access::MemberOrKey(Permission::UsageRead, ApiScope::UsageRead);

/// Who may say how it is measured.
const WRITER: Access = Access::MemberOrKey(Permission::UsageWrite, ApiScope::UsageWrite);

impl Function for Meters {
    type Action = Action;
    const NAME: &'static str = "meters";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get(
            "/api/v1/usage/summary",
            "usage.summary",
            Action::Summary,
            READER,
        )
        .feature(Feature::Usage),
        Route::get("/api/v1/usage/query", "usage.query", Action::Query, READER)
            .feature(Feature::Usage),
        Route::get(
            "/api/v1/usage/history",
            "usage.history",
            Action::History,
            READER,
        )
        .feature(Feature::Usage),
        Route::get(
            "/api/v1/usage/requests",
            "usage.requests",
            Action::Requests,
            Access::MemberOrKey(Permission::AuditRead, ApiScope::UsageRead),
        )
        .feature(Feature::Usage),
        Route::post(
            "/api/v1/usage/reservations",
            "usage.reserve",
            Action::Reserve,
            Access::Key(Permission::UsageWrite, ApiScope::UsageWrite),
        )
        .feature(Feature::Usage)
        .rate(RateClass::Ingest),
        Route::post(
            "/api/v1/usage/reservations/:id/finalise",
            "usage.finalise",
            Action::Finalise,
            Access::Key(Permission::UsageWrite, ApiScope::UsageWrite),
        )
        .feature(Feature::Usage)
        .rate(RateClass::Ingest),
        Route::get(
            "/api/v1/entitlements",
            "entitlements.list",
            Action::Entitlements,
            READER,
        ),
        Route::get(
            "/api/v1/entitlements/:feature",
            "entitlements.get",
            Action::Entitlement,
            READER,
        ),
        Route::put(
            "/api/v1/entitlements/:feature",
            "entitlements.set",
            Action::Override,
            Access::Service,
        ),
        Route::delete(
            "/api/v1/entitlements/:feature",
            "entitlements.reset",
            Action::Reset,
            Access::Service,
        ),
        Route::get("/api/v1/meters", "meters.list", Action::List, READER).feature(Feature::Usage),
        Route::get("/api/v1/meters/:key", "meters.get", Action::Get, READER)
            .feature(Feature::Usage),
        Route::put("/api/v1/meters/:key", "meters.set", Action::Set, WRITER)
            .feature(Feature::Usage),
        Route::delete(
            "/api/v1/meters/:key",
            "meters.delete",
            Action::Delete,
            WRITER,
        )
        .feature(Feature::Usage),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Summary => summary::summary(cx).await,
            Action::Query => query::query(cx).await,
            Action::History => history::history(cx).await,
            Action::Requests => requests::list(cx).await,
            Action::Reserve => reservations::reserve(cx).await,
            Action::Finalise => reservations::finalise(cx).await,
            Action::Entitlements => entitlements::list(cx).await,
            Action::Entitlement => entitlements::get(cx).await,
            Action::Override => entitlements::set(cx).await,
            Action::Reset => entitlements::reset(cx).await,
            Action::List => definition::list(cx).await,
            Action::Get => definition::get(cx).await,
            Action::Set => definition::set(cx).await,
            Action::Delete => definition::delete(cx).await,
        }
    }
}
