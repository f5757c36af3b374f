//! The health function's table.

use serde_json::{Map, Value, json};

use super::checks;
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Code, Context, Error, Function, Interrupt, Reply, Route};
use crate::metrics;
use crate::port::Platform;

/// Probes.
#[derive(Debug)]
pub struct Health;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Is the process there.
    Live,
    /// Can it serve.
    Ready,
    /// Did it start as it should.
    Started,
    /// Everything, dependency by dependency.
    Details,
    /// Is the cloud there; touches nothing.
    SloHealth,
    /// Which variables are set.
    Environment,
    /// Counters and gauges.
    Metrics,
}

impl Function for Health {
    type Action = Action;
    const NAME: &'static str = "health";
    const ROUTES: &'static [Route<Action>] = &[
        probe("/healthz", "health.live", Action::Live),
        probe("/readyz", "health.ready", Action::Ready),
        probe("/startupz", "health.started", Action::Started),
        probe("/health", "health.details", Action::Details),
        probe("/api/v1/slo/health", "slo.health", Action::SloHealth),
        Route::get(
            "/api/v1/slo/environment",
            "slo.environment",
            Action::Environment,
            Access::Service,
        ),
        Route::get(
            "/metrics",
            "metrics.scrape",
            Action::Metrics,
            Access::Scraper,
        )
        .quiet(),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Live | Action::SloHealth => Ok(Reply::ok(&json!({"status": "ok"}))),
            Action::Started => {
                cx.ready()?;
                Ok(Reply::ok(&json!({"status": "ok"})))
            }
            Action::Ready => {
                cx.ready()?;
                match checks::database(cx).await {
                    Ok(_) => Ok(Reply::ok(&json!({"status": "ok"}))),
                    Err(why) => {
                        let down = "The database does not answer.";
                        let error = Error::new(Code::Unavailable).with_message(down);
                        Err(error.with_retry_after(5).with_cause(why).into())
                    }
                }
            }
            Action::Metrics => metrics::scrape(cx).await,
            Action::Details => Ok(checks::details(cx).await),
            Action::Environment => {
                let config = cx.config()?;
                let variables: Map<String, Value> = cx
                    .platform
                    .app()
                    .variables()
                    .iter()
                    .map(|(name, set)| {
                        (
                            (*name).to_owned(),
                            json!(if *set { "set" } else { "default" }),
                        )
                    })
                    .collect();
                let features: Map<String, Value> = Feature::ALL
                    .iter()
                    .map(|feature| {
                        let on = config.features.on(*feature);
                        (feature.name().to_owned(), json!(on))
                    })
                    .collect();
                Ok(Reply::ok(&json!({
                    "environment": config.environment.name(),
                    "variables": variables,
                    "features": features,
                    "warnings": config.warnings,
                })))
            }
        }
    }
}

/// Probes are public, never limited, and answer without a sound configuration.
const fn probe(path: &'static str, name: &'static str, action: Action) -> Route<Action> {
    Route::get(path, name, action, Access::Public)
        .rate(RateClass::Unlimited)
        .without_config()
        .quiet()
}
