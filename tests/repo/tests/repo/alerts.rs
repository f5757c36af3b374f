//! The rules for alerts, and dashboards: every name in them is exported, and promtool, where there is one, says that
//! each fires when it should and not before.

use std::fs;
use std::process::Command;

use edgekeep_core::metrics::FAMILIES;
use libtest_mimic::{Failed, Trial};

use super::none;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/monitoring");

pub(crate) fn trials() -> Vec<Trial> {
    let missing = promtool(&["--version"]).is_none();
    vec![
        // Rows: O-26 O-27 O-28 O-31 Q-16 E-28
        Trial::test("alerts::promtool_passes_the_rules", rules).with_ignored_flag(missing),
        // Rows: E-26
        Trial::test("alerts::every_rule_names_what_is_exported", names),
        Trial::test("alerts::every_rule_is_tested_both_ways", tested),
    ]
}

fn promtool(arguments: &[&str]) -> Option<Result<(), String>> {
    let output = Command::new("promtool").args(arguments).output().ok()?;
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    Some(if output.status.success() {
        Ok(())
    } else {
        Err(told)
    })
}

fn rules() -> Result<(), Failed> {
    let file = |name: &str| format!("{DIRECTORY}/{name}");
    for arguments in [
        ["check", "rules", &file("alerts.yml")],
        ["test", "rules", &file("alerts.test.yml")],
    ] {
        promtool(&arguments).ok_or("promtool went away")??;
    }
    Ok(())
}

fn read(name: &str) -> Result<String, Failed> {
    Ok(fs::read_to_string(format!("{DIRECTORY}/{name}"))?)
}

/// Words of a rule that are metrics: they have a part after an underscore that tells their unit.
fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ends = [
        "_total",
        "_bucket",
        "_sum",
        "_count",
        "_seconds",
        "_warnings",
    ];
    words.filter(move |word| ends.iter().any(|end| word.ends_with(end)))
}

fn names() -> Result<(), Failed> {
    let page = fs::read_to_string(format!("{DIRECTORY}/../metrics.md"))?;
    let mut rules = read("alerts.yml")?;
    for file in fs::read_dir(DIRECTORY)? {
        let path = file?.path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let board: serde_json::Value = serde_json::from_str(&fs::read_to_string(path)?)?;
        let panels = board["panels"].as_array().into_iter().flatten();
        let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
        for target in targets {
            rules.push_str(target["expr"].as_str().ok_or("a target without expr")?);
            rules.push('\n');
        }
    }
    let mut findings = Vec::new();
    let mut seen = 0;
    for name in metrics(&rules) {
        seen += 1;
        let parts = ["_bucket", "_sum", "_count"];
        let family = parts.iter().find_map(|part| name.strip_suffix(part));
        let family = family.unwrap_or(name);
        let counted = FAMILIES.iter().any(|known| known.name == family);
        let gauge = [format!("| `{family}{{"), format!("| `{family}` |")];
        if !counted && !gauge.iter().any(|line| page.contains(line)) {
            findings.push(name.to_owned());
        }
    }
    assert!(seen > 10, "{seen} names");
    none("not exported", &findings)
}

fn tested() -> Result<(), Failed> {
    let (rules, tests) = (read("alerts.yml")?, read("alerts.test.yml")?);
    let alerts = rules
        .lines()
        .filter_map(|line| line.split_once("- alert: "));
    let mut findings = Vec::new();
    for (_, alert) in alerts {
        let named = |line: &&str| {
            line.split_once("alertname: ")
                .is_some_and(|(_, name)| name.trim_end_matches('}') == alert)
        };
        if tests.lines().filter(named).count() != 2 {
            findings.push(alert.to_owned());
        }
    }
    none("not tested once silent and once firing", &findings)
}
