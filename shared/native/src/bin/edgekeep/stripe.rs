//! `edgekeep stripe-setup`

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use edgekeep_core::app::App;
use edgekeep_core::config::Secret;
use edgekeep_core::crypto::hex;
use edgekeep_core::http::Code;
use edgekeep_core::stripe;
use edgekeep_native::{Database, Platform, Wakes};

use crate::{Failure, LOAD, failure, print, unsound, variable};

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
    let ready = app.ready().map_err(unsound)?;
    let Some(key) = &ready.config.stripe_key else {
        return Err(format!(
            "STRIPE_SECRET_KEY is not set; where it is with the other variables, {LOAD}"
        ));
    };
    let stripe_at = ready.config.stripe_api_base.clone();
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
    is_there(&arguments.database)?;
    // Before anything is made whose secret would then have no place.
    let place = arguments.secret_to.as_ref();
    let file = place.filter(|_| !arguments.dry_run).map(create);
    let file = file.transpose()?;
    print(format_args!(
        "Stripe in {} mode{}",
        if live { "live" } else { "test" },
        if arguments.dry_run { ", dry run" } else { "" }
    ))?;
    let done = set_up(app, &arguments, &url, &stripe_at).await;
    if let (Err(_), Some(_), Some(path)) = (&done, &file, place) {
        // The next run wants to make it.
        std::fs::remove_file(path).map_err(failure)?;
    }
    let report = done?;
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

async fn set_up(
    app: App,
    arguments: &Arguments,
    url: &str,
    stripe_at: &str,
) -> Result<stripe::Report, Failure> {
    let database = Database::open(&arguments.database).await.map_err(failure)?;
    let platform = Platform::new(app, database, Wakes::channel().0);
    // What is told to other instances runs beside it.
    let local = tokio::task::LocalSet::new();
    let work = stripe::set_up(&platform, url, arguments.dry_run);
    let report = local.run_until(work).await;
    report.map_err(|error| {
        let cause = error.cause().unwrap_or(error.code().name());
        match error.code() {
            Code::BillingNotConfigured => {
                format!("{cause} (check STRIPE_SECRET_KEY and what it may do)")
            }
            Code::UpstreamFailed | Code::UpstreamTimeout => format!("{stripe_at}: {cause}"),
            _ => cause.to_owned(),
        }
    })
}

/// Opening would make the file, and nothing is planned in an empty one.
fn is_there(database: &str) -> Result<(), Failure> {
    match database.strip_prefix("sqlite:") {
        Some(file) if file != ":memory:" && !Path::new(file).is_file() => {
            Err(format!("{file}: there is no such file"))
        }
        _ => Ok(()),
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
    made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            format!("{}: it is there already; name a new file", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    })
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
