//! The billing function's table.

use super::{change, checkout, limits, service};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Idempotency, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;
use crate::trials;

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
    /// Begin to buy.
    Checkout,
    /// Go to Stripe's portal.
    Portal,
    /// Change the plan.
    ChangePlan,
    /// End the subscription.
    Cancel,
    /// Take its end back.
    Resume,
    /// Give a tenant limits of its own.
    SetLimits,
    /// How trials fare.
    TrialStats,
    /// Move a trial's end.
    ExtendTrial,
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
        Route::post(
            "/api/v1/billing/checkout",
            "billing.checkout",
            Action::Checkout,
            Access::Member(Permission::BillingWrite),
        )
        .feature(Feature::Billing)
        .rate(RateClass::Payments)
        .idempotency(Idempotency::Required),
        Route::post(
            "/api/v1/billing/portal",
            "billing.portal",
            Action::Portal,
            Access::Member(Permission::BillingWrite),
        )
        .feature(Feature::Billing)
        .rate(RateClass::Payments),
        Route::put(
            "/api/v1/billing/subscription",
            "billing.change_plan",
            Action::ChangePlan,
            Access::Member(Permission::BillingWrite),
        )
        .feature(Feature::Billing)
        .rate(RateClass::Payments)
        .idempotency(Idempotency::Required),
        Route::delete(
            "/api/v1/billing/subscription",
            "billing.cancel",
            Action::Cancel,
            Access::Member(Permission::BillingWrite),
        )
        .feature(Feature::Billing)
        .rate(RateClass::Payments)
        .idempotency(Idempotency::Optional),
        Route::post(
            "/api/v1/billing/subscription/resume",
            "billing.resume",
            Action::Resume,
            Access::Member(Permission::BillingWrite),
        )
        .feature(Feature::Billing)
        .rate(RateClass::Payments)
        .idempotency(Idempotency::Optional),
        Route::put(
            "/api/v1/billing/rate-limits",
            "billing.set_rate_limits",
            Action::SetLimits,
            Access::Service,
        ),
        Route::get(
            "/api/v1/trials/stats",
            "trials.stats",
            Action::TrialStats,
            Access::Service,
        ),
        Route::put(
            "/api/v1/trials/:tenant",
            "trials.extend",
            Action::ExtendTrial,
            Access::Service,
        ),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Plans => service::plans(cx).await,
            Action::Subscription => service::subscription(cx).await,
            Action::Checkout => checkout::begin(cx).await,
            Action::Portal => checkout::portal(cx).await,
            Action::ChangePlan => change::plan(cx).await,
            Action::Cancel => change::cancel(cx).await,
            Action::Resume => change::resume(cx).await,
            Action::SetLimits => limits::set(cx).await,
            Action::TrialStats => trials::stats(cx).await,
            Action::ExtendTrial => trials::extend(cx).await,
        }
    }
}
