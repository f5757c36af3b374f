//! The acceptance suite.
//!
//! `acceptance --stack workers --base-url http://127.0.0.1:8787 [--group auth]… [--only TEXT]`
//! runs against a server that runs with the environment of docs/acceptance.md; `--list` names
//! the tests and `--demo` walks through the product instead. `--stored COMMAND` prints everything
//! that the server has stored, for the group `at_rest`, which does not run without it. Every test
//! makes its own tenant, so they run side by side; those that touch what is shared run alone at the
//! end. Results go to `target/acceptance/STACK.jsonl`.

#![allow(
    clippy::disallowed_methods,
    reason = "a test binary has threads, clocks and an environment"
)]

mod answer;
mod api;
mod authenticator;
mod breaches;
mod contract;
mod demo;
mod fixture;
mod forge;
mod idp;
mod issuer;
mod others;
mod prometheus;
mod runner;
mod secrets;
mod stripe;
mod suite;

use std::process::ExitCode;

use api::Api;

/// What the command line asks for.
struct Options {
    stack: String,
    base_url: String,
    groups: Vec<String>,
    only: Option<String>,
    list: bool,
    demo: bool,
    stored: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        stack: "unnamed".to_owned(),
        base_url: std::env::var("BASE_URL").unwrap_or_default(),
        groups: Vec::new(),
        only: None,
        list: false,
        demo: false,
        stored: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--stack" => options.stack = value()?,
            "--base-url" => options.base_url = value()?,
            "--group" => options.groups.push(value()?),
            "--only" => options.only = Some(value()?),
            "--list" => options.list = true,
            "--demo" => options.demo = true,
            "--stored" => options.stored = Some(value()?),
            other => return Err(format!("{other} is not known; see docs/acceptance.md")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("acceptance: {problem}");
            return ExitCode::from(2);
        }
    };
    let wanted = |test: &runner::Test| {
        let chooses = |name: &String| suite::chooses(name, test);
        options.groups.is_empty() || options.groups.iter().any(chooses)
    };
    let chosen: Vec<_> = suite::all()
        .into_iter()
        .filter(|test| wanted(test))
        .filter(|test| options.list || options.stored.is_some() || test.group != "at_rest")
        .filter(|test| {
            options
                .only
                .as_ref()
                .is_none_or(|text| test.full_name().contains(text.as_str()))
        })
        .collect();
    if options.list {
        for test in &chosen {
            println!("{} [{}]", test.full_name(), test.rows.join(" "));
        }
        return ExitCode::SUCCESS;
    }
    if chosen.is_empty() {
        eprintln!("acceptance: no test has that name or group; --list names them all");
        return ExitCode::from(2);
    }
    if options.base_url.is_empty() {
        eprintln!("acceptance: --base-url or BASE_URL must say where the server is");
        return ExitCode::from(2);
    }
    let mut api = Api::new(&options.stack, &options.base_url);
    api.stored = options.stored;
    if options.demo {
        return demonstrate(&api);
    }
    others::start();
    if runner::run(&api, &chosen) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// With a key of Stripe's the server asks Stripe what an event tells of. Of the demo's nobody knows, unless
/// this process is the server's Stripe.
fn demonstrate(api: &Api) -> ExitCode {
    let set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
    if set("STRIPE_SECRET_KEY") {
        if !set("OAUTH_HOST") {
            eprintln!(
                "acceptance: the demo makes up what Stripe tells, so it needs a server without STRIPE_SECRET_KEY: \
                 take it out of .dev.vars and start the server again (docs/billing.md shows how to pay with one)"
            );
            return ExitCode::FAILURE;
        }
        others::start();
    }
    demo::run(api);
    ExitCode::SUCCESS
}
