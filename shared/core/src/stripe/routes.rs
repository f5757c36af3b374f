//! The Stripe function's table.

use super::webhook;
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;

/// The endpoint that Stripe calls.
#[derive(Debug)]
pub struct StripeWebhook;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Take an event.
    Receive,
}

impl Function for StripeWebhook {
    type Action = Action;
    const NAME: &'static str = "stripe-webhook";
    // Not limited: a limit could only lose what Stripe tells us.
    const ROUTES: &'static [Route<Action>] = &[Route::post(
        "/webhooks/stripe",
        "stripe.webhook",
        Action::Receive,
        Access::Signed,
    )
    .rate(RateClass::Unlimited)
    .feature(Feature::Billing)];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Receive => webhook::receive(cx).await,
        }
    }
}
