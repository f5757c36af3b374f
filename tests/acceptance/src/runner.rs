//! Runs tests, tells of each, and writes the results.

use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::api::Api;

/// One test.
pub struct Test {
    /// Domain: what `--group` chooses.
    pub group: &'static str,
    /// A sentence.
    pub name: &'static str,
    /// Rows of the requirements that it proves.
    pub rows: &'static [&'static str],
    /// Runs alone, after the others.
    pub alone: bool,
    /// The test; it panics when it fails.
    pub run: fn(&Api),
}

impl Test {
    /// `group::name`
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.group, self.name)
    }
}

/// Tests that run at the same time.
const WORKERS: usize = 4;

/// Runs all; true when none failed.
pub fn run(api: &Api, tests: &[Test]) -> bool {
    let results = Mutex::new(Vec::new());
    let (alone, together): (Vec<_>, Vec<_>) = tests.iter().partition(|test| test.alone);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(test) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run_one(api, test, &results);
                }
            });
        }
    });
    for test in alone {
        run_one(api, test, &results);
    }
    let results = results.into_inner().unwrap();
    let failed = results.iter().filter(|(_, passed)| !passed).count();
    write(
        api,
        &results
            .iter()
            .map(|(line, _)| line.clone())
            .collect::<Vec<_>>(),
    );
    println!(
        "{}: {} passed, {failed} failed",
        api.stack,
        results.len() - failed
    );
    failed == 0
}

fn run_one(api: &Api, test: &Test, results: &Mutex<Vec<(String, bool)>>) {
    let started = Instant::now();
    let passed = catch_unwind(AssertUnwindSafe(|| (test.run)(api))).is_ok();
    let ms = started.elapsed().as_millis();
    let outcome = if passed { "passed" } else { "failed" };
    println!(
        "{:6} {} ({ms} ms)",
        if passed { "ok" } else { "FAILED" },
        test.full_name()
    );
    let line = json!({
        "stack": api.stack, "test": test.full_name(), "group": test.group, "rows": test.rows,
        "outcome": outcome, "ms": u64::try_from(ms).unwrap_or(u64::MAX),
    });
    results.lock().unwrap().push((line.to_string(), passed));
}

fn write(api: &Api, lines: &[String]) {
    let directory = std::env::var("RESULTS_DIR").unwrap_or_else(|_| "target/acceptance".to_owned());
    fs::create_dir_all(&directory).unwrap();
    let mut file = fs::File::create(format!("{directory}/{}.jsonl", api.stack)).unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
}
