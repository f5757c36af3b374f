//! All tests, by domain.

use crate::runner::Test;

mod access;
mod accounts;
mod api_keys;
mod api_keys_bounds;
mod api_keys_limits;
mod api_keys_reroll;
mod at_rest;
mod audit;
mod auth;
mod bad_input;
mod billing;
mod billing_manage;
mod billing_tenants;
mod breaches;
#[cfg(test)]
mod checks;
mod docs;
mod email_change;
mod entitlements;
mod exchange;

mod guides;
mod headers;
mod health;
mod idempotency;
mod invitations;
mod invoices;
mod jobs;
mod journey;
mod lockout;
mod members;
mod metering;
mod meters;
mod metrics;
mod mfa;
mod mfa_required;
mod oauth;
mod organizations;
mod passwords;
mod payments;
mod platform;
mod proof;
mod rate_limits;
mod resources;
mod resources_access;
mod resources_rules;
mod roles;
mod roles_given;
mod rotation;
mod scheduler;
mod sessions;
mod teams;
mod temp_ids;
mod tenancy;
mod tokens;
mod tracking;
mod trials;
mod usage;
mod versions;

/// Declares the tests of a group: name, rows it proves, and whether it runs alone.
macro_rules! tests {
    ($group:literal: $( $name:ident [$($row:literal)*] $($alone:ident)?; )*) => {
        pub fn tests() -> Vec<crate::runner::Test> {
            vec![$(
                crate::runner::Test {
                    group: $group,
                    name: stringify!($name),
                    rows: &[$($row),*],
                    alone: tests!(@alone $($alone)?),
                    run: $name,
                }
            ),*]
        }
    };
    (@alone alone) => { true };
    (@alone) => { false };
}
use tests;

/// Names that choose several groups at once, and the tests with one of these words in their names.
pub const SETS: [(&str, &[&str], &[&str]); 2] = [
    (
        "security",
        &[
            "auth", "sessions", "tokens", "rotation", "exchange", "access", "members", "mfa",
            "lockout",
        ],
        &[],
    ),
    (
        "concurrency",
        &["idempotency"],
        &["parallel", "one_key", "stale"],
    ),
];

/// Whether `--group name` chooses the test.
pub fn chooses(name: &str, test: &Test) -> bool {
    let set = SETS.iter().find(|(set, ..)| *set == name);
    name == test.group
        || set.is_some_and(|(_, groups, words)| {
            groups.contains(&test.group) || words.iter().any(|word| test.name.contains(word))
        })
}

/// Every test of the suite.
pub fn all() -> Vec<Test> {
    [
        platform::tests(),
        headers::tests(),
        health::tests(),
        docs::tests(),
        bad_input::tests(),
        audit::tests(),
        auth::tests(),
        sessions::tests(),
        tokens::tests(),
        rotation::tests(),
        oauth::tests(),
        exchange::tests(),
        accounts::tests(),
        lockout::tests(),
        passwords::tests(),
        breaches::tests(),
        email_change::tests(),
        proof::tests(),
        mfa::tests(),
        mfa_required::tests(),
        api_keys::tests(),
        api_keys_bounds::tests(),
        api_keys_limits::tests(),
        api_keys_reroll::tests(),
        usage::tests(),
        metering::tests(),
        tracking::tests(),
        meters::tests(),
        entitlements::tests(),
        billing::tests(),
        billing_manage::tests(),
        billing_tenants::tests(),
        payments::tests(),
        trials::tests(),
        jobs::tests(),
        organizations::tests(),
        resources::tests(),
        resources_access::tests(),
        resources_rules::tests(),
        versions::tests(),
        idempotency::tests(),
        temp_ids::tests(),
        members::tests(),
        roles::tests(),
        roles_given::tests(),
        teams::tests(),
        tenancy::tests(),
        invitations::tests(),
        invoices::tests(),
        rate_limits::tests(),
        access::tests(),
        scheduler::tests(),
        journey::tests(),
        metrics::tests(),
        guides::tests(),
        at_rest::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
