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
    for (level, text) in ["plan", "tenant"].into_iter().zip(credential.limits(state)) {
        for pair in text.unwrap_or_default().split(',') {
            match limits.with(pair) {
                Some(changed) => limits = changed,
                None => unsound(platform, ready, level, pair, now),
            }
        }
    }
    let keep = asked || limits != base;
    ready.limiter.borrow_mut().learn(caller, limits, keep, now);
    limits
}

/// What somebody wrote into the database by hand must not stop requests; but they should know.
fn unsound<P: Platform>(platform: &P, ready: &Ready, level: &str, pair: &str, now: Millis) {
    metrics::count(platform, metrics::rate_limits_unsound());
    if !ready.limiter.borrow_mut().told_unsound() {
        let what = "a pair in the rate_limits of a plan or tenant cannot be read, and is ignored";
        Line::new(Level::Error, "rate_limits.unsound", now)
            .with("message", what)
            .with("set_by", level)
            .with("text", pair.chars().take(100).collect::<String>())
            .write(platform);
    }
}
