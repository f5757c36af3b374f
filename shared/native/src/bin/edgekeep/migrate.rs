//! `edgekeep migrate …`

use clap::{Args, Subcommand};
use edgekeep_core::time::Millis;
use edgekeep_native::migrate::Migrator;
use edgekeep_native::now;

use crate::{Failure, failure, print};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[arg(
        long,
        global = true,
        default_value = "sqlite:edgekeep.db",
        help = "sqlite:FILE or postgres://user@host/name"
    )]
    database: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show every migration and when it was applied.
    Status,
    /// Apply what is pending.
    Up,
    /// Take the last migrations back. Their data is lost.
    Down {
        /// How many.
        #[arg(default_value_t = 1)]
        count: usize,
    },
    /// Insert the plans that a new installation starts with; may run any number of times.
    Seed,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut migrator = Migrator::open(&arguments.database).await.map_err(failure)?;
    match arguments.action {
        Action::Status => {
            for standing in migrator.status().await.map_err(failure)? {
                let when = standing
                    .applied_at
                    .map_or_else(|| "pending".to_owned(), Millis::rfc3339);
                let note = if standing.known {
                    ""
                } else {
                    "  (of a newer build)"
                };
                print(format_args!("{when:<24}  {}{note}", standing.name))?;
            }
            Ok(())
        }
        Action::Up => {
            let done = migrator.up(now()).await.map_err(failure)?;
            report(
                "applied",
                &done,
                "nothing to apply: the schema is up to date",
            )
        }
        Action::Down { count } => {
            let done = migrator.down(count).await.map_err(failure)?;
            report(
                "took back",
                &done,
                "nothing to take back: no migration is applied",
            )
        }
        Action::Seed => {
            migrator.seed().await.map_err(failure)?;
            print("the plans are there")
        }
    }
}

fn report(verb: &str, done: &[&str], nothing: &str) -> Result<(), Failure> {
    if done.is_empty() {
        return print(nothing);
    }
    done.iter()
        .try_for_each(|name| print(format_args!("{verb} {name}")))
}
