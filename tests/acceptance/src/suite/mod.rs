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
mod breaches;
mod docs;
mod email_change;
mod exchange;
mod guard;
mod guides;
mod health;
mod invitations;
mod jobs;
mod journey;
mod lockout;
mod members;
mod metrics;
mod mfa;
mod oauth;
mod organizations;
mod passwords;
mod platform;
mod proof;
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

/// Names that choose several groups at once.
pub const SETS: [(&str, &[&str]); 1] = [(
    "security",
    &[
        "auth", "sessions", "tokens", "rotation", "exchange", "access", "members", "mfa", "lockout",
    ],
)];

/// Every test of the suite.
pub fn all() -> Vec<Test> {
    [
        platform::tests(),
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
        api_keys::tests(),
        api_keys_bounds::tests(),
        api_keys_limits::tests(),
        api_keys_reroll::tests(),
        usage::tests(),
        billing::tests(),
        jobs::tests(),
        organizations::tests(),
        resources::tests(),
        resources_access::tests(),
        resources_rules::tests(),
        versions::tests(),
        temp_ids::tests(),
        members::tests(),
        roles::tests(),
        roles_given::tests(),
        teams::tests(),
        tenancy::tests(),
        invitations::tests(),
        guard::tests(),
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

#[cfg(test)]
mod checks {
    use std::collections::BTreeSet;

    use super::{SETS, all};

    /// What stands in backticks.
    fn named(text: &str) -> impl Iterator<Item = &str> {
        text.split('`').skip(1).step_by(2)
    }

    #[test]
    fn the_page_names_every_group() {
        let page = include_str!("../../../../docs/acceptance.md");
        let mut sections = page.split("\n## ");
        let section = sections.find(|text| text.starts_with("Groups\n")).unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let shown: BTreeSet<&str> = rows.filter_map(|row| named(row).next()).collect();
        let groups: BTreeSet<&str> = all().iter().map(|test| test.group).collect();
        assert_eq!(shown, groups);
        for (set, groups) in SETS {
            let start = format!("`--group {set}` chooses");
            let mut told = section
                .split("\n\n")
                .filter(|text| text.starts_with(&start));
            let told: Vec<&str> = named(told.next().unwrap()).skip(1).collect();
            assert_eq!(told, groups);
        }
    }
}
