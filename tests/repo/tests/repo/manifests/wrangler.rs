//! wrangler.toml of the gateway and of every function

use std::collections::BTreeSet;
use std::fs;

use edgekeep_core::functions::{self, owner};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::super::none;
use super::{GATEWAY, all, list, paths, read, text, toml, worker};

/// Where a manifest speaks of an environment, and what it adds to names there.
const ENVIRONMENTS: [(&str, &str, &str); 3] = [
    ("", "", "development"),
    ("/env/staging", "-staging", "staging"),
    ("/env/production", "-production", "production"),
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("manifests::wrangler::every_function_is_a_worker", workers),
        // Rows: AE-10
        Trial::test(
            "manifests::wrangler::the_gateway_reaches_every_function",
            bindings,
        ),
        // Rows: AE-10
        Trial::test(
            "manifests::wrangler::every_route_of_a_zone_reaches_its_function",
            zone,
        ),
        // Rows: Q-09
        Trial::test("manifests::wrangler::all_workers_share_their_data", shared),
        Trial::test("manifests::wrangler::what_is_queued_is_consumed", queues),
    ]
}

fn workers() -> Result<(), Failed> {
    let mut directories = BTreeSet::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions"))? {
        directories.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    let names = functions::names();
    let wanted = names.iter().chain([&GATEWAY]).map(ToString::to_string);
    assert_eq!(directories, wanted.collect(), "directories in functions/");
    let mut findings = Vec::new();
    for name in names {
        let manifest = toml(&worker(name))?;
        if manifest["name"] != json!(format!("edgekeep-{name}")) {
            findings.push(format!("{name}: the Worker is {}", manifest["name"]));
        }
        if manifest["main"] != json!("build/index.js") {
            findings.push(format!("{name}: main is {}", manifest["main"]));
        }
        // On a zone nothing may go around the zone's own rules.
        for key in ["workers_dev", "preview_urls"] {
            if manifest[key] != json!(false) {
                findings.push(format!("{name}: {key} is {}", manifest[key]));
            }
        }
    }
    none("in functions/*/wrangler.toml", &findings)
}

/// The gateway asks for the owner of a path, and for the binding of the owner's name.
fn bindings() -> Result<(), Failed> {
    let manifest = toml("wrangler.toml")?;
    let mut findings = Vec::new();
    for (function, path) in paths() {
        if owner(&path) != function {
            findings.push(format!("{path} of {function} goes to {}", owner(&path)));
        }
    }
    for (place, suffix, _) in ENVIRONMENTS {
        let bound: BTreeSet<(&str, &str)> = list(&manifest, &format!("{place}/services"))
            .iter()
            .map(|service| (text(service, "/binding"), text(service, "/service")))
            .collect();
        let names = functions::names().into_iter().map(|name| {
            let binding = name.to_ascii_uppercase().replace('-', "_");
            (binding, format!("edgekeep-{name}{suffix}"))
        });
        let wanted: Vec<(String, String)> = names.collect();
        let wanted: BTreeSet<(&str, &str)> = wanted.iter().map(|(b, s)| (&**b, &**s)).collect();
        for (binding, service) in bound.symmetric_difference(&wanted) {
            findings.push(format!("{place}: {binding} to {service}"));
        }
    }
    none("the gateway's bindings", &findings)
}

/// The routes of a function's zone, which a deployer uncomments; without the host.
fn patterns(function: &str, place: &str) -> Result<Vec<String>, Failed> {
    let opened: Vec<String> = read(&worker(function))?
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with(['r', ' ', ']']) => rest.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let manifest: Value = toml::from_str(&opened.join("\n"))
        .map_err(|error| format!("{function}, its routes uncommented: {error}"))?;
    let routes = list(&manifest, &format!("{place}/routes")).iter();
    let path = |route: &Value| {
        let (_, path) = text(route, "/pattern").split_once('/')?;
        Some(format!("/{path}"))
    };
    Ok(routes.filter_map(path).collect())
}

/// On a zone the longest pattern wins, and its last `*` stands for any rest.
fn zone() -> Result<(), Failed> {
    let mut findings = Vec::new();
    for (place, ..) in ENVIRONMENTS.into_iter().skip(1) {
        let mut all = Vec::new();
        for name in functions::names() {
            let own = patterns(name, place)?;
            assert!(!own.is_empty(), "{name} has no routes in {place}");
            all.extend(own.into_iter().map(|pattern| (pattern, name)));
        }
        for (function, path) in paths() {
            let fits = |pattern: &str| match pattern.strip_suffix('*') {
                Some(head) => path.starts_with(head),
                None => path == pattern,
            };
            let best = all
                .iter()
                .filter(|(pattern, _)| fits(pattern))
                .max_by_key(|(pattern, _)| pattern.len());
            if best.is_none_or(|(_, name)| *name != function) {
                findings.push(format!("{place}: {path} of {function} reaches {best:?}"));
            }
        }
    }
    none("routes of a zone", &findings)
}

/// One database, one namespace, one runtime: functions see each other's rows.
fn shared() -> Result<(), Failed> {
    let files = all().into_iter().filter(|file| file != "spin.toml");
    let files: Vec<String> = files.collect();
    let first = toml(&worker("auth"))?;
    let mut findings = Vec::new();
    for file in &files {
        let manifest = toml(file)?;
        for key in ["compatibility_date", "compatibility_flags", "observability"] {
            if manifest.get(key) != first.get(key) {
                findings.push(format!("{file}: {key} is {:?}", manifest.get(key)));
            }
        }
        for (place, _, environment) in ENVIRONMENTS {
            let vars = manifest.pointer(&format!("{place}/vars"));
            if vars != Some(&json!({ "ENVIRONMENT": environment })) {
                findings.push(format!("{file}: {place}/vars is {vars:?}"));
            }
            let data = ["d1_databases", "kv_namespaces"].map(|key| format!("{place}/{key}"));
            for pointer in data.iter().filter(|_| file != "wrangler.toml") {
                let (here, there) = (list(&manifest, pointer), list(&first, pointer));
                if here.len() != 1 || here != there {
                    findings.push(format!("{file}: {pointer} is {here:?}"));
                }
            }
        }
    }
    let directory = format!(
        "functions/auth/{}/0001_init.sql",
        text(&first, "/d1_databases/0/migrations_dir")
    );
    read(&directory)?;
    none("Workers that differ from auth's", &findings)
}

fn queues() -> Result<(), Failed> {
    let mut findings = Vec::new();
    for (place, ..) in ENVIRONMENTS {
        let (mut filled, mut emptied) = (BTreeSet::new(), Vec::new());
        for name in functions::names() {
            let manifest = toml(&worker(name))?;
            let producers = list(&manifest, &format!("{place}/queues/producers")).iter();
            filled.extend(producers.map(|queue| text(queue, "/queue").to_owned()));
            let consumers = list(&manifest, &format!("{place}/queues/consumers")).iter();
            emptied.extend(consumers.map(|queue| text(queue, "/queue").to_owned()));
        }
        if filled.iter().ne(&emptied) {
            findings.push(format!(
                "{place}: {filled:?} are filled, {emptied:?} emptied"
            ));
        }
    }
    none("queues", &findings)
}
