//! What a request leaves behind as usage (docs/decisions/0020-request-tracking.md).

use super::credential::known_tenant;
use super::error::Code;
use super::measure;
use super::message::Response;
use super::serve::Progress;
use super::trace::RequestIds;
use crate::app::Ready;
use crate::guard::identity::Credential;
use crate::metrics;
use crate::port::Platform;
use crate::tracking::{Entry, Tracking, key};

/// The tenant of a credential, as far as it is proven, and who carries it.
pub(super) fn caller(
    credential: &Credential,
    ready: Option<&Ready>,
) -> (Option<String>, Option<String>) {
    let tenant = ready.and_then(|ready| known_tenant(credential, ready));
    (tenant, credential.actor())
}

/// Keeps a request that was answered, until it is written after the answer; `elapsed` in milliseconds.
pub(super) fn request<P: Platform>(
    platform: &P,
    ids: &RequestIds,
    method: &str,
    response: &Response,
    progress: &Progress,
    code: Option<Code>,
    elapsed: i64,
) {
    let (Some(route), Some(received), Ok(ready)) =
        (progress.route, progress.received, platform.app().ready())
    else {
        return;
    };
    let tracking = ready.config.tracking;
    // The limits that only the row of the caller tells refuse as late as in the handler.
    if tracking == Tracking::Off || code == Some(Code::RateLimited) {
        return;
    }
    let one = tracking == Tracking::Rows;
    let (tenant, actor) = &progress.caller;
    let known = progress.meter.tenant.borrow();
    let tenant = known.as_deref().or(tenant.as_deref());
    // Anybody can make up a key; whose it is tells that it is none of those.
    let actor = actor.as_deref();
    let actor = actor.filter(|_| progress.proven || tenant.is_some());
    let status = response.status.to_string();
    // Clocks of platforms may stand still while a request runs.
    let latency = elapsed.max(1);
    let bytes = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let (received, sent) = (bytes(received), bytes(response.body.len()));
    let entry = Entry {
        started_at: if one {
            progress.now
        } else {
            progress.now.hour()
        }
        .0,
        key: key(&[
            tenant,
            actor,
            Some(route.name),
            Some(measure::known(method)),
            code.map(Code::name),
            one.then_some(ids.request_id.as_str()),
            Some(&status),
        ]),
        sums: [1, latency, received, sent],
        latency_max: latency,
    };
    metrics::track(platform, entry);
}
