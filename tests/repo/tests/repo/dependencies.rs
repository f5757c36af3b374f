//! Who may depend on whom (docs/ARCHITECTURE.md), and on what (docs/decisions/0007).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::none;

/// Crates of one platform, or of an async runtime: nothing of them may reach the core.
const PLATFORM: [&str; 17] = [
    "async-std",
    "getrandom",
    "hyper",
    "js-sys",
    "libsqlite3-sys",
    "reqwest",
    "rusqlite",
    "smol",
    "spin-sdk",
    "tokio",
    "tokio-postgres",
    "wasi",
    "wasm-bindgen",
    "wasm-bindgen-futures",
    "web-sys",
    "wit-bindgen",
    "worker",
];

/// Packages that requirement AE-06 lists.
const REQUIRED: [&str; 10] = [
    "base64",
    "getrandom",
    "hmac",
    "jwt-compact",
    "serde",
    "serde_json",
    "sha2",
    "spin-sdk",
    "wasm-bindgen",
    "worker",
];

/// What requirement AE-01 lists, and one file of each directory, as an empty one is none.
const TREE: [&str; 13] = [
    "Cargo.toml",
    "wrangler.toml",
    "spin.toml",
    "functions/auth/Cargo.toml",
    "functions/usage/Cargo.toml",
    "functions/stripe-webhook/Cargo.toml",
    "functions/jobs/Cargo.toml",
    "functions/health/Cargo.toml",
    "shared/core/src/lib.rs",
    "migrations/sqlite/0001_init.sql",
    "migrations/postgres/0001_init.sql",
    "tests/acceptance/src/main.rs",
    "scripts/test",
];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // Rows: AE-02
        Trial::test("dependencies::the_core_has_no_platform", core),
        Trial::test("dependencies::adapters_know_only_the_core", adapters),
        Trial::test(
            "dependencies::functions_know_the_core_and_adapters",
            functions,
        ),
        Trial::test("dependencies::nothing_is_published", unpublished),
        // Rows: AE-06
        Trial::test("dependencies::required_packages_are_used", required),
        // Rows: AE-06
        Trial::test("dependencies::every_package_has_its_reason", justified),
        // Rows: AE-01
        Trial::test("dependencies::the_tree_is_whole", tree),
    ]
}

/// A package of the workspace: where it is and what it names as dependencies.
struct Package {
    name: String,
    directory: String,
    dependencies: BTreeSet<String>,
    /// Of its tests, which may use anything.
    for_tests: BTreeSet<String>,
    publish: bool,
}

pub(crate) fn cargo(command: &[&str], arguments: &[&str]) -> Result<Vec<u8>, Failed> {
    let manifest = format!("{ROOT}/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(command)
        .args(["--offline", "--manifest-path", &manifest])
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
        let named = |dev: bool| {
            let all = list(package, "dependencies").iter();
            let wanted = all.filter(move |d| (text(d, "kind") == "dev") == dev);
            wanted.map(|d| text(d, "name").to_owned()).collect()
        };
        Package {
            name: text(package, "name").to_owned(),
            directory: manifest
                .trim_start_matches('/')
                .trim_end_matches("/Cargo.toml")
                .to_owned(),
            dependencies: named(false),
            for_tests: named(true),
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

/// Whether a file of Rust below `directory` has the text.
fn mentions(directory: &Path, wanted: &str) -> Result<bool, Failed> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            mentions(&path, wanted)?
        } else {
            path.extension().is_some_and(|ext| ext == "rs")
                && fs::read_to_string(&path)?.contains(wanted)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Declared by a crate that ships, and called there.
fn required() -> Result<(), Failed> {
    let packages = packages()?;
    let mut findings = Vec::new();
    for name in REQUIRED {
        let path = format!("{}::", name.replace('-', "_"));
        let mut used = false;
        let ships = |p: &&Package| {
            ["shared/", "functions/"]
                .iter()
                .any(|d| p.directory.starts_with(d))
        };
        for package in packages.iter().filter(ships) {
            let sources = format!("{ROOT}/{}/src", package.directory);
            used |= package.dependencies.contains(name) && mentions(Path::new(&sources), &path)?;
        }
        if !used {
            findings.push(name.to_owned());
        }
    }
    none("not used", &findings)
}

/// What stands in the first column of the table of decision 0007.
fn reasons() -> Result<BTreeSet<String>, Failed> {
    let page = fs::read_to_string(format!("{ROOT}/docs/decisions/0007-dependencies.md"))?;
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let names = rows
        .flat_map(|cell| cell.split('`'))
        .map(|name| name.trim().to_owned());
    Ok(names
        .filter(|name| !name.is_empty() && name != ",")
        .collect())
}

fn justified() -> Result<(), Failed> {
    let reasons = reasons()?;
    let packages = packages()?;
    let named = packages
        .iter()
        .flat_map(|p| p.dependencies.iter().chain(&p.for_tests));
    let named: BTreeSet<&String> = named
        .filter(|name| !name.starts_with("edgekeep-"))
        .collect();
    assert!(named.len() > 20, "{} packages", named.len());
    let mut findings: Vec<String> = named
        .iter()
        .filter(|name| !reasons.contains(**name))
        .map(|name| format!("{name} has no line there"))
        .collect();
    let gone = reasons.iter().filter(|name| !named.contains(name));
    findings.extend(gone.map(|name| format!("{name} is no dependency any more")));
    none("docs/decisions/0007-dependencies.md", &findings)
}

fn tree() -> Result<(), Failed> {
    let missing = TREE
        .iter()
        .filter(|path| !Path::new(ROOT).join(path).exists());
    none(
        "missing",
        &missing.map(ToString::to_string).collect::<Vec<_>>(),
    )
}
