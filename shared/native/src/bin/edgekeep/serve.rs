//! `edgekeep serve`

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use edgekeep_core::app::{App, Ready};
use edgekeep_core::port::{Level, Platform as _};
use edgekeep_native::migrate::{Migrator, Standing};
use edgekeep_native::{Database, Faults, Memory, Platform, Wakes, now, server};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::{Failure, app, failure, print, variable};

/// Work after the last answer gets so long to end.
const DEFERRED_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[arg(
        long,
        default_value = "sqlite:edgekeep.db",
        help = "sqlite:FILE, sqlite::memory: or postgres://user@host/name"
    )]
    database: String,
    /// Apply pending migrations and insert the plans first (memory has them anyway).
    #[arg(long)]
    migrate: bool,
}

pub(crate) fn run(runtime: &Runtime, arguments: Arguments) -> Result<(), Failure> {
    let local = LocalSet::new();
    let served = runtime.block_on(local.run_until(serve(arguments)));
    // What is left are deferred writes; a hanging one does not keep the process.
    let _ = runtime.block_on(async { timeout(DEFERRED_PATIENCE, local).await });
    served
}

async fn serve(arguments: Arguments) -> Result<(), Failure> {
    let database = open(&arguments).await?;
    let pending = pending(&arguments.database).await;
    let (wakes, woken) = Wakes::channel();
    let app = app();
    let database = match app.ready() {
        Ok(ready) => database.limited(ready.config.pool_max),
        Err(_) => database,
    };
    let faults = Faults::read(variable("KV_FAULTS").as_deref(), is_strict(&app))?;
    let platform = Platform::on(app, database, Memory::with(faults), wakes);
    // It serves all the same, as a Worker does: /healthz and the log say what is missing.
    if let Err(error) = platform.app().ready() {
        error
            .problems
            .iter()
            .for_each(|text| note(&platform, Level::Error, text));
    }
    if pending > 0 {
        let what = format!(
            "{pending} migrations are pending: stop, and start with --migrate to apply them"
        );
        note(&platform, Level::Error, &what);
    }
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        format!(
            "cannot listen on {}: {error} (choose another --listen)",
            arguments.listen
        )
    })?;
    let address = listener.local_addr().map_err(failure)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failure)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failure)?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    print(format_args!("Edgekeep listens on http://{address}"))?;
    server::run(platform, woken, listener, stop).await;
    print("Edgekeep has stopped")
}

/// A database of the process's own, which has its schema from the start.
const MEMORY: &str = "sqlite::memory:";

/// Whether the rules of production hold; without a sound configuration they do.
fn is_strict(app: &App) -> bool {
    let lax = |ready: &Ready| !ready.config.environment.is_strict();
    !app.ready().is_ok_and(lax)
}

async fn open(arguments: &Arguments) -> Result<Database, Failure> {
    let url = &arguments.database;
    if arguments.migrate && url != MEMORY {
        let mut migrator = Migrator::open(url).await.map_err(failure)?;
        for name in migrator.up(now()).await.map_err(failure)? {
            print(format_args!("applied {name}"))?;
        }
        migrator.seed().await.map_err(failure)?;
    }
    Database::open(url).await.map_err(failure)
}

/// How many migrations of this build the database lacks; none where that cannot be told, or in memory.
async fn pending(url: &str) -> usize {
    if url == MEMORY {
        return 0;
    }
    let Ok(mut migrator) = Migrator::open(url).await else {
        return 0;
    };
    let standings = migrator.status().await.unwrap_or_default();
    let lacks = |standing: &&_| {
        matches!(
            standing,
            Standing {
                applied_at: None,
                ..
            }
        )
    };
    standings.iter().filter(lacks).count()
}

fn note(platform: &Platform, level: Level, text: &str) {
    let line = serde_json::json!({"level": level.name(), "event": "config", "message": text});
    platform.log(level, &line.to_string());
}
