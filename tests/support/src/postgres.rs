//! A private PostgreSQL server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

use crate::{Absent, Scratch};

/// A server started by `scripts/postgres`, and ended with the value.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    scratch: Scratch,
}

impl Postgres {
    /// Starts a server, or takes the one of `TEST_DATABASE_URL`.
    ///
    /// # Errors
    /// [`Absent`] where PostgreSQL is not installed or does not start.
    pub fn start() -> Result<Self, Absent> {
        let scratch = Scratch::new().map_err(|error| Absent(error.to_string()))?;
        let output = script("start", scratch.path())?;
        if !output.status.success() {
            return Err(Absent(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ));
        }
        let url = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Self { url, scratch })
    }

    /// The URL of a new, empty database.
    ///
    /// # Errors
    /// What the server said.
    pub async fn create(&self) -> Result<String, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("edgekeep_test_{}_{number}", std::process::id());
        let connected = tokio_postgres::connect(&self.url, NoTls).await;
        let (client, connection) = connected.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        // TEST_DATABASE_URL may be a server that outlives the tests.
        let statements = [
            format!("DROP DATABASE IF EXISTS {name}"),
            format!("CREATE DATABASE {name}"),
        ];
        for statement in statements {
            client
                .batch_execute(&statement)
                .await
                .map_err(|error| error.to_string())?;
        }
        let (server, rest) = self.url.rsplit_once('/').unwrap_or((&self.url, ""));
        let options = rest
            .split_once('?')
            .map_or(String::new(), |(_, options)| format!("?{options}"));
        Ok(format!("{server}/{name}{options}"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = script("stop", self.scratch.path());
    }
}

fn script(verb: &str, directory: &Path) -> Result<Output, Absent> {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../scripts/postgres"]
        .iter()
        .collect();
    let run = Command::new(&script).arg(verb).arg(directory).output();
    run.map_err(|error| Absent(format!("{}: {error}", script.display())))
}
