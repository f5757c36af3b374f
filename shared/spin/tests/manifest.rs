//! spin.toml says again what the core's tables say: routes, variables, functions. Here they meet.

use edgekeep_core::config::VARIABLES;
use edgekeep_core::functions::{names, routes};

const MANIFEST: &str = include_str!("../../../spin.toml");

/// The `key = value` lines below a `[heading]`.
fn table(heading: &str) -> Vec<(&'static str, &'static str)> {
    MANIFEST
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .collect()
}

/// Route and component of every trigger.
fn triggers() -> Vec<(&'static str, &'static str)> {
    let value = |text: &'static str, key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(|value| value.trim_matches('"'))
    };
    MANIFEST
        .split("[[trigger.http]]")
        .skip(1)
        .filter_map(|text| value(text, "route = ").zip(value(text, "component = ")))
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

#[test]
fn every_route_leads_to_its_function() {
    for (function, route) in routes() {
        let best = triggers()
            .into_iter()
            .filter_map(|(pattern, component)| Some((fit(pattern, route.path)?, component)))
            .max();
        assert_eq!(
            best.map(|(_, component)| component),
            Some(function),
            "{}",
            route.path
        );
    }
}

#[test]
fn no_trigger_has_a_dot() {
    for (route, _) in triggers() {
        assert!(
            !route.trim_end_matches("/...").contains('.'),
            "{route} disturbs Spin's router"
        );
    }
}

#[test]
fn every_variable_is_declared_with_its_default() {
    let declared = table("[variables]");
    for variable in VARIABLES {
        let default = match variable.default {
            Some(text) => format!("default = \"{text}\""),
            None => "required = true".to_owned(),
        };
        let secret = if variable.secret {
            ", secret = true"
        } else {
            ""
        };
        let name = variable.name.to_ascii_lowercase();
        let found = declared.iter().find(|(declared, _)| *declared == name);
        assert_eq!(
            found.map(|(_, text)| *text),
            Some(&*format!("{{ {default}{secret} }}")),
            "{name}"
        );
    }
    assert_eq!(
        declared.len(),
        VARIABLES.len() + 2,
        "besides these only database_url and database_host"
    );
}

#[test]
fn every_component_sees_every_variable() {
    for function in names() {
        let seen = table(&format!("[component.{function}.variables]"));
        let wanted: Vec<String> = VARIABLES
            .iter()
            .map(|variable| variable.name.to_ascii_lowercase())
            .chain(["database_url".to_owned()])
            .collect();
        let names: Vec<&str> = seen.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, wanted, "{function}");
        for (name, value) in seen {
            assert_eq!(value, format!("\"{{{{ {name} }}}}\""), "{function}");
        }
    }
}

#[test]
fn every_function_is_a_component_with_its_own_wasm() {
    for function in names() {
        let component = table(&format!("[component.{function}]"));
        let file = function.replace('-', "_");
        let source = format!("\"target/wasm32-wasip2/release/edgekeep_{file}.wasm\"");
        assert!(component.contains(&("source", &source)), "{function}");
        let build = table(&format!("[component.{function}.build]"));
        let command =
            format!("\"cargo build --release --target wasm32-wasip2 -p edgekeep-{function}\"");
        assert!(build.contains(&("command", &command)), "{function}");
    }
}
