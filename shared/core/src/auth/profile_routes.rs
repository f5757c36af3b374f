//! The profile function's table.

use super::{closing, email_change, oauth, session};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// One's own account: what it is, its address, its accounts at providers, its end.
#[derive(Debug)]
pub struct Profile;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Who am I.
    Me,
    /// Close one's own account.
    Close,
    /// Ask for another address.
    ChangeEmail,
    /// Agree to it, by the link to one of the two.
    ConfirmEmail,
    /// List one's accounts at providers.
    Identities,
    /// Take one off.
    Unlink,
}

impl Function for Profile {
    type Action = Action;
    const NAME: &'static str = "profile";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get(
            "/api/v1/auth/me",
            "auth.me",
            Action::Me,
            Access::Member(Permission::ProfileRead),
        ),
        Route::delete(
            "/api/v1/auth/me",
            "auth.close",
            Action::Close,
            Access::Member(Permission::ProfileRead),
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/email/change",
            "auth.email_change",
            Action::ChangeEmail,
            Access::Member(Permission::ProfileRead),
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/email/confirm",
            "auth.email_confirm",
            Action::ConfirmEmail,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/identities",
            "oauth.identities",
            Action::Identities,
            Access::Member(Permission::ProfileRead),
        )
        .feature(Feature::Oauth),
        Route::delete(
            "/api/v1/auth/identities/:provider",
            "oauth.unlink",
            Action::Unlink,
            Access::Member(Permission::ProfileRead),
        )
        .feature(Feature::Oauth)
        .rate(RateClass::Auth),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Me => session::me(cx).await,
            Action::Close => closing::close(cx).await,
            Action::ChangeEmail => email_change::ask(cx).await,
            Action::ConfirmEmail => email_change::confirm(cx).await,
            Action::Identities => oauth::identities(cx).await,
            Action::Unlink => oauth::unlink(cx).await,
        }
    }
}
