//! A strict reader of the text format of Prometheus 0.0.4, written from its specification alone,
//! and `promtool` beside it where there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// One sample: its name with its labels in order, as it stands on the page, and its value.
pub type Samples = BTreeMap<String, f64>;

/// Reads a page.
///
/// # Panics
/// Where it breaks a rule of the format, or of counters and histograms.
pub fn read(page: &str) -> Samples {
    assert!(page.ends_with('\n'), "the last line must end");
    let mut samples = Samples::new();
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut family = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, _) = rest.split_once(' ').expect(line);
            assert!(helped.insert(name.to_owned()), "HELP twice: {line}");
            name.clone_into(&mut family);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(name, family, "TYPE follows its HELP");
            let before = types.insert(name.to_owned(), kind.to_owned());
            assert!(before.is_none(), "a family in two places: {line}");
        } else {
            let (series, value) = sample(line);
            let name = series.split('{').next().unwrap();
            let kind = types.get(&family).expect("samples follow their TYPE");
            let own = match kind.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"]
                    .iter()
                    .any(|end| name.strip_suffix(end) == Some(&family)),
                _ => name == family,
            };
            assert!(own, "{name} stands among the samples of {family}");
            assert!(value >= 0.0, "{line}");
            let before = samples.insert(series, value);
            assert!(before.is_none(), "twice: {line}");
        }
    }
    for (name, kind) in &types {
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        if kind == "histogram" {
            histogram(name, &samples);
        }
    }
    samples
}

/// A line `name{label="value",…} number`.
fn sample(line: &str) -> (String, f64) {
    let mut rest = line;
    let name = identifier(&mut rest, line);
    let mut series = name;
    if let Some(labels) = rest.strip_prefix('{') {
        rest = labels;
        let mut seen = BTreeSet::new();
        series.push('{');
        loop {
            let label = identifier(&mut rest, line);
            rest = rest.strip_prefix("=\"").expect(line);
            let mut value = String::new();
            let mut chars = rest.char_indices();
            let end = loop {
                match chars.next().expect(line) {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next().expect(line).1 {
                        'n' => value.push('\n'),
                        c @ ('\\' | '"') => value.push(c),
                        _ => panic!("an escape that does not exist: {line}"),
                    },
                    (_, c) => value.push(c),
                }
            };
            rest = &rest[end + 1..];
            series.push_str(&format!("{label}=\"{value}\""));
            assert!(seen.insert(label), "a label twice: {line}");
            if let Some(more) = rest.strip_prefix(',') {
                series.push(',');
                rest = more;
            } else {
                rest = rest.strip_prefix('}').expect(line);
                series.push('}');
                break;
            }
        }
    }
    let value = rest.strip_prefix(' ').expect(line);
    (series, value.parse().expect(line))
}

fn identifier(rest: &mut &str, line: &str) -> String {
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .expect(line);
    let (name, after) = rest.split_at(end);
    assert!(
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'),
        "{line}"
    );
    *rest = after;
    name.to_owned()
}

/// Buckets rise, and the last is all.
fn histogram(name: &str, samples: &Samples) {
    let mut last: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for (series, value) in samples {
        let Some(labels) = series.strip_prefix(&format!("{name}_bucket{{")) else {
            continue;
        };
        let (others, le) = labels.split_once("le=\"").expect(series);
        let le = le.trim_end_matches("\"}").replace("+Inf", "inf");
        let bound = le.parse().expect(series);
        let key = others.trim_end_matches(',').to_owned();
        last.entry(key).or_default().push((bound, *value));
    }
    for (labels, mut buckets) in last {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{name} {labels}");
        let (bound, all) = *buckets.last().unwrap();
        assert!(bound.is_infinite(), "{name} {labels}");
        let count = samples.get(&format!("{name}_count{{{labels}}}"));
        assert_eq!(count, Some(&all), "{name} {labels}");
        assert!(samples.contains_key(&format!("{name}_sum{{{labels}}}")));
    }
}

/// What promtool says of a page; `None` where there is no promtool.
pub fn promtool(page: &str) -> Option<Result<(), String>> {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(page.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    Some(if output.status.success() {
        Ok(())
    } else {
        Err(told)
    })
}
