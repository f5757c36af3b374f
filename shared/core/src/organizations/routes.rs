//! The organizations function's table.

use super::api_keys;
use crate::http::{Access, Context, Function, Idempotency, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// What belongs to a tenant as a whole: API keys.
#[derive(Debug)]
pub struct Organizations;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Create an API key.
    CreateKey,
    /// List API keys.
    ListKeys,
    /// Revoke an API key.
    RevokeKey,
}

impl Function for Organizations {
    type Action = Action;
    const NAME: &'static str = "organizations";
    const ROUTES: &'static [Route<Action>] = &[
        Route::post(
            "/api/v1/api-keys",
            "api_keys.create",
            Action::CreateKey,
            Access::Member(Permission::ApiKeysWrite),
        )
        .idempotency(Idempotency::Optional),
        Route::get(
            "/api/v1/api-keys",
            "api_keys.list",
            Action::ListKeys,
            Access::Member(Permission::ApiKeysRead),
        ),
        Route::delete(
            "/api/v1/api-keys/:id",
            "api_keys.revoke",
            Action::RevokeKey,
            Access::Member(Permission::ApiKeysWrite),
        ),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::CreateKey => api_keys::create(cx).await,
            Action::ListKeys => api_keys::list(cx).await,
            Action::RevokeKey => api_keys::revoke(cx).await,
        }
    }
}
