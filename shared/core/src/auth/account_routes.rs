//! The accounts function's table.

use super::{mailbox, recovery, register};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// How an account comes to be, and how its password changes.
#[derive(Debug)]
pub struct Accounts;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Create user and tenant.
    Register,
    /// Confirm an e-mail address.
    Verify,
    /// Send another link to confirm an address.
    Resend,
    /// Replace one's own password.
    ChangePassword,
    /// Ask for a link to set a new password.
    ForgotPassword,
    /// Set a new password by that link.
    ResetPassword,
    /// Read the development mailbox.
    Mailbox,
}

impl Function for Accounts {
    type Action = Action;
    const NAME: &'static str = "accounts";
    const ROUTES: &'static [Route<Action>] = &[
        Route::post(
            "/api/v1/auth/register",
            "auth.register",
            Action::Register,
            Access::Public,
        )
        .feature(Feature::Registration)
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/verify",
            "auth.verify",
            Action::Verify,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/verify",
            "auth.verify_link",
            Action::Verify,
            Access::Public,
        )
        .acts()
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/verify/resend",
            "auth.verify_resend",
            Action::Resend,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/password/change",
            "auth.password_change",
            Action::ChangePassword,
            Access::Member(Permission::ProfileRead),
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/password/forgot",
            "auth.password_forgot",
            Action::ForgotPassword,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/password/reset",
            "auth.password_reset",
            Action::ResetPassword,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/dev/mailbox",
            "dev.mailbox",
            Action::Mailbox,
            Access::Development,
        )
        .rate(RateClass::Unlimited),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Register => register::register(cx).await,
            Action::Verify => register::verify(cx).await,
            Action::Resend => register::resend(cx).await,
            Action::ChangePassword => recovery::change(cx).await,
            Action::ForgotPassword => recovery::forgot(cx).await,
            Action::ResetPassword => recovery::reset(cx).await,
            Action::Mailbox => mailbox::read(cx).await,
        }
    }
}
