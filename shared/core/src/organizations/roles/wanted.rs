//! The role that a request gives to somebody.

use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Error};
use crate::sql::Row;
use crate::tenancy::{Held, PlanFeature, Role};

/// The role that a request names: one of the four, or the tenant's own in the row of
/// [`super::NAMED`].
///
/// # Errors
/// `VALIDATION` naming the field.
pub(in super::super) fn wanted(name: &str, row: Option<&Row>) -> Result<Held, Error> {
    if let Some(role) = Role::parse(name) {
        return Ok(Held::whole(role));
    }
    let row = row.ok_or_else(|| {
        let all = Role::ALL.map(Role::name).join(", ");
        let rule = format!("Must be one of {all}, or the name of a role of this organization.");
        Error::invalid("role", rule)
    })?;
    Ok(Held::read(row, 0, 1)?)
}

/// Whether the actor may give that role to somebody.
///
/// # Errors
/// `FORBIDDEN`; `PLAN_UPGRADE_REQUIRED` for a role of one's own on a plan without them.
pub(in super::super) fn may_grant(actor: &Actor, role: &Held) -> Result<(), Error> {
    allow(
        actor,
        Action::Grant,
        Resource::Role(role.rank, role.permissions()),
    )?;
    if role.own.is_some() {
        actor.needs(PlanFeature::CustomRoles)?;
    }
    Ok(())
}
