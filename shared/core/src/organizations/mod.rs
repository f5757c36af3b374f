//! Organisations: what belongs to a tenant as a whole.

pub mod api_keys;
mod audit;
mod invitations;
mod members;
mod mfa;
mod roles;
mod routes;
mod tenants;

pub use routes::Organizations;

use crate::http::Error;
use crate::tenancy::Role;

pub(crate) const QUERIES: &[&[&crate::sql::Query]] = &[
    api_keys::QUERIES,
    audit::QUERIES,
    invitations::QUERIES,
    members::QUERIES,
    mfa::QUERIES,
    tenants::QUERIES,
];

/// The role that a request names in `field`.
fn role_of(name: &str, field: &str) -> Result<Role, Error> {
    Role::parse(name).ok_or_else(|| {
        let all = Role::ALL.map(Role::name).join(", ");
        Error::invalid(field, format!("Must be one of: {all}."))
    })
}
