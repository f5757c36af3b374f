//! The organizations function's table.

use super::{api_keys, audit, domains, invitations, mfa, tenants};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Idempotency, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// What belongs to a tenant as a whole: its name, domains, invitations, API keys, audit log.
#[derive(Debug)]
pub struct Organizations;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// List one's organisations.
    List,
    /// Create one.
    Create,
    /// Show the current one.
    Current,
    /// Rename it.
    Rename,
    /// Invite an address.
    Invite,
    /// List invitations.
    Invitations,
    /// Send another link.
    ResendInvitation,
    /// Revoke an invitation.
    RevokeInvitation,
    /// Accept an invitation.
    AcceptInvitation,
    /// Create an API key.
    CreateKey,
    /// List API keys.
    ListKeys,
    /// Show an API key.
    GetKey,
    /// Give an API key a new secret.
    RerollKey,
    /// Revoke an API key.
    RevokeKey,
    /// Say who needs a second factor.
    RequireMfa,
    /// List what was done in the tenant.
    ListAudit,
    /// Delete an API key.
    DeleteKey,
    /// Whose host this is.
    Here,
    /// List a tenant's domains.
    Domains,
    /// Give a tenant a domain.
    AddDomain,
    /// Take it back.
    RemoveDomain,
}

impl Function for Organizations {
    type Action = Action;
    const NAME: &'static str = "organizations";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get(
            "/api/v1/organizations",
            "organizations.list",
            Action::List,
            Access::Member(Permission::ProfileRead),
        ),
        Route::post(
            "/api/v1/organizations",
            "organizations.create",
            Action::Create,
            Access::Member(Permission::ProfileRead),
        )
        .idempotency(Idempotency::Optional),
        Route::get(
            "/api/v1/organizations/current",
            "organizations.current",
            Action::Current,
            Access::Member(Permission::OrganizationRead),
        ),
        Route::patch(
            "/api/v1/organizations/current",
            "organizations.rename",
            Action::Rename,
            Access::Member(Permission::OrganizationWrite),
        ),
        Route::post(
            "/api/v1/organizations/invitations",
            "invitations.create",
            Action::Invite,
            Access::Member(Permission::MembersWrite),
        )
        .feature(Feature::Invitations),
        Route::get(
            "/api/v1/organizations/invitations",
            "invitations.list",
            Action::Invitations,
            Access::Member(Permission::MembersRead),
        )
        .feature(Feature::Invitations),
        Route::post(
            "/api/v1/organizations/invitations/:id/resend",
            "invitations.resend",
            Action::ResendInvitation,
            Access::Member(Permission::MembersWrite),
        )
        .feature(Feature::Invitations),
        Route::delete(
            "/api/v1/organizations/invitations/:id",
            "invitations.revoke",
            Action::RevokeInvitation,
            Access::Member(Permission::MembersWrite),
        )
        .feature(Feature::Invitations),
        Route::post(
            "/api/v1/invitations/accept",
            "invitations.accept",
            Action::AcceptInvitation,
            Access::Member(Permission::ProfileRead),
        )
        .feature(Feature::Invitations)
        .rate(RateClass::Auth),
        Route::post(
            "/api/v1/api-keys",
            "api_keys.create",
            Action::CreateKey,
            Access::Member(Permission::ApiKeysWrite),
        )
        .feature(Feature::ApiKeys)
        .idempotency(Idempotency::Optional),
        Route::get(
            "/api/v1/api-keys",
            "api_keys.list",
            Action::ListKeys,
            Access::Member(Permission::ApiKeysRead),
        )
        .feature(Feature::ApiKeys),
        Route::get(
            "/api/v1/api-keys/:id",
            "api_keys.get",
            Action::GetKey,
            Access::Member(Permission::ApiKeysRead),
        )
        .feature(Feature::ApiKeys),
        Route::post(
            "/api/v1/api-keys/:id/reroll",
            "api_keys.reroll",
            Action::RerollKey,
            Access::Member(Permission::ApiKeysWrite),
        )
        .feature(Feature::ApiKeys)
        .idempotency(Idempotency::Optional),
        Route::post(
            "/api/v1/api-keys/:id/revoke",
            "api_keys.revoke",
            Action::RevokeKey,
            Access::Member(Permission::ApiKeysWrite),
        )
        .feature(Feature::ApiKeys),
        Route::put(
            "/api/v1/organizations/current/mfa",
            "organizations.require_mfa",
            Action::RequireMfa,
            Access::Member(Permission::SecurityWrite),
        ),
        Route::get(
            "/api/v1/organizations/audit",
            "organizations.audit",
            Action::ListAudit,
            Access::Member(Permission::AuditRead),
        ),
        Route::delete(
            "/api/v1/api-keys/:id",
            "api_keys.delete",
            Action::DeleteKey,
            Access::Member(Permission::ApiKeysWrite),
        )
        .feature(Feature::ApiKeys),
        Route::get(
            "/api/v1/organizations/here",
            "organizations.here",
            Action::Here,
            Access::Public,
        ),
        Route::get(
            "/api/v1/organizations/domains",
            "domains.list",
            Action::Domains,
            Access::Service,
        ),
        Route::put(
            "/api/v1/organizations/domains/:domain",
            "domains.add",
            Action::AddDomain,
            Access::Service,
        ),
        Route::delete(
            "/api/v1/organizations/domains/:domain",
            "domains.remove",
            Action::RemoveDomain,
            Access::Service,
        ),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::List => tenants::list(cx).await,
            Action::Create => tenants::create(cx).await,
            Action::Current => tenants::current(cx).await,
            Action::Rename => tenants::rename(cx).await,
            Action::Invite => invitations::create(cx).await,
            Action::Invitations => invitations::list(cx).await,
            Action::ResendInvitation => invitations::resend(cx).await,
            Action::RevokeInvitation => invitations::revoke(cx).await,
            Action::AcceptInvitation => invitations::accept(cx).await,
            Action::CreateKey => api_keys::create(cx).await,
            Action::ListKeys => api_keys::list(cx).await,
            Action::GetKey => api_keys::get(cx).await,
            Action::RerollKey => api_keys::reroll(cx).await,
            Action::RevokeKey => api_keys::revoke(cx).await,
            Action::RequireMfa => mfa::require(cx).await,
            Action::ListAudit => audit::list(cx).await,
            Action::DeleteKey => api_keys::delete(cx).await,
            Action::Here => domains::here(cx).await,
            Action::Domains => domains::list(cx).await,
            Action::AddDomain => domains::add(cx).await,
            Action::RemoveDomain => domains::remove(cx).await,
        }
    }
}
