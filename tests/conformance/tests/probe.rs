//! Every case inside a platform, through the probe (tests/probe) that runs there.
//!
//! `PROBE_URL` says where it answers; without it nothing is run, and that is said.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test without libtest's harness, whose attributes would allow all three"
)]

mod peer;

use std::process::ExitCode;
use std::sync::Arc;

use edgekeep_core::port::{Outbound as _, OutboundRequest};
use edgekeep_native::Client;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

#[expect(
    clippy::disallowed_methods,
    reason = "tests are configured by the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let stack = variable("PROBE_STACK").unwrap_or_else(|| "probe".to_owned());
    let Some(url) = variable("PROBE_URL") else {
        let trial = Trial::test(&stack, || Ok(())).with_ignored_flag(true);
        let conclusion = libtest_mimic::run(&arguments, vec![trial]);
        println!("not run: workers, spin (PROBE_URL is not set; scripts/conformance runs them)\n");
        return conclusion.exit_code();
    };
    let peer = Arc::new(peer::start());
    // The list comes from the platform, so that a case it does not have cannot pass there.
    let names = match call("GET", &format!("{url}/cases")) {
        Ok(Value::Array(names)) => names,
        other => {
            eprintln!("{url}/cases gave no list: {other:?}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(failed) = run(&format!("{url}/prepare")) {
        eprintln!("{url}/prepare failed: {failed:?}");
        return ExitCode::FAILURE;
    }
    let wanted = edgekeep_conformance::table::NAMES;
    let missing = wanted
        .iter()
        .filter(|name| !names.contains(&Value::from(**name)));
    let mut trials: Vec<Trial> = missing
        .map(|name| {
            Trial::test(
                *name,
                || Err("the probe was built without this case".into()),
            )
        })
        .collect();
    for name in names.iter().filter_map(Value::as_str) {
        let target = format!("{url}/cases/{name}?peer={peer}");
        trials.push(Trial::test(format!("{stack}::{name}"), move || {
            run(&target)
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Posts, and takes the outcome apart.
fn run(url: &str) -> Result<(), Failed> {
    let outcome = call("POST", url)?;
    match outcome.get("error").and_then(Value::as_str) {
        None if outcome.get("ok") == Some(&Value::Bool(true)) => Ok(()),
        None => Err(format!("no outcome: {outcome}").into()),
        Some(error) => Err(error.into()),
    }
}

fn call(method: &'static str, url: &str) -> Result<Value, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let request = OutboundRequest {
        method,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout_ms: 120_000,
    };
    let answer = runtime.block_on(Client::default().send(request))?;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.status != 200 {
        return Err(format!("{} {body}", answer.status).into());
    }
    Ok(serde_json::from_str(&body)?)
}
