//! Every case on SQLite and on PostgreSQL, in this process.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test without libtest's harness, whose attributes would allow both"
)]

mod extra;
mod peer;

use std::process::ExitCode;
use std::sync::Arc;

use edgekeep_conformance::{Bench, table};
use edgekeep_core::app::App;
use edgekeep_native::{Database, Platform, Wakes};
use edgekeep_support::{Absent, Postgres, Scratch, is_required};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::task::LocalSet;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let peer = peer::start();
    let postgres = start_postgres(&arguments).map(Arc::new);

    let mut trials = Vec::new();
    for name in table::NAMES {
        let peer = peer.clone();
        trials.push(Trial::test(format!("sqlite::{name}"), move || {
            let scratch = Scratch::new()?;
            let url = format!("sqlite:{}", scratch.path().join("test.db").display());
            block_on(case(url, name, &peer))
        }));
    }
    trials.extend(extra::sqlite());
    match &postgres {
        Ok(server) => {
            for name in table::NAMES {
                let (peer, server) = (peer.clone(), Arc::clone(server));
                trials.push(Trial::test(format!("postgres::{name}"), move || {
                    block_on(async { case(server.create().await?, name, &peer).await })
                }));
            }
            trials.extend(extra::postgres(server));
        }
        Err(Absent(why)) => {
            let why = why.clone();
            let missing = move || Err(Failed::from(format!("{why}, and REQUIRE_STACKS wants it")));
            trials
                .push(Trial::test("postgres", missing).with_ignored_flag(!is_required("postgres")));
        }
    }

    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Err(Absent(why)) = postgres {
        println!("not run: postgres ({why})\n");
    }
    conclusion.exit_code()
}

/// A server, unless this run has nothing for it.
fn start_postgres(arguments: &Arguments) -> Result<Postgres, Absent> {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    if arguments.list || filter.starts_with("sqlite") {
        return Err(Absent("nothing here asks for it".to_owned()));
    }
    Postgres::start()
}

/// Runs `work` as the server would: on one thread, for futures that are not `Send`.
fn block_on(work: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(LocalSet::new().run_until(work))
}

async fn platform(url: &str) -> Result<Platform, Failed> {
    let (wakes, _) = Wakes::channel();
    Ok(Platform::new(
        App::new(|_| None),
        Database::open(url).await?,
        wakes,
    ))
}

async fn case(url: String, name: &str, peer: &str) -> Result<(), Failed> {
    let platform = platform(&url).await?;
    let bench = Bench::new(&platform, peer);
    table::prepare(&bench).await.map_err(|failure| failure.0)?;
    table::run(name, &bench).await?;
    Ok(())
}
