//! What the platforms' manifests say again: functions, routes, variables. Here they meet the code.

mod agreement;
mod spin;
mod wrangler;

use std::fs;

use edgekeep_core::functions;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;

/// The one Worker that is not a function: Spin and zones route by themselves.
const GATEWAY: &str = "gateway";

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = spin::trials();
    trials.extend(wrangler::trials());
    trials.extend(agreement::trials());
    trials
}

/// A file of the repository.
fn read(path: &str) -> Result<String, Failed> {
    let file = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    Ok(fs::read_to_string(&file).map_err(|error| format!("{path}: {error}"))?)
}

fn toml(path: &str) -> Result<Value, Failed> {
    let parsed = toml::from_str(&read(path)?);
    Ok(parsed.map_err(|error| format!("{path}: {error}"))?)
}

/// The manifest of a function's Worker.
fn worker(function: &str) -> String {
    format!("functions/{function}/wrangler.toml")
}

/// Every manifest from which something is deployed.
fn all() -> Vec<String> {
    let mut files: Vec<String> = functions::names().into_iter().map(worker).collect();
    files.extend(["wrangler.toml", "spin.toml"].map(str::to_owned));
    files
}

/// Method-less paths of the route table with their owners, and a value for each parameter.
fn paths() -> Vec<(&'static str, String)> {
    let filled = |path: &str| {
        let segments = path.split('/').map(|segment| {
            if segment.starts_with(':') {
                "some_id"
            } else {
                segment
            }
        });
        segments.collect::<Vec<_>>().join("/")
    };
    let routes = functions::routes().into_iter();
    routes
        .map(|(function, route)| (function, filled(route.path)))
        .collect()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The keys of a table, in order.
fn keys(value: &Value, pointer: &str) -> Vec<String> {
    let table = value.pointer(pointer).and_then(Value::as_object);
    table.map_or_else(Vec::new, |table| table.keys().cloned().collect())
}
