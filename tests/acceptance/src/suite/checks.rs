//! What holds for the list of tests itself.

use std::collections::BTreeSet;

use super::{SETS, Test, all, chooses};

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
    for (set, groups, words) in SETS {
        let start = format!("`--group {set}` chooses");
        let mut told = section
            .split("\n\n")
            .filter(|text| text.starts_with(&start));
        let told: Vec<&str> = named(told.next().unwrap()).skip(1).collect();
        assert_eq!(told, [groups, words].concat());
    }
}

/// What is done twice or at once: replay, conflict, versions, Stripe's inbox. What is about the outbox
/// stands in tests/robustness, which can stop a relay in between.
///
/// Rows: F-24
#[test]
fn one_name_chooses_what_is_about_concurrency() {
    let all = all();
    let chosen = all.iter().filter(|test| chooses("concurrency", test));
    let chosen: BTreeSet<String> = chosen.map(Test::full_name).collect();
    for name in [
        "idempotency::a_replay_is_the_first_answer_in_a_new_envelope",
        "jobs::submitting_twice_with_one_key_is_one_job",
        "jobs::parallel_submissions_with_one_key_are_one_job",
        "resources::a_stale_version_is_a_409_and_a_stale_tag_a_412",
        "resources::parallel_changes_of_one_version_have_one_winner",
        "resources::parallel_creations_of_one_temporary_id_are_one",
        "billing::parallel_deliveries_apply_once",
        "usage::parallel_duplicates_count_once",
    ] {
        assert!(chosen.contains(name), "{name}");
    }
}
