//! Lines of the log: the configuration once an isolate, one line a request, and what handlers say.

use serde_json::Value as Json;

use super::context::Context;
use super::error::Code;
use super::message::{Incoming, Response};
use super::serve::{Function, Progress};
use super::trace::RequestIds;
use crate::app::Ready;
use crate::log::Line;
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
            self.line(level, event, fields);
        }
    }

    /// The audit log's second sink: what was recorded is logged too, whatever the threshold.
    pub(super) fn tell(&self, statements: &[Statement], rows: &[Vec<Row>]) {
        for fields in crate::audit::told(statements, rows) {
            self.line(Level::Info, "audit", &fields);
        }
        for template in crate::mail::queued(statements, rows) {
            self.count(metrics::emails(template.name(), "queued"));
        }
    }

    /// Writes one line to the log, whatever `LOG_LEVEL` says.
    pub(crate) fn line(&self, level: Level, event: &str, fields: &[(&str, Json)]) {
        let mut line = Line::new(level, event, self.now)
            .with("route", self.route.name)
            .with("request_id", self.ids.request_id.as_str())
            .with("trace_id", self.ids.trace_id.as_str());
        for (name, value) in fields {
            line = line.with(name, value.clone());
        }
        line.write(self.platform);
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
        Line::new(level, "config.loaded", now)
            .with("environment", ready.config.environment.name())
            .with("set", set)
            .with("warnings", warnings.clone())
            .write(platform);
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
    Line::new(level, "request", now)
        .with("function", F::NAME)
        .with("route", progress.route.map_or("none", |route| route.name))
        .with("method", incoming.method())
        .with("status", response.status)
        .with("code", code.map(Code::name))
        .with("cause", cause.flatten())
        .with("policy", progress.policy)
        .with("duration_ms", elapsed)
        .with("sql", progress.meter.sql.get())
        .with("kv", progress.meter.kv.get())
        .with("tenant", progress.meter.tenant.borrow().clone())
        .with("request_id", ids.request_id.as_str())
        .with("trace_id", ids.trace_id.as_str())
        .with("parent_id", ids.parent.clone())
        .write(platform);
}
