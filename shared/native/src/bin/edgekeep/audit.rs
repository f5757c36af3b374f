//! `edgekeep audit …`

use clap::{Args, Subcommand};
use edgekeep_core::audit::{Bad, Head, verify_all};
use edgekeep_native::{Database, Platform, Wakes};

use crate::{Failure, app, failure, print, unsound};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Seal what waits, then walk the whole chain; names the first bad entry and fails.
    Verify {
        #[arg(
            long,
            default_value = "sqlite:edgekeep.db",
            help = "sqlite:FILE or postgres://user@host/name"
        )]
        database: String,
        #[arg(
            long,
            value_parser = place,
            help = "POSITION:HASH that the chain had once: from an earlier run, or from a line audit.sealed of the log"
        )]
        expect: Option<Head>,
    },
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Action::Verify { database, expect } = arguments.action;
    let app = app();
    app.ready().map_err(unsound)?;
    let database = Database::open(&database).await.map_err(failure)?;
    let (wakes, _) = Wakes::channel();
    let platform = Platform::new(app, database, wakes);
    let report = verify_all(&platform, expect.as_ref()).await;
    let report = report.map_err(|error| {
        let cause = error.cause().unwrap_or(error.code().name());
        format!("{cause} (has `edgekeep migrate up` run here?)")
    })?;
    if let Some(bad) = &report.bad {
        return Err(told(bad));
    }
    let end = report.head.map_or_else(
        || "nothing is sealed yet".to_owned(),
        |head| format!("the chain ends at {}:{}", head.position, head.hash),
    );
    print(format_args!("sound: {} checked; {end}", report.checked))
}

fn told(bad: &Bad) -> Failure {
    let place = bad
        .position
        .map_or_else(String::new, |position| format!(" at position {position}"));
    format!(
        "the audit log was changed: {} {}{place}",
        bad.fault.name(),
        bad.id
    )
}

fn place(text: &str) -> Result<Head, String> {
    let wrong = || "must be POSITION:HASH".to_owned();
    let (position, hash) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Head {
        position: position.parse().map_err(|_| wrong())?,
        hash: hash.to_owned(),
    })
}
