//! The probe's table.

use edgekeep_conformance::{Bench, table};
use edgekeep_core::guard::rate_limit::RateClass;
use edgekeep_core::http::{Access, Context, Function, Interrupt, Reply, Response, Route};
use edgekeep_core::port::Platform;
use serde_json::{Value, json};

/// Lists and runs cases.
#[derive(Debug)]
pub struct Probe;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Names every case.
    List,
    /// Makes the tables.
    Prepare,
    /// Runs one.
    Run,
}

impl Function for Probe {
    type Action = Action;
    const NAME: &'static str = "probe";
    const ROUTES: &'static [Route<Action>] = &[
        // Without configuration: the ports work before any secret is set.
        Route::get("/cases", "probe.list", Action::List, Access::Public)
            .rate(RateClass::Unlimited)
            .without_config(),
        Route::post("/prepare", "probe.prepare", Action::Prepare, Access::Public)
            .rate(RateClass::Unlimited)
            .without_config(),
        Route::post("/cases/:name", "probe.run", Action::Run, Access::Public)
            .rate(RateClass::Unlimited)
            .without_config(),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        let peer = cx.request.query_value("peer")?.unwrap_or_default();
        let bench = Bench::new(cx.platform, &peer);
        let outcome = match action {
            Action::List => return Ok(plain(&json!(table::NAMES))),
            Action::Prepare => table::prepare(&bench).await.map_err(|failure| failure.0),
            Action::Run => table::run(cx.param(), &bench).await,
        };
        Ok(plain(&match outcome {
            Ok(()) => json!({"ok": true}),
            Err(why) => json!({"ok": false, "error": why}),
        }))
    }
}

/// JSON without the envelope.
fn plain(value: &Value) -> Reply {
    Reply::Raw(Response::new(200, "application/json", value.to_string()))
}
