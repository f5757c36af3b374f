//! `edgekeep stripe-setup`

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args;
use edgekeep_core::app::App;
use edgekeep_core::config::Secret;
use edgekeep_core::crypto::hex;
use edgekeep_core::stripe;
use edgekeep_native::{Database, Platform, Wakes};

use crate::{Failure, failure, print, variable};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[arg(
        long,
        help = "Where the API is reached, https://api.example.com for instance; GATEWAY_URL without it"
    )]
    url: Option<String>,
    #[arg(
        long,
        default_value = "sqlite::memory:",
        hide_default_value = true,
        help = "Where the plans are: sqlite:FILE or postgres://user@host/name; those of the seed without it"
    )]
    database: String,
    #[arg(
        long,
        value_name = "FILE",
        help = "A new file for the endpoint's signing secret, instead of the terminal"
    )]
    secret_to: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let app = app()?;
    let ready = app.ready().map_err(|error| {
        format!("the configuration is not sound (`edgekeep config` shows it): {error}")
    })?;
    let Some(key) = &ready.config.stripe_key else {
        return Err("STRIPE_SECRET_KEY is not set".to_owned());
    };
    let live = key.expose().contains("_live_");
    let url = arguments
        .url
        .as_deref()
        .unwrap_or(&ready.config.gateway_url);
    let scheme = url.split("://").next().unwrap_or_default();
    if !["https", "http"].contains(&scheme) || live && scheme != "https" {
        return Err(format!("Stripe cannot deliver events to {url}"));
    }
    let url = url.to_owned();
    // Before anything is made whose secret would then have no place.
    let place = arguments.secret_to.as_ref();
    let file = place.filter(|_| !arguments.dry_run).map(create);
    let file = file.transpose()?;
    print(format_args!(
        "Stripe in {} mode{}",
        if live { "live" } else { "test" },
        if arguments.dry_run { ", dry run" } else { "" }
    ))?;
    let database = Database::open(&arguments.database).await.map_err(failure)?;
    let platform = Platform::new(app, database, Wakes::channel().0);
    // What is told to other instances runs beside it.
    let local = tokio::task::LocalSet::new();
    let work = stripe::set_up(&platform, &url, arguments.dry_run);
    let report = local.run_until(work).await;
    let report = report.map_err(|error| error.cause().unwrap_or(error.code().name()).to_owned())?;
    for line in &report.lines {
        print(line)?;
    }
    print(match (report.changes, arguments.dry_run) {
        (0, _) => "nothing to change".to_owned(),
        (changes, true) => format!("changes to make: {changes}"),
        (changes, false) => format!("changes made: {changes}"),
    })?;
    match (report.secret, arguments.secret_to) {
        (Some(secret), _) => tell(&secret, file),
        // Made for a secret that there is not.
        (None, Some(path)) if file.is_some() => std::fs::remove_file(path).map_err(failure),
        (None, _) => Ok(()),
    }
}

/// The configuration of this process, with billing. Before there is an endpoint there is no secret of it, and
/// nothing here verifies an event.
fn app() -> Result<App, Failure> {
    let mut random = [0_u8; 24];
    getrandom::fill(&mut random).map_err(failure)?;
    let none_yet = hex(&random);
    Ok(App::new(move |name| {
        let value = variable(name).filter(|value| !value.trim().is_empty());
        match name {
            "BILLING_ENABLED" => Some("true".to_owned()),
            "STRIPE_WEBHOOK_SECRET" => Some(value.unwrap_or_else(|| format!("whsec_{none_yet}"))),
            _ => value,
        }
    }))
}

fn create(path: &PathBuf) -> Result<File, Failure> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.map_err(|error| format!("{}: {error}", path.display()))
}

fn tell(secret: &Secret, file: Option<File>) -> Result<(), Failure> {
    let line = format!("STRIPE_WEBHOOK_SECRET={}", secret.expose());
    print(
        "The endpoint's signing secret, told this once. Deploy it to every function; where there was another, \
         as new,old (docs/billing.md):",
    )?;
    match file {
        Some(mut file) => {
            writeln!(file, "{line}").map_err(failure)?;
            print("it is in the file")
        }
        None => print(line),
    }
}
