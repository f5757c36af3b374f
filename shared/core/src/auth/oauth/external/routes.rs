//! The exchange function's table.

use super::exchange::exchange;
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;

/// Tokens of other issuers. A function of its own: it alone carries RSA and P-256.
#[derive(Debug)]
pub struct Exchange;

/// What the route does.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Exchange another issuer's token.
    Exchange,
}

impl Function for Exchange {
    type Action = Action;
    const NAME: &'static str = "exchange";
    const ROUTES: &'static [Route<Action>] = &[Route::post(
        "/api/v1/auth/token/exchange",
        "exchange.token",
        Action::Exchange,
        Access::Public,
    )
    .feature(Feature::Oauth)
    .signs_in("exchange")
    .rate(RateClass::Auth)];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Exchange => exchange(cx).await,
        }
    }
}
