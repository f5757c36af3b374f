//! The mfa function's table.

use super::{challenge, email, factors, manage};
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// Multi-factor sign-in.
#[derive(Debug)]
pub struct Mfa;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Begin to set up a second factor.
    Start,
    /// Turn it on by its first code.
    Confirm,
    /// What is on.
    Status,
    /// The second step of a sign-in.
    Verify,
    /// Mail a code for it.
    Send,
    /// Turn a factor off.
    Disable,
    /// Draw new recovery codes.
    RecoveryCodes,
}

impl Function for Mfa {
    type Action = Action;
    const NAME: &'static str = "mfa";
    const ROUTES: &'static [Route<Action>] = &[
        Route::post(
            "/api/v1/auth/mfa/start",
            "auth.mfa_start",
            Action::Start,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/mfa/confirm",
            "auth.mfa_confirm",
            Action::Confirm,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/mfa/status",
            "auth.mfa_status",
            Action::Status,
            Access::Member(Permission::OwnAccess),
        ),
        Route::post(
            "/api/v1/auth/mfa/verify",
            "auth.mfa_verify",
            Action::Verify,
            Access::Public,
        )
        .signs_in("mfa")
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/mfa/email/send",
            "auth.mfa_email_send",
            Action::Send,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/mfa/disable",
            "auth.mfa_disable",
            Action::Disable,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/mfa/recovery-codes",
            "auth.mfa_recovery_codes",
            Action::RecoveryCodes,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Start => factors::start(cx).await,
            Action::Confirm => factors::confirm(cx).await,
            Action::Status => factors::status(cx).await,
            Action::Verify => challenge::verify(cx).await,
            Action::Send => email::send(cx).await,
            Action::Disable => manage::disable(cx).await,
            Action::RecoveryCodes => manage::regenerate(cx).await,
        }
    }
}
