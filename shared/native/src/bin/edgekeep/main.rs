//! `edgekeep`: the native server, migrations and an operator's small helpers.

#![forbid(unsafe_code)]

mod audit;
mod config;
mod migrate;
mod serve;
mod service;
mod stripe;

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use edgekeep_core::app::App;
use edgekeep_core::config::ConfigError;

/// Edgekeep on this machine: server, migrations and helpers for operators.
///
/// Configuration comes from environment variables; `edgekeep config` names them.
#[derive(Debug, Parser)]
#[command(name = "edgekeep", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve every function in one process, with the schedule and the job queue.
    Serve(serve::Arguments),
    /// Apply migrations, take them back, or show where they stand.
    Migrate(migrate::Arguments),
    /// Print a token with which one service calls a function; it lives five minutes.
    ServiceToken(service::Token),
    /// Call the scheduler of a running stack once, as its cron would.
    Tick(service::Tick),
    /// Check that nobody has changed the audit log.
    Audit(audit::Arguments),
    /// Make the products, prices and webhook endpoint at Stripe that the plans need; twice changes nothing.
    StripeSetup(stripe::Arguments),
    /// Show which variables are set and what is wrong with them; never a value.
    Config,
}

/// What a person reads when a command fails.
type Failure = String;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The platform's futures are not Send, so one thread runs all of them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .map_err(failure)
        .and_then(|runtime| match arguments.command {
            Command::Serve(arguments) => serve::run(&runtime, arguments),
            Command::Migrate(arguments) => runtime.block_on(migrate::run(arguments)),
            Command::ServiceToken(arguments) => service::token(&arguments),
            Command::Tick(arguments) => runtime.block_on(service::tick(arguments)),
            Command::Audit(arguments) => runtime.block_on(audit::run(arguments)),
            Command::StripeSetup(arguments) => runtime.block_on(stripe::run(arguments)),
            Command::Config => config::show(),
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "edgekeep: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Prints one line; a closed pipe ends the command.
fn print(line: impl Display) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(failure)
}

fn failure(error: impl Display) -> Failure {
    error.to_string()
}

/// What mostly helps where variables are missing.
const LOAD: &str = "load them first: set -a; . ./.dev.vars; set +a";

fn unsound(error: &ConfigError) -> Failure {
    format!(
        "the configuration is not sound (`edgekeep config` shows it): {error}; where variables are missing, {LOAD}"
    )
}

/// The configuration of this process.
fn app() -> App {
    App::new(variable)
}

/// The one place that reads the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the native configuration port is made of it"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
