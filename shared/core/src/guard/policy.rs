//! Rules about one resource, as it was loaded (ABAC): what a route's policy cannot know.
//!
//! A handler asks after loading and before it writes anything, so a refused request leaves no
//! trace. The role's permission was judged before, by the route's table.

use crate::http::{Actor, Code, Error};
use crate::tenancy::{Permission, Permissions, Role};

/// What the caller wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Look at it.
    See,
    /// Change or remove it.
    Change,
    /// Give it to somebody.
    Grant,
}

/// What it is aimed at.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// A job that this user submitted.
    Job(&'a str),
    /// A payment that this user began.
    Payment(&'a str),
    /// What this user made; the permission is the one that reaches colleagues' too.
    Made(&'a str, Permission),
    /// A member who has this role.
    Member(Role),
    /// A role with these permissions.
    Role(Role, Permissions),
    /// A team, or what belongs to one; `mine` when the subject is in it.
    Team {
        /// Whether they are.
        mine: bool,
    },
}

/// Whether `subject` may do `action` to `resource`.
///
/// # Errors
/// `FORBIDDEN`, naming the missing permission where it is one, and nothing of the resource.
pub fn allow(subject: &Actor, action: Action, resource: Resource<'_>) -> Result<(), Error> {
    let founder = subject.held.rank == Role::Founder;
    match (action, resource) {
        (Action::See, Resource::Job(owner)) => {
            let seen = owner == subject.user || subject.permissions.hold(Permission::JobsAll);
            seen.then_some(())
                .ok_or_else(|| Error::lacks(Permission::JobsAll))
        }
        (Action::See | Action::Change, Resource::Payment(owner)) => {
            let all = Permission::PaymentsAll;
            let reached = owner == subject.user || subject.permissions.hold(all);
            reached.then_some(()).ok_or_else(|| Error::lacks(all))
        }
        (Action::See, Resource::Team { mine }) => {
            let seen = mine || subject.permissions.hold(Permission::TeamsWrite);
            seen.then_some(())
                .ok_or_else(|| Error::lacks(Permission::TeamsWrite))
        }
        (Action::Change, Resource::Made(owner, all)) => {
            let reached = owner == subject.user || subject.permissions.hold(all);
            reached.then_some(()).ok_or_else(|| Error::lacks(all))
        }
        // Nobody touches who stands level with them or above; founders may, as nobody else could.
        (Action::Change, Resource::Member(role) | Resource::Role(role, _)) => {
            refuse_unless(founder || subject.held.rank.outranks(role))
        }
        // Nobody gives away what they do not hold, or makes somebody their equal (B-13).
        (Action::Grant, Resource::Role(role, permissions)) => {
            if let Some(missing) = permissions.beyond(subject.permissions) {
                return Err(Error::lacks(missing));
            }
            refuse_unless(founder || subject.held.rank.outranks(role))
        }
        // What no rule allows is refused.
        (Action::See, Resource::Member(_) | Resource::Role(..) | Resource::Made(..))
        | (Action::Change | Action::Grant, Resource::Job(_) | Resource::Team { .. })
        | (Action::Grant, Resource::Member(_) | Resource::Made(..) | Resource::Payment(_)) => {
            Err(Error::new(Code::Forbidden))
        }
    }
}

fn refuse_unless(allowed: bool) -> Result<(), Error> {
    let rule = "This is for roles that stand higher than yours.";
    allowed
        .then_some(())
        .ok_or_else(|| Error::new(Code::Forbidden).with_message(rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::{Held, PlanFeatures, TenantId};

    fn actor(role: Role) -> Actor {
        Actor {
            tenant: TenantId::proven("ten_1"),
            plan: "FREE".to_owned(),
            features: PlanFeatures::default(),
            user: "usr_1".to_owned(),
            held: Held::whole(role),
            permissions: Permissions::of(role),
            session: None,
            networks: None,
        }
    }

    /// Rows: B-04
    #[test]
    fn jobs_are_seen_by_their_owner_and_by_who_may_see_all() {
        for subject in Role::ALL {
            let other = allow(&actor(subject), Action::See, Resource::Job("usr_2"));
            assert_eq!(other.is_ok(), subject.allows(Permission::JobsAll));
            assert!(allow(&actor(subject), Action::See, Resource::Job("usr_1")).is_ok());
            assert!(allow(&actor(subject), Action::Grant, Resource::Job("usr_1")).is_err());
        }
    }

    /// Rows: B-04 I-05
    #[test]
    fn payments_are_for_who_began_them_and_for_who_may_reach_all() {
        for subject in Role::ALL {
            for action in [Action::See, Action::Change] {
                let reach = |owner| allow(&actor(subject), action, Resource::Payment(owner));
                assert!(reach("usr_1").is_ok());
                assert_eq!(
                    reach("usr_2").is_ok(),
                    subject.allows(Permission::PaymentsAll)
                );
            }
            assert!(allow(&actor(subject), Action::Grant, Resource::Payment("usr_1")).is_err());
        }
    }

    /// Rows: B-04
    #[test]
    fn teams_are_seen_by_who_is_in_them_and_by_who_may_change_them() {
        for subject in Role::ALL {
            let see = |mine| allow(&actor(subject), Action::See, Resource::Team { mine });
            assert!(see(true).is_ok());
            assert_eq!(see(false).is_ok(), subject.allows(Permission::TeamsWrite));
        }
    }

    /// Rows: B-04
    #[test]
    fn what_colleagues_made_is_changed_by_who_may_change_all() {
        for subject in Role::ALL {
            for all in [Permission::ProjectsAll, Permission::AgentsAll] {
                let change =
                    |owner| allow(&actor(subject), Action::Change, Resource::Made(owner, all));
                assert!(change("usr_1").is_ok());
                assert_eq!(change("usr_2").is_ok(), subject.allows(all));
            }
        }
    }

    /// Rows: B-01 B-13
    #[test]
    fn only_founders_reach_their_own_rank() {
        for subject in Role::ALL {
            for other in Role::ALL {
                let expected = subject == Role::Founder || subject.outranks(other);
                let role = Resource::Role(other, Permissions::of(other));
                let grants = allow(&actor(subject), Action::Grant, role).is_ok();
                assert_eq!(grants, expected, "{subject:?} grants {other:?}");
                let member = Resource::Member(other);
                let changes = allow(&actor(subject), Action::Change, member).is_ok();
                assert_eq!(changes, expected, "{subject:?} changes {other:?}");
            }
        }
    }
}
