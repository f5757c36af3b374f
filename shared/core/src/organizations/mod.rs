//! Organisations: what belongs to a tenant as a whole.

pub mod api_keys;
mod audit;
mod domains;
mod invitations;
mod members;
mod mfa;
mod roles;
mod routes;
mod team_routes;
mod teams;
mod tenants;

pub use routes::Organizations;
pub use team_routes::Teams;

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
