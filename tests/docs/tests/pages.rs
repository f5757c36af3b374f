//! The made pages are what the core's tables say.

use std::fs;
use std::path::Path;

use edgekeep_docs::{Page, pages};

/// Rows of docs/requirements.csv that an up-to-date page proves.
fn rows(page: &Page) -> &'static str {
    match page.name {
        "config.md" => r#""Q-20""#,
        "errors.md" => r#""AD-04""#,
        "roles.md" => r#""B-16""#,
        "openapi.json" => r#""Z-12""#,
        _ => "",
    }
}

#[test]
fn made_pages_are_up_to_date() {
    let mut stale = Vec::new();
    let mut results = String::new();
    for page in pages().unwrap_or_else(|problems| panic!("{problems:#?}")) {
        let fresh = fs::read_to_string(page.path()).is_ok_and(|text| text == page.text);
        let (outcome, name) = (if fresh { "passed" } else { "failed" }, page.name);
        let line = format!(
            r#"{{"stack":"unit","test":"docs::{name}","group":"docs","rows":[{}],"outcome":"{outcome}","ms":0}}"#,
            rows(&page)
        );
        results.push_str(&line);
        results.push('\n');
        if !fresh {
            stale.push(name);
        }
    }
    // For scripts/requirements; the test itself does not need the file.
    let directory = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/acceptance"
    ));
    let _ = fs::create_dir_all(directory);
    let _ = fs::write(directory.join("docs.jsonl"), results);
    assert!(
        stale.is_empty(),
        "{stale:?} in docs/ are out of date: run `cargo run -p edgekeep-docs`"
    );
}

/// The list that an operator reads is the one that the tool asks Stripe for.
/// Rows: H-34 H-40
#[test]
fn the_page_about_billing_lists_the_types_of_events() {
    let page = include_str!("../../../docs/billing.md");
    let part = page.split("### The types of events").nth(1).unwrap_or("");
    let part = part.split("\n## ").next().unwrap_or("");
    let listed: Vec<_> = part
        .lines()
        .filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`'))
        .collect();
    assert_eq!(listed, edgekeep_core::stripe::TYPES);
    let versions = page.split("version `").skip(1);
    let versions: Vec<_> = versions.filter_map(|rest| rest.split('`').next()).collect();
    assert!(
        versions.len() > 1
            && versions
                .iter()
                .all(|named| *named == edgekeep_core::stripe::API_VERSION)
    );
}
