//! Lines of the log: the configuration once an isolate, one line a request, and what handlers say.

use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::error::Code;
use super::message::{Incoming, Response};
use super::serve::{Function, Progress};
use super::trace::RequestIds;
use crate::app::Ready;
use crate::metrics;
use crate::port::{Level, Platform};
use crate::sql::{Row, Statement};
use crate::time::Millis;

impl<P: Platform> Context<'_, P> {
    /// Writes one line to the log. `fields` must hold neither secrets nor personal data.
    pub fn log(&self, level: Level, event: &str, fields: &[(&str, Json)]) {
        let threshold = self
            .ready
            .map_or(Level::Info, |ready| ready.config.log_level);
        if level >= threshold {
            let fields = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            self.line(level, event, fields);
        }
    }

    /// The audit log's second sink: what was recorded is logged too, whatever the threshold.
    pub(super) fn tell(&self, statements: &[Statement], rows: &[Vec<Row>]) {
        for fields in crate::audit::told(statements, rows) {
            self.line(Level::Info, "audit", fields);
        }
        for template in crate::mail::queued(statements, rows) {
            self.count(metrics::emails(template.name(), "queued"));
        }
    }

    /// Writes one line to the log, whatever `LOG_LEVEL` says.
    pub(crate) fn line(
        &self,
        level: Level,
        event: &str,
        fields: impl IntoIterator<Item = (String, Json)>,
    ) {
        let mut line = Map::new();
        line.insert("level".to_owned(), level.name().into());
        line.insert("time".to_owned(), self.now.rfc3339().into());
        line.insert("event".to_owned(), event.into());
        line.insert("route".to_owned(), self.route.name.into());
        line.insert("request_id".to_owned(), self.ids.request_id.as_str().into());
        line.insert("trace_id".to_owned(), self.ids.trace_id.as_str().into());
        line.extend(fields);
        self.platform.log(level, &Json::Object(line).to_string());
    }
}

/// Logs what is set and what production would refuse, with the first request of an isolate.
pub(super) fn config_once<P: Platform>(platform: &P, ready: Option<&Ready>, now: Millis) {
    let Some(ready) = ready.filter(|ready| !ready.warned.replace(true)) else {
        return;
    };
    let warnings = &ready.config.warnings;
    let level = if warnings.is_empty() {
        Level::Info
    } else {
        Level::Warn
    };
    if level >= ready.config.log_level {
        let variables = platform.app().variables().iter();
        let set: Vec<_> = variables
            .filter(|(_, set)| *set)
            .map(|(name, _)| *name)
            .collect();
        let line = json!({
            "level": level.name(),
            "time": now.rfc3339(),
            "event": "config.loaded",
            "environment": ready.config.environment.name(),
            "set": set,
            "warnings": warnings,
        });
        platform.log(level, &line.to_string());
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "private, called once, and all of it is one line"
)]
pub(super) fn request<F: Function, P: Platform>(
    platform: &P,
    ids: &RequestIds,
    incoming: &impl Incoming,
    response: &Response,
    progress: &Progress,
    failure: Option<(Code, Option<String>)>,
    elapsed: i64,
    now: Millis,
) {
    let level = match (response.status, &failure) {
        (500.., _) => Level::Error,
        (_, Some((_, Some(_)))) => Level::Warn,
        (..400, _) if progress.route.is_some_and(|route| route.quiet) => Level::Debug,
        _ => Level::Info,
    };
    let threshold = platform
        .app()
        .ready()
        .map_or(Level::Info, |ready| ready.config.log_level);
    if level < threshold {
        return;
    }
    let (code, cause) = failure.unzip();
    let line = json!({
        "level": level.name(),
        "time": now.rfc3339(),
        "event": "request",
        "function": F::NAME,
        "route": progress.route.map_or("none", |route| route.name),
        "method": incoming.method(),
        "status": response.status,
        "code": code.map(Code::name),
        "cause": cause.flatten(),
        "duration_ms": elapsed,
        "sql": progress.meter.sql.get(),
        "kv": progress.meter.kv.get(),
        "tenant": progress.meter.tenant.borrow().clone(),
        "request_id": ids.request_id,
        "trace_id": ids.trace_id,
        "parent_id": ids.parent,
    });
    let Json::Object(mut line) = line else { return };
    line.retain(|_, value| !value.is_null());
    platform.log(level, &Json::Object(line).to_string());
}
