//! Organisations: what belongs to a tenant as a whole.

pub mod api_keys;
mod audit;
mod domains;
mod invitations;
mod member_routes;
mod members;
mod mfa;
mod roles;
mod routes;
mod teams;
mod tenants;

pub use member_routes::Members;
pub use routes::Organizations;

pub(crate) const QUERIES: &[&[&crate::sql::Query]] = &[
    api_keys::QUERIES,
    audit::QUERIES,
    domains::QUERIES,
    invitations::QUERIES,
    members::QUERIES,
    mfa::QUERIES,
    roles::QUERIES,
    teams::QUERIES,
    tenants::QUERIES,
];
