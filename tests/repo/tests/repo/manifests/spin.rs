//! spin.toml

use std::collections::{BTreeMap, BTreeSet};

use edgekeep_core::config::VARIABLES;
use edgekeep_core::functions;
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::super::none;
use super::{keys, list, paths, text, toml};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("manifests::spin::every_function_is_a_component", components),
        // Rows: AE-10
        Trial::test("manifests::spin::every_route_reaches_its_function", routes),
        Trial::test("manifests::spin::no_trigger_disturbs_the_router", triggers),
        // Rows: Q-09
        Trial::test(
            "manifests::spin::every_variable_is_declared_with_its_default",
            declared,
        ),
        Trial::test(
            "manifests::spin::every_component_sees_every_variable",
            mapped,
        ),
    ]
}

/// Route and component of every trigger.
fn pairs(manifest: &Value) -> Vec<(&str, &str)> {
    let triggers = list(manifest, "/trigger/http").iter();
    triggers
        .map(|trigger| (text(trigger, "/route"), text(trigger, "/component")))
        .collect()
}

/// How well a route fits a path: by each segment, exact before `:name` before the rest.
fn fit(route: &str, path: &str) -> Option<Vec<u8>> {
    let mut ranks = Vec::new();
    let mut segments = path.split('/');
    for wanted in route.split('/') {
        if wanted == "..." {
            ranks.push(1);
            return Some(ranks);
        }
        let segment = segments.next()?;
        if wanted == segment {
            ranks.push(3);
        } else if wanted.starts_with(':') && !segment.is_empty() {
            ranks.push(2);
        } else {
            return None;
        }
    }
    segments.next().is_none().then_some(ranks)
}

fn components() -> Result<(), Failed> {
    let manifest = toml("spin.toml")?;
    let names: BTreeSet<String> = keys(&manifest, "/component").into_iter().collect();
    let wanted: BTreeSet<String> = functions::names().into_iter().map(str::to_owned).collect();
    assert_eq!(names, wanted, "[component.*] in spin.toml");
    let mut findings = Vec::new();
    for name in &names {
        let component = &manifest["component"][name];
        let wasm = format!("edgekeep_{}.wasm", name.replace('-', "_"));
        let build = format!("cargo build --release --target wasm32-wasip2 -p edgekeep-{name}");
        let expected = [
            (
                "/source",
                json!(format!("target/wasm32-wasip2/release/{wasm}")),
            ),
            ("/build/command", json!(build)),
            ("/sqlite_databases", json!(["default"])),
            ("/key_value_stores", json!(["default"])),
        ];
        for (pointer, value) in expected {
            if component.pointer(pointer) != Some(&value) {
                findings.push(format!("{name}{pointer} is not {value}"));
            }
        }
        if !pairs(&manifest)
            .iter()
            .any(|(_, component)| component == name)
        {
            findings.push(format!("nothing triggers {name}"));
        }
    }
    none("in spin.toml", &findings)
}

fn routes() -> Result<(), Failed> {
    let manifest = toml("spin.toml")?;
    let triggers = pairs(&manifest);
    let mut findings = Vec::new();
    for (function, path) in paths() {
        let mut best = BTreeMap::<Vec<u8>, Vec<&str>>::new();
        for (route, component) in &triggers {
            if let Some(ranks) = fit(route, &path) {
                best.entry(ranks).or_default().push(component);
            }
        }
        let reached = best.last_key_value().map(|(_, components)| components);
        if reached.is_none_or(|components| *components != [function]) {
            findings.push(format!("{path} of {function} reaches {reached:?}"));
        }
    }
    none("routes that go astray in Spin", &findings)
}

/// Spin 4.1 sorts its routes wrongly when dots and wildcards meet (spin.toml says how).
fn triggers() -> Result<(), Failed> {
    let manifest = toml("spin.toml")?;
    let names = functions::names();
    let mut seen = BTreeSet::new();
    let wrong = |(route, component): &(&str, &str)| {
        route.trim_end_matches("/...").contains('.')
            || !names.contains(component)
            || !seen.insert((*route).to_owned())
    };
    let findings = pairs(&manifest).into_iter().filter(wrong);
    none(
        "a dot, no function, or there twice",
        &findings
            .map(|(route, component)| format!("{route} to {component}"))
            .collect::<Vec<_>>(),
    )
}

/// What `[variables]` has for a variable of the core.
fn declaration(default: Option<&str>, secret: bool) -> Value {
    let mut declared = match default {
        Some(default) => json!({ "default": default }),
        None => json!({ "required": true }),
    };
    if secret {
        declared["secret"] = json!(true);
    }
    declared
}

fn declared() -> Result<(), Failed> {
    let manifest = toml("spin.toml")?;
    let known = VARIABLES.iter().map(|known| {
        let declared = declaration(known.default, known.secret);
        (known.name.to_ascii_lowercase(), declared)
    });
    let mut wanted: serde_json::Map<String, Value> = known.collect();
    // Elsewhere the database is a binding or an argument.
    wanted.insert("database_url".to_owned(), declaration(Some(""), true));
    wanted.insert("database_host".to_owned(), declaration(Some("*:*"), false));
    let google = Some("https://accounts.google.com");
    wanted.insert("oauth_host".to_owned(), declaration(google, false));
    assert!(wanted.len() > 20, "{} variables", wanted.len());
    let declared = manifest["variables"]
        .as_object()
        .ok_or("there are no [variables]")?;
    let names: BTreeSet<&String> = wanted.keys().chain(declared.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| wanted.get(*name) != declared.get(*name));
    let findings = differing.map(|name| {
        format!(
            "{name}: {:?} instead of {:?}",
            declared.get(name),
            wanted.get(name)
        )
    });
    none(
        "[variables] in spin.toml",
        &findings.collect::<Vec<String>>(),
    )
}

fn mapped() -> Result<(), Failed> {
    let manifest = toml("spin.toml")?;
    let names = VARIABLES
        .iter()
        .map(|variable| variable.name.to_ascii_lowercase());
    let names = names.chain(["database_url".to_owned()]);
    let wanted: serde_json::Map<String, Value> = names
        .map(|name| (name.clone(), json!(format!("{{{{ {name} }}}}"))))
        .collect();
    let findings = functions::names()
        .into_iter()
        .filter(|name| manifest["component"][name]["variables"] != Value::Object(wanted.clone()))
        .map(|name| format!("[component.{name}.variables] is not the whole list"));
    none("in spin.toml", &findings.collect::<Vec<_>>())
}
