//! The oauth function's table.

use super::flow;
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// Sign-in through other providers.
#[derive(Debug)]
pub struct Oauth;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// List providers to sign in through.
    Providers,
    /// Go to a provider.
    Start,
    /// Come back from it.
    Callback,
    /// Add a provider to one's account.
    Link,
}

impl Function for Oauth {
    type Action = Action;
    const NAME: &'static str = "oauth";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get(
            "/api/v1/auth/oauth",
            "oauth.providers",
            Action::Providers,
            Access::Public,
        )
        .feature(Feature::Oauth),
        Route::get(
            "/api/v1/auth/oauth/:provider/start",
            "oauth.start",
            Action::Start,
            Access::Public,
        )
        .feature(Feature::Oauth)
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/oauth/:provider/callback",
            "oauth.callback",
            Action::Callback,
            Access::Public,
        )
        .signs_in("oauth")
        .feature(Feature::Oauth)
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/oauth/:provider/link",
            "oauth.link",
            Action::Link,
            Access::Member(Permission::ProfileRead),
        )
        .feature(Feature::Oauth)
        .rate(RateClass::Auth),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Providers => flow::providers(cx),
            Action::Start => flow::start(cx).await,
            Action::Callback => flow::callback(cx).await,
            Action::Link => flow::link(cx).await,
        }
    }
}
