//! The auth function's table.

use super::{closing, login, mailbox, mfa, oauth, recovery, register, session, sessions, switch};
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// Accounts and sessions.
#[derive(Debug)]
pub struct Auth;

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
    /// Close one's own account.
    Close,
    /// Start a session.
    Login,
    /// Exchange a refresh token.
    Refresh,
    /// End this session, the others, or all.
    Logout,
    /// List one's sessions.
    Sessions,
    /// End one of them.
    EndSession,
    /// Move this session to another organisation.
    Switch,
    /// Get a CSRF token.
    Csrf,
    /// Who am I.
    Me,
    /// Begin to set up a second factor.
    MfaStart,
    /// Turn it on by its first code.
    MfaConfirm,
    /// What is on.
    MfaStatus,
    /// The second step of a sign-in.
    MfaVerify,
    /// Mail a code for it.
    MfaSend,
    /// Turn a factor off.
    MfaDisable,
    /// Draw new recovery codes.
    MfaRecoveryCodes,
    /// Public keys of access tokens.
    Jwks,
    /// List providers to sign in through.
    Providers,
    /// Go to a provider.
    OauthStart,
    /// Come back from it.
    OauthCallback,
    /// Add a provider to one's account.
    OauthLink,
    /// List one's accounts at providers.
    Identities,
    /// Take one off.
    Unlink,
    /// Read the development mailbox.
    Mailbox,
}

impl Function for Auth {
    type Action = Action;
    const NAME: &'static str = "auth";
    const ROUTES: &'static [Route<Action>] = &[
        Route::post(
            "/api/v1/auth/register",
            "auth.register",
            Action::Register,
            Access::Public,
        )
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
        Route::post(
            "/api/v1/auth/login",
            "auth.login",
            Action::Login,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/refresh",
            "auth.refresh",
            Action::Refresh,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/logout",
            "auth.logout",
            Action::Logout,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/sessions",
            "auth.sessions",
            Action::Sessions,
            Access::Member(Permission::ProfileRead),
        ),
        Route::delete(
            "/api/v1/auth/sessions/:id",
            "auth.end_session",
            Action::EndSession,
            Access::Member(Permission::ProfileRead),
        ),
        Route::post(
            "/api/v1/auth/switch",
            "auth.switch",
            Action::Switch,
            Access::Member(Permission::ProfileRead),
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/csrf",
            "auth.csrf",
            Action::Csrf,
            Access::Member(Permission::OwnAccess),
        ),
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
            "/api/v1/auth/mfa/start",
            "auth.mfa_start",
            Action::MfaStart,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/mfa/confirm",
            "auth.mfa_confirm",
            Action::MfaConfirm,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/mfa/status",
            "auth.mfa_status",
            Action::MfaStatus,
            Access::Member(Permission::OwnAccess),
        ),
        Route::post(
            "/api/v1/auth/mfa/verify",
            "auth.mfa_verify",
            Action::MfaVerify,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/mfa/email/send",
            "auth.mfa_email_send",
            Action::MfaSend,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/mfa/disable",
            "auth.mfa_disable",
            Action::MfaDisable,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/mfa/recovery-codes",
            "auth.mfa_recovery_codes",
            Action::MfaRecoveryCodes,
            Access::Member(Permission::OwnAccess),
        )
        .rate(RateClass::Auth),
        Route::get(
            "/.well-known/jwks.json",
            "auth.jwks",
            Action::Jwks,
            Access::Public,
        ),
        Route::get(
            "/api/v1/auth/oauth",
            "oauth.providers",
            Action::Providers,
            Access::Public,
        ),
        Route::get(
            "/api/v1/auth/oauth/:provider/start",
            "oauth.start",
            Action::OauthStart,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/oauth/:provider/callback",
            "oauth.callback",
            Action::OauthCallback,
            Access::Public,
        )
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/oauth/:provider/link",
            "oauth.link",
            Action::OauthLink,
            Access::Member(Permission::ProfileRead),
        )
        .rate(RateClass::Auth),
        Route::get(
            "/api/v1/auth/identities",
            "oauth.identities",
            Action::Identities,
            Access::Member(Permission::ProfileRead),
        ),
        Route::delete(
            "/api/v1/auth/identities/:provider",
            "oauth.unlink",
            Action::Unlink,
            Access::Member(Permission::ProfileRead),
        ),
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
            Action::Close => closing::close(cx).await,
            Action::Login => login::login(cx).await,
            Action::Refresh => session::refresh(cx).await,
            Action::Logout => sessions::logout(cx).await,
            Action::Sessions => sessions::list(cx).await,
            Action::EndSession => sessions::end(cx).await,
            Action::Switch => switch::switch(cx).await,
            Action::Csrf => sessions::csrf(cx).await,
            Action::Me => session::me(cx).await,
            Action::MfaStart => mfa::start(cx).await,
            Action::MfaConfirm => mfa::confirm(cx).await,
            Action::MfaStatus => mfa::status(cx).await,
            Action::MfaVerify => mfa::verify(cx).await,
            Action::MfaSend => mfa::send(cx).await,
            Action::MfaDisable => mfa::disable(cx).await,
            Action::MfaRecoveryCodes => mfa::regenerate(cx).await,
            Action::Jwks => session::jwks(cx),
            Action::Providers => oauth::providers(cx),
            Action::OauthStart => oauth::start(cx).await,
            Action::OauthCallback => oauth::callback(cx).await,
            Action::OauthLink => oauth::link(cx).await,
            Action::Identities => oauth::identities(cx).await,
            Action::Unlink => oauth::unlink(cx).await,
            Action::Mailbox => mailbox::read(cx).await,
        }
    }
}
