//! Asking the dependencies, each within its time.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use serde_json::{Map, Value as Json, json};

use crate::config::{Feature, MailProvider};
use crate::http::{Context, Reply};
use crate::key_value;
use crate::port::Platform;

/// How long a dependency may take before it counts as down.
const PATIENCE_MS: u32 = 2_000;

crate::queries! {
    /// Proves that the schema is there too.
    PING: SystemQuery = "health.ping", "SELECT COUNT(*) FROM plans";
}

/// Asks the database; says how long it took in milliseconds, or why it counts as down.
pub(super) async fn database<P: Platform>(cx: &Context<'_, P>) -> Result<i64, String> {
    let started = cx.platform.now();
    match within(cx.platform, cx.query(PING.bind([]))).await {
        None => Err("no answer in time".to_owned()),
        Some(Err(error)) => Err(error.cause().unwrap_or(error.code().name()).to_owned()),
        Some(Ok(rows)) => match rows.first().map(|row| row.int(0)) {
            Some(Ok(1..)) => Ok(cx.platform.now().since(started)),
            _ => Err("no plans: the database is not seeded".to_owned()),
        },
    }
}

async fn store<P: Platform>(cx: &Context<'_, P>) -> Result<i64, String> {
    let started = cx.platform.now();
    match within(cx.platform, key_value::check(cx.platform, cx.now)).await {
        None => Err("no answer in time".to_owned()),
        Some(Err(why)) => Err(why),
        Some(Ok(())) => Ok(cx.platform.now().since(started)),
    }
}

/// `GET /health`: 200 when requests can be served, with every dependency's state. Reasons go to
/// the log, not into the answer.
pub(super) async fn details<P: Platform>(cx: &Context<'_, P>) -> Reply {
    let config = cx.config();
    let mut parts = Map::new();
    let mut add = |name: &str, part: Json| parts.insert(name.to_owned(), part);
    let database = database(cx).await;
    let serving = config.is_ok() && database.is_ok();
    add("database", tell(cx, "database", database));
    let store = store(cx).await;
    let degraded = store.is_err();
    add("keyValue", tell(cx, "key_value", store));
    let configuration = if config.is_ok() { "ok" } else { "down" };
    add("configuration", json!({"status": configuration}));
    let billing = config
        .as_ref()
        .is_ok_and(|config| config.features.on(Feature::Billing));
    add(
        "stripe",
        json!({"status": if billing { "configured" } else { "disabled" }}),
    );
    let sends = config
        .as_ref()
        .is_ok_and(|c| !matches!(c.mail, MailProvider::Development));
    add(
        "email",
        json!({"status": if sends { "configured" } else { "unknown" }}),
    );
    let status = match (serving, degraded) {
        (false, _) => "down",
        (true, true) => "degraded",
        (true, false) => "ok",
    };
    let data = json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "dependencies": parts,
    });
    Reply::json(if serving { 200 } else { 503 }, &data)
}

fn tell<P: Platform>(cx: &Context<'_, P>, name: &str, result: Result<i64, String>) -> Json {
    match result {
        Ok(latency) => json!({"status": "ok", "latencyMs": latency}),
        Err(why) => {
            let fields = [("dependency", json!(name)), ("cause", json!(why))];
            cx.log(crate::port::Level::Error, "health.dependency_down", &fields);
            json!({"status": "down"})
        }
    }
}

/// The output of `work`, or `None` when it takes longer than [`PATIENCE_MS`].
async fn within<P: Platform, T>(platform: &P, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut timer = pin!(platform.sleep(PATIENCE_MS));
    poll_fn(|context| {
        if let Poll::Ready(output) = work.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        timer.as_mut().poll(context).map(|()| None)
    })
    .await
}
