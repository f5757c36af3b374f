//! Who may depend on whom (docs/ARCHITECTURE.md).

use std::collections::BTreeSet;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::none;

/// Crates of one platform, or of an async runtime: nothing of them may reach the core.
const PLATFORM: [&str; 12] = [
    "async-std",
    "getrandom",
    "hyper",
    "js-sys",
    "rusqlite",
    "smol",
    "spin-sdk",
    "tokio",
    "tokio-postgres",
    "wasm-bindgen",
    "web-sys",
    "worker",
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("dependencies::the_core_has_no_platform", core),
        Trial::test("dependencies::adapters_know_only_the_core", adapters),
        Trial::test(
            "dependencies::functions_know_the_core_and_adapters",
            functions,
        ),
        Trial::test("dependencies::nothing_is_published", unpublished),
    ]
}

/// A package of the workspace: where it is and what it names as dependencies.
struct Package {
    name: String,
    directory: String,
    dependencies: BTreeSet<String>,
    publish: bool,
}

fn cargo(command: &[&str], arguments: &[&str]) -> Result<Vec<u8>, Failed> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(command)
        .args(["--offline", "--manifest-path", manifest])
        .args(arguments)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(output.stdout)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn packages() -> Result<Vec<Package>, Failed> {
    let metadata = cargo(&["metadata"], &["--format-version", "1", "--no-deps"])?;
    let metadata: Value = serde_json::from_slice(&metadata)?;
    let root = text(&metadata, "workspace_root").to_owned();
    let package = |package: &Value| {
        let manifest = text(package, "manifest_path").trim_start_matches(&root);
        // Tests may use anything.
        let named = list(package, "dependencies")
            .iter()
            .filter(|d| text(d, "kind") != "dev");
        Package {
            name: text(package, "name").to_owned(),
            directory: manifest
                .trim_start_matches('/')
                .trim_end_matches("/Cargo.toml")
                .to_owned(),
            dependencies: named.map(|d| text(d, "name").to_owned()).collect(),
            publish: !package.get("publish").is_some_and(Value::is_array),
        }
    };
    Ok(list(&metadata, "packages").iter().map(package).collect())
}

/// Everything below `edgekeep-core`, on every target, with its own features alone.
fn core() -> Result<(), Failed> {
    let tree = "-p edgekeep-core --target all --edges normal --prefix none --format {p}";
    let tree = cargo(&["tree"], &tree.split(' ').collect::<Vec<_>>())?;
    let tree = String::from_utf8_lossy(&tree);
    let below: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(below.len() > 10, "{} crates below the core", below.len());
    let wrong = |name: &&&str| {
        PLATFORM.contains(*name) || (name.starts_with("edgekeep-") && **name != "edgekeep-core")
    };
    none(
        "below the core",
        &below
            .iter()
            .filter(wrong)
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
    )
}

fn ours(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .map(String::as_str)
        .filter(|name| name.starts_with("edgekeep-"))
}

fn adapters() -> Result<(), Failed> {
    let mut findings = Vec::new();
    for package in packages()?
        .iter()
        .filter(|p| p.directory.starts_with("shared/"))
    {
        let others = ours(package).filter(|name| *name != "edgekeep-core");
        findings.extend(others.map(|name| format!("{} depends on {name}", package.name)));
    }
    none("in shared/", &findings)
}

fn functions() -> Result<(), Failed> {
    const ALLOWED: [&str; 3] = ["edgekeep-core", "edgekeep-spin", "edgekeep-workers"];
    let packages = packages()?;
    let functions: Vec<_> = packages
        .iter()
        .filter(|p| p.directory.starts_with("functions/"))
        .collect();
    assert!(functions.len() >= 7, "{} functions", functions.len());
    let mut findings = Vec::new();
    for package in functions {
        let others = ours(package).filter(|name| !ALLOWED.contains(name));
        findings.extend(others.map(|name| format!("{} depends on {name}", package.name)));
        let folder = package.directory.trim_start_matches("functions/");
        if package.name != format!("edgekeep-{folder}") {
            findings.push(format!("{} is in {}", package.name, package.directory));
        }
    }
    none("in functions/", &findings)
}

fn unpublished() -> Result<(), Failed> {
    let packages = packages()?;
    let open = packages.iter().filter(|package| package.publish);
    none(
        "could be published",
        &open.map(|package| package.name.clone()).collect::<Vec<_>>(),
    )
}
