//! Every test that docs/security-checklist.md names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use super::none;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // Rows: R-13
        Trial::test("checklist::every_line_names_tests_that_are_there", named),
    ]
}

fn named() -> Result<(), Failed> {
    let mut known = BTreeSet::new();
    for directory in ["shared", "tests"] {
        collect(&Path::new(ROOT).join(directory), &mut known)?;
    }
    assert!(known.len() > 500, "{} tests", known.len());
    let page = fs::read_to_string(format!("{ROOT}/docs/security-checklist.md"))?;
    let lines = page.lines().filter(|line| line.starts_with("| "));
    let mut findings = Vec::new();
    let mut checked = 0;
    for line in lines.filter(|line| !line.starts_with("| held ")) {
        let tests = line.rsplit(" | ").next().unwrap_or_default();
        let mut tests = tests.split('`').skip(1).step_by(2).peekable();
        if tests.peek().is_none() {
            findings.push(format!("nothing holds: {line}"));
        }
        for test in tests {
            checked += 1;
            if !known.contains(test) {
                findings.push(format!("there is no test {test}"));
            }
        }
    }
    assert!(checked > 80, "{checked} names");
    none("the checklist", &findings)
}

/// Notes the tests of all Rust files below `directory`.
fn collect(directory: &Path, known: &mut BTreeSet<String>) -> Result<(), Failed> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, known)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            note(&path, &fs::read_to_string(&path)?, known);
        }
    }
    Ok(())
}

/// The tests of a file: the suite's tables, the names that trials are given, and what libtest runs.
fn note(path: &Path, text: &str, known: &mut BTreeSet<String>) {
    let module = module(path);
    let mut group = None;
    let mut runs = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("tests! { \"") {
            group = name.split('"').next();
        } else if line == "}" {
            group = None;
        }
        if let (Some(group), Some((name, _))) = (group, line.split_once(" [")) {
            known.insert(format!("{group}::{name}"));
        }
        let literals = line.split('"').skip(1).step_by(2);
        known.extend(
            literals
                .filter(|text| text.contains("::"))
                .map(str::to_owned),
        );
        if line == "#[test]" {
            runs = true;
        } else if let (true, Some(rest)) = (runs, line.strip_prefix("fn ")) {
            let name = rest.split('(').next().unwrap_or_default();
            known.insert(format!("{module}::{name}"));
            runs = false;
        }
    }
}

/// The module that a file is, or that its tests are of.
fn module(path: &Path) -> String {
    let mut parts = path
        .components()
        .rev()
        .map(|part| part.as_os_str().to_string_lossy());
    let file = parts.next().unwrap_or_default();
    let name = file.trim_end_matches(".rs");
    match name {
        "tests" | "mod" => parts.next().unwrap_or_default().into_owned(),
        name => name.to_owned(),
    }
}
