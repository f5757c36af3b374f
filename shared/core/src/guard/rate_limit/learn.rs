//! How a caller's limits get here: from the row by which the caller is judged anyway.

use super::{Caller, Limits};
use crate::app::Ready;
use crate::guard::identity::Credential;
use crate::log::Line;
use crate::metrics;
use crate::port::{Level, Platform};
use crate::sql::Row;
use crate::time::Millis;

/// Learns the limits of `caller`, whose state the rows are: the installation's, changed by what the
/// plan says, changed by what the tenant has of its own. The defaults are remembered only if
/// `asked`, so that they are not asked for again at once.
pub(crate) fn learn<P: Platform>(
    platform: &P,
    ready: &Ready,
    credential: &Credential,
    caller: Caller,
    state: &[Row],
    asked: bool,
    now: Millis,
) -> Limits {
    let base = ready.config.limits;
    let mut limits = base;
    for text in credential.limits(state).into_iter().flatten() {
        match limits.with(text) {
            Some(changed) => limits = changed,
            None => unsound(platform, ready, text, now),
        }
    }
    let keep = asked || limits != base;
    ready.limiter.borrow_mut().learn(caller, limits, keep, now);
    limits
}

/// What somebody wrote into the database by hand must not stop requests; but they should know.
fn unsound<P: Platform>(platform: &P, ready: &Ready, text: &str, now: Millis) {
    metrics::count(platform, metrics::rate_limits_unsound());
    if !ready.limiter.borrow_mut().told_unsound() {
        let what = "plans.rate_limits or tenants.rate_limits cannot be read, and is ignored";
        Line::new(Level::Error, "rate_limits.unsound", now)
            .with("message", what)
            .with("text", text.chars().take(100).collect::<String>())
            .write(platform);
    }
}
