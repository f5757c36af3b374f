//! Work outside any request.

use super::context::{Context, Meter};
use super::message::{HeaderSource, Request};
use super::route::RouteInfo;
use super::trace::RequestIds;
use crate::guard::identity::Credential;
use crate::metrics;
use crate::port::{Level, Platform};
use crate::tenancy;

/// Runs `work` outside any request: a cron tick or a queue message. Returns `None` when the
/// configuration is refused, which is logged.
pub async fn in_background<P: Platform, T>(
    platform: &P,
    route: &'static RouteInfo,
    work: impl AsyncFnOnce(&Context<'_, P>) -> T,
) -> Option<T> {
    let mut random = [0; 24];
    let _ = platform.random(&mut random);
    let ids = RequestIds::from_headers(&NoHeaders, random);
    let meter = Meter::default();
    let cx = Context {
        platform,
        request: Request {
            path: route.path,
            query: "",
            headers: &NoHeaders,
            body: &[],
        },
        params: &[],
        route,
        ids: &ids,
        now: platform.now(),
        client: "",
        ready: platform.app().ready().ok(),
        credential: &Credential::None,
        resolver: tenancy::resolve,
        claim: None,
        meter: &meter,
        moved: 0,
    };
    if let Err(problems) = platform.app().ready() {
        cx.log(
            Level::Error,
            "config.refused",
            &[("problems", problems.to_string().into())],
        );
        return None;
    }
    let done = work(&cx).await;
    let counted = meter.counted.take();
    let counted: Vec<_> = counted.into_iter().map(|series| (series, 1)).collect();
    metrics::add(platform, &counted, platform.now());
    Some(done)
}

struct NoHeaders;

impl HeaderSource for NoHeaders {
    fn header(&self, _: &str) -> Option<String> {
        None
    }
}
