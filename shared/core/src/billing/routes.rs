//! The billing function's table.

use super::{limits, service};
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// Plans and subscriptions.
#[derive(Debug)]
pub struct Billing;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// What can be bought.
    Plans,
    /// What the tenant has.
    Subscription,
    /// Give a tenant limits of its own.
    SetLimits,
}

impl Function for Billing {
    type Action = Action;
    const NAME: &'static str = "billing";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get(
            "/api/v1/billing/plans",
            "billing.plans",
            Action::Plans,
            Access::Public,
        ),
        Route::get(
            "/api/v1/billing/subscription",
            "billing.subscription",
            Action::Subscription,
            Access::Member(Permission::BillingRead),
        ),
        Route::put(
            "/api/v1/billing/rate-limits",
            "billing.set_rate_limits",
            Action::SetLimits,
            Access::Service,
        ),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Plans => service::plans(cx).await,
            Action::Subscription => service::subscription(cx).await,
            Action::SetLimits => limits::set(cx).await,
        }
    }
}
