//! The members function's table.

use super::{members, roles, teams};
use crate::http::{Access, Context, Function, Idempotency, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::{Permission, PlanFeature};

/// Who is in an organisation and as what: members, roles, teams.
#[derive(Debug)]
pub struct Members;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// List members.
    Members,
    /// Change a member's role.
    ChangeMember,
    /// Take a member out.
    RemoveMember,
    /// Leave.
    Leave,
    /// What roles and permissions there are.
    Roles,
    /// Make a role.
    CreateRole,
    /// Change one.
    ChangeRole,
    /// Delete one.
    DeleteRole,
    /// List teams.
    Teams,
    /// Make a team.
    CreateTeam,
    /// Show one.
    GetTeam,
    /// Rename one.
    RenameTeam,
    /// Delete one.
    DeleteTeam,
    /// List who is in it.
    TeamMembers,
    /// Put a member into it.
    AddTeamMember,
    /// Take a member out of it.
    RemoveTeamMember,
}

impl Function for Members {
    type Action = Action;
    const NAME: &'static str = "members";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get(
            "/api/v1/organizations/members",
            "members.list",
            Action::Members,
            Access::Member(Permission::MembersRead),
        ),
        Route::delete(
            "/api/v1/organizations/members/me",
            "members.leave",
            Action::Leave,
            Access::Member(Permission::ProfileRead),
        ),
        Route::patch(
            "/api/v1/organizations/members/:user_id",
            "members.change",
            Action::ChangeMember,
            Access::Member(Permission::MembersWrite),
        ),
        Route::delete(
            "/api/v1/organizations/members/:user_id",
            "members.remove",
            Action::RemoveMember,
            Access::Member(Permission::MembersWrite),
        ),
        Route::get(
            "/api/v1/organizations/roles",
            "roles.list",
            Action::Roles,
            Access::Member(Permission::MembersRead),
        ),
        Route::post(
            "/api/v1/organizations/roles",
            "roles.create",
            Action::CreateRole,
            Access::Member(Permission::RolesWrite),
        )
        .idempotency(Idempotency::Optional)
        .plan(PlanFeature::CustomRoles),
        Route::patch(
            "/api/v1/organizations/roles/:id",
            "roles.change",
            Action::ChangeRole,
            Access::Member(Permission::RolesWrite),
        )
        .plan(PlanFeature::CustomRoles),
        Route::delete(
            "/api/v1/organizations/roles/:id",
            "roles.delete",
            Action::DeleteRole,
            Access::Member(Permission::RolesWrite),
        ),
        Route::get(
            "/api/v1/organizations/teams",
            "teams.list",
            Action::Teams,
            Access::Member(Permission::TeamsRead),
        ),
        Route::post(
            "/api/v1/organizations/teams",
            "teams.create",
            Action::CreateTeam,
            Access::Member(Permission::TeamsWrite),
        )
        .idempotency(Idempotency::Optional)
        .plan(PlanFeature::Teams),
        Route::get(
            "/api/v1/organizations/teams/:id",
            "teams.get",
            Action::GetTeam,
            Access::Member(Permission::TeamsRead),
        ),
        Route::patch(
            "/api/v1/organizations/teams/:id",
            "teams.rename",
            Action::RenameTeam,
            Access::Member(Permission::TeamsWrite),
        )
        .plan(PlanFeature::Teams),
        Route::delete(
            "/api/v1/organizations/teams/:id",
            "teams.delete",
            Action::DeleteTeam,
            Access::Member(Permission::TeamsWrite),
        ),
        Route::get(
            "/api/v1/organizations/teams/:id/members",
            "teams.members",
            Action::TeamMembers,
            Access::Member(Permission::TeamsRead),
        ),
        Route::put(
            "/api/v1/organizations/teams/:id/members/:user_id",
            "teams.add_member",
            Action::AddTeamMember,
            Access::Member(Permission::TeamsWrite),
        )
        .plan(PlanFeature::Teams),
        Route::delete(
            "/api/v1/organizations/teams/:id/members/:user_id",
            "teams.remove_member",
            Action::RemoveTeamMember,
            Access::Member(Permission::TeamsWrite),
        ),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Members => members::list(cx).await,
            Action::ChangeMember => members::change(cx).await,
            Action::RemoveMember => members::remove(cx).await,
            Action::Leave => members::leave(cx).await,
            Action::Roles => roles::list(cx).await,
            Action::CreateRole => roles::create(cx).await,
            Action::ChangeRole => roles::change(cx).await,
            Action::DeleteRole => roles::delete(cx).await,
            Action::Teams => teams::list(cx).await,
            Action::CreateTeam => teams::create(cx).await,
            Action::GetTeam => teams::get(cx).await,
            Action::RenameTeam => teams::rename(cx).await,
            Action::DeleteTeam => teams::delete(cx).await,
            Action::TeamMembers => teams::list_members(cx).await,
            Action::AddTeamMember => teams::add(cx).await,
            Action::RemoveTeamMember => teams::remove(cx).await,
        }
    }
}
