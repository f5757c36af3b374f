//! `edgekeep service-token` and `edgekeep tick`

use clap::Args;
use clap::builder::PossibleValuesParser;
use edgekeep_core::auth::token::issue_service;
use edgekeep_core::functions;
use edgekeep_core::port::{Outbound as _, OutboundRequest};
use edgekeep_core::time::Millis;
use edgekeep_native::{Client, now};

use crate::{Failure, app, print, unsound};

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The function to call.
    #[arg(long, value_parser = PossibleValuesParser::new(functions::names()))]
    function: String,
    /// Who calls; it stands in the audit log.
    #[arg(long, default_value = "operator")]
    caller: String,
    #[arg(
        long,
        default_value_t = 0,
        hide_default_value = true,
        help = "So many milliseconds from now, for a server whose clock a request may move (TEST_CLOCK)"
    )]
    later_ms: i64,
}

#[derive(Debug, Args)]
pub(crate) struct Tick {
    #[arg(
        long,
        help = "Where the stack answers, http://127.0.0.1:8787 for instance"
    )]
    url: String,
}

pub(crate) fn token(arguments: &Token) -> Result<(), Failure> {
    let now = now().plus(arguments.later_ms);
    print(mint(&arguments.caller, &arguments.function, now)?)
}

pub(crate) async fn tick(arguments: Tick) -> Result<(), Failure> {
    let url = format!(
        "{}/api/v1/scheduler/tick",
        arguments.url.trim_end_matches('/')
    );
    let request = OutboundRequest {
        method: "POST",
        url: url.clone(),
        headers: vec![
            (
                "authorization",
                format!("Bearer {}", mint("cron", "scheduler", now())?),
            ),
            ("content-type", "application/json".to_owned()),
        ],
        body: Vec::new(),
        timeout_ms: 60_000,
    };
    let answer = Client::default().send(request).await;
    let answer = answer.map_err(|error| format!("{url}: {error} (is the stack running?)"))?;
    let body = String::from_utf8_lossy(&answer.body);
    match answer.status {
        200..=299 => print(body.trim()),
        401 => Err(format!(
            "{url} refused the token: is SERVICE_JWT_SECRET the same there? {body}"
        )),
        status => Err(format!("{url} answered {status}: {body}")),
    }
}

fn mint(caller: &str, function: &str, now: Millis) -> Result<String, Failure> {
    let app = app();
    let ready = app.ready().map_err(unsound)?;
    issue_service(&ready.keys, caller, function, now).map_err(|error| {
        error
            .cause()
            .unwrap_or("the token could not be made")
            .to_owned()
    })
}
