//! The auth function's table.

use super::{login, security_txt, session, sessions, switch};
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// Sign-in, sessions and tokens.
#[derive(Debug)]
pub struct Auth;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
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
    /// Public keys of access tokens.
    Jwks,
    /// Where to report a vulnerability.
    SecurityTxt,
}

impl Function for Auth {
    type Action = Action;
    const NAME: &'static str = "auth";
    const ROUTES: &'static [Route<Action>] = &[
        Route::post(
            "/api/v1/auth/login",
            "auth.login",
            Action::Login,
            Access::Public,
        )
        .signs_in("password")
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/auth/refresh",
            "auth.refresh",
            Action::Refresh,
            Access::Public,
        )
        .signs_in("refresh_token")
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
            Access::Member(Permission::SessionsRead),
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
            "/.well-known/jwks.json",
            "auth.jwks",
            Action::Jwks,
            Access::Public,
        ),
        // Here because the directory is this function's on every platform.
        Route::get(
            "/.well-known/security.txt",
            "auth.security_txt",
            Action::SecurityTxt,
            Access::Public,
        ),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Login => login::login(cx).await,
            Action::Refresh => session::refresh(cx).await,
            Action::Logout => sessions::logout(cx).await,
            Action::Sessions => sessions::list(cx).await,
            Action::EndSession => sessions::end(cx).await,
            Action::Switch => switch::switch(cx).await,
            Action::Csrf => sessions::csrf(cx).await,
            Action::Jwks => session::jwks(cx),
            Action::SecurityTxt => security_txt::show(cx),
        }
    }
}
