//! The path of a request, from top to bottom.

use serde_json::json;

use super::context::{Context, Meter};
use super::error::{Code, Error, Interrupt};
use super::message::{BodyError, Incoming, Method, Reply, Request, Response};
use super::route::{Access, Found, Route, RouteInfo, find};
use super::trace::RequestIds;
use super::{cors, credential, headers, limit, log, measure, track};
use crate::app::Ready;
use crate::config::Feature;
use crate::guard::idempotency::Claim;
use crate::guard::identity::Credential;
use crate::guard::rate_limit::{Caller, Charge, RateClass};
use crate::guard::{abuse, client};
use crate::port::Platform;
use crate::tenancy::{self, Resolver};
use crate::time::{DAY, Millis};

/// One deployable: a table of routes and what answers them.
pub trait Function {
    /// Names its handlers.
    type Action: Copy + 'static;
    /// Name in configuration, logs and paths of deployment.
    const NAME: &'static str;
    /// Its routes.
    const ROUTES: &'static [Route<Self::Action>];
    /// What it answers for a path that is not in its table.
    const ELSEWHERE: Code = Code::RouteNotFound;

    /// How a request without a member names its tenant; a function may have a rule of its own.
    const TENANT: Resolver = tenancy::resolve;

    /// Answers a request that has passed everything before the handler.
    async fn handle<P: Platform>(
        action: Self::Action,
        cx: &Context<'_, P>,
    ) -> Result<Reply, Interrupt>;
}

/// What is known of a request when its answer is finished.
pub(super) struct Progress {
    pub(super) route: Option<&'static RouteInfo>,
    /// Whether the signature of its credential is proof enough.
    pub(super) proven: bool,
    /// Whether it carried an idempotency key.
    pub(super) claimed: bool,
    /// Whether its answer is an earlier one.
    pub(super) replayed: bool,
    pub(super) meter: Meter,
    /// The time of the request.
    pub(super) now: Millis,
    /// How far a test moved the request's clock, in milliseconds.
    moved: i64,
    /// Of its credential: the tenant, as far as it is proven, and the member, key or service.
    pub(super) caller: (Option<String>, Option<String>),
    /// Bytes of its body, once it got as far as to be tracked as usage.
    pub(super) received: Option<usize>,
    /// The limit that refused it.
    pub(super) policy: Option<&'static str>,
}

/// Answers one request. Whatever happens, the answer keeps the contract.
pub async fn serve<F: Function, P: Platform, I: Incoming>(
    platform: &P,
    mut incoming: I,
) -> Response {
    let started = platform.now();
    let mut random = [0; 24];
    // Without randomness the ids are all zeros, and the handler that needs it says 503.
    let _ = platform.random(&mut random);
    let ids = RequestIds::from_headers(&incoming, random);
    let ready = platform.app().ready().ok();
    let now = moved_clock(&incoming, ready, started);
    log::config_once(platform, ready, now);
    let mut progress = Progress {
        route: None,
        proven: false,
        claimed: false,
        replayed: false,
        meter: Meter::default(),
        now,
        moved: now.since(started),
        caller: (None, None),
        received: None,
        policy: None,
    };

    let outcome = answer::<F, P, I>(platform, &mut incoming, &ids, now, &mut progress).await;
    let (mut response, failure) = match outcome {
        Ok(Reply::Raw(response)) => (response, None),
        Ok(Reply::Json {
            status,
            data,
            headers,
            next_cursor,
        }) => {
            let mut response = envelope(status, &data, next_cursor, &ids, now);
            response.headers.extend(headers);
            (response, None)
        }
        Err(error) => {
            let failure = (error.code(), error.cause().map(str::to_owned));
            progress.policy = error.limit().map(|(policy, _)| policy);
            if let Some(ready) = ready {
                watch(platform, ready, &incoming, &error, &progress, now);
            }
            (
                error.into_response(&ids, incoming.path(), now),
                Some(failure),
            )
        }
    };
    if let Some(charge) = &*progress.meter.charge.borrow() {
        response.headers.extend(charge.headers());
    }
    let origins = ready.map_or(&[][..], |ready| &ready.config.cors_origins);
    let origin = cors::allowed_origin(&incoming, origins);
    cors::finish(&mut response, origin.as_deref(), !origins.is_empty());
    headers::finish(&mut response, &ids);
    if ready.is_some_and(|ready| !ready.config.environment.is_strict()) {
        let (sql, kv) = (progress.meter.sql.get(), progress.meter.kv.get());
        let timing = format!("sql;desc=\"{sql}\", kv;desc=\"{kv}\"");
        response.headers.push(("server-timing", timing));
    }
    if incoming.method() == "HEAD" {
        response.body.clear();
    }
    let ended = platform.now();
    let elapsed = ended.since(started);
    let code = failure.as_ref().map(|(code, _)| *code);
    measure::request(
        platform,
        incoming.method(),
        &response,
        &progress,
        code,
        elapsed,
        ended,
    );
    let method = incoming.method();
    track::request(platform, &ids, method, &response, &progress, code, elapsed);
    log::request::<F, P>(
        platform, &ids, &incoming, &response, &progress, failure, elapsed, now,
    );
    response
}

/// The steps before the handler, in their order.
async fn answer<F: Function, P: Platform, I: Incoming>(
    platform: &P,
    incoming: &mut I,
    ids: &RequestIds,
    now: Millis,
    progress: &mut Progress,
) -> Result<Reply, Error> {
    check_version(incoming)?;
    let path = incoming.path().to_owned();
    let (route, params) = match find(F::ROUTES, incoming.method(), &path) {
        Found::Route(route, params) => (route, params),
        Found::OtherMethods(allow) if incoming.method() == "OPTIONS" => {
            return Ok(preflight(platform, incoming, &allow));
        }
        Found::OtherMethods(allow) => {
            let how = format!("This path takes {allow} alone.");
            return Err(Error::new(Code::MethodNotAllowed)
                .with_message(how)
                .with_header("allow", allow));
        }
        Found::Nothing => return Err(Error::new(F::ELSEWHERE)),
    };
    progress.route = Some(&route.info);
    let ready = match platform.app().ready() {
        Ok(ready) => Some(ready),
        Err(_) if !route.info.needs_config => None,
        Err(problems) => return Err(Error::new(Code::NotConfigured).with_cause(problems)),
    };
    if route.info.access == Access::Development
        && ready.is_none_or(|ready| ready.config.environment.is_strict())
    {
        return Err(Error::new(Code::RouteNotFound));
    }
    check_feature(&route.info, ready)?;
    let limit = ready.map_or(1_048_576, |ready| ready.config.max_body_bytes);
    check_length(incoming, limit)?;

    let class = route.info.rate;
    let peer = incoming.client_address().unwrap_or_default();
    let client = match ready {
        Some(ready) => client::of_request(&peer, incoming, &ready.config.trusted_proxies),
        None => String::new(),
    };
    if class != RateClass::Unlimited {
        client::warn_behind_proxy(platform, ready, &peer, now);
    }
    let judged = ready.map_or(Ok(Credential::None), |ready| {
        credential::of_request::<F, _>(ready, incoming, &route.info, now, &progress.meter)
    });
    if let Some(ready) = ready {
        let shown = judged.as_ref().ok();
        let meter = &progress.meter;
        limit::check(platform, ready, class, shown, &client, now, meter).await?;
    }
    // From here on it is tracked as usage: not what a limit has refused, but what a quota will refuse.
    progress.received = (!route.info.quiet).then_some(0);
    let credential = judged?;
    progress.caller = track::caller(&credential, ready);
    progress.proven = matches!(credential, Credential::Service(_));

    let body = read_body(incoming, &route.info, limit).await?;
    progress.received = progress.received.map(|_| body.len());
    let caller = credential.caller().unwrap_or_default();
    let claim = Claim::of(&route.info, incoming, &caller, &path, &body)?;
    progress.claimed = claim.is_some();
    let query = incoming.query().to_owned();
    let request = Request {
        path: &path,
        query: &query,
        headers: incoming,
        body: &body,
    };
    let cx = Context {
        platform,
        request,
        params: &params,
        route: &route.info,
        ids,
        now,
        client: &client,
        ready,
        credential: &credential,
        resolver: F::TENANT,
        claim,
        meter: &progress.meter,
        moved: progress.moved,
    };
    match F::handle(route.action, &cx).await {
        Ok(reply) => cx.check_judged().map(|()| reply),
        Err(Interrupt::Replay(reply)) => {
            let checked = cx.check_judged();
            progress.replayed = true;
            checked.map(|()| reply)
        }
        Err(Interrupt::Error(error)) => Err(cx.told(error)),
    }
}

/// Tells the guards of an error that somebody caused.
fn watch<P: Platform, I: Incoming>(
    platform: &P,
    ready: &Ready,
    incoming: &I,
    error: &Error,
    progress: &Progress,
    now: Millis,
) {
    let source = || {
        let peer = incoming.client_address().unwrap_or_default();
        let client = client::of_request(&peer, incoming, &ready.config.trusted_proxies);
        Caller::address(ready, &client)
    };
    abuse::failed(platform, ready, error.code(), source, now);
    if error.limit().is_some() {
        let charged = progress.meter.charge.borrow();
        let key = charged.as_ref().map_or_else(source, Charge::caller);
        limit::limit_met(platform, ready, error, key, false, now);
    }
}

/// Versions are in the path; the header may repeat it.
fn check_version<I: Incoming>(incoming: &I) -> Result<(), Error> {
    let versioned = incoming.path().strip_prefix("/api/v");
    let other = versioned.is_some_and(|rest| !rest.starts_with("1/"));
    let asked = incoming.header("x-api-version");
    if other || asked.is_some_and(|version| version != headers::API_VERSION) {
        return Err(Error::new(Code::UnsupportedVersion));
    }
    Ok(())
}

/// A route whose feature is off is not there, whoever asks.
fn check_feature(route: &RouteInfo, ready: Option<&Ready>) -> Result<(), Error> {
    let off = |feature: &Feature| ready.is_some_and(|ready| !ready.config.features.on(*feature));
    match route.feature.filter(off) {
        None => Ok(()),
        Some(feature) => Err(Error::new(feature.refusal())),
    }
}

fn preflight<P: Platform, I: Incoming>(platform: &P, incoming: &I, allow: &str) -> Reply {
    let origins = platform
        .app()
        .ready()
        .map_or(&[][..], |ready| &ready.config.cors_origins);
    let origin = cors::allowed_origin(incoming, origins);
    Reply::Raw(cors::preflight(allow, origin.as_deref()))
}

/// Refuses an announced length before anything is buffered.
fn check_length<I: Incoming>(incoming: &I, limit: usize) -> Result<(), Error> {
    if matches!(incoming.method(), "GET" | "HEAD") {
        return Ok(());
    }
    match incoming
        .header("content-length")
        .map(|text| text.parse::<usize>())
    {
        Some(Ok(length)) if length > limit => Err(too_large(limit)),
        Some(Err(_)) => Err(Error::invalid("Content-Length", "Must be a whole number.")),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(Code::BodyTooLarge).with_message(format!("The body may have {limit} bytes."))
}

/// Reads the body of methods that have one, if its type is right.
async fn read_body<I: Incoming>(
    incoming: &mut I,
    route: &RouteInfo,
    limit: usize,
) -> Result<Vec<u8>, Error> {
    if route.method == Method::Get {
        return Ok(Vec::new());
    }
    let content_type = incoming.header("content-type").unwrap_or_default();
    let body = incoming.body(limit).await.map_err(|error| match error {
        BodyError::TooLarge => too_large(limit),
        BodyError::Timeout => Error::new(Code::RequestTimeout),
        BodyError::Broken(why) => Error::new(Code::RequestTimeout).with_cause(why),
    })?;
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let known = essence.eq_ignore_ascii_case("application/json")
        || route
            .media_types
            .iter()
            .any(|known| essence.eq_ignore_ascii_case(known));
    if !known && !body.is_empty() {
        return Err(Error::new(Code::UnsupportedMediaType));
    }
    Ok(body)
}

/// `{"success":true,"data":…,"metadata":{…}}` around data that is serialised already.
fn envelope(
    status: u16,
    data: &str,
    next_cursor: Option<String>,
    ids: &RequestIds,
    now: Millis,
) -> Response {
    let mut metadata = json!({"requestId": ids.request_id, "timestamp": now.rfc3339()});
    if let (Some(object), Some(next)) = (metadata.as_object_mut(), next_cursor) {
        object.insert("nextCursor".to_owned(), next.into());
    }
    let body = format!("{{\"success\":true,\"data\":{data},\"metadata\":{metadata}}}");
    Response::new(status, "application/json", body)
}

/// The platform's time, moved by `X-Test-Clock-Offset-Ms` where `TEST_CLOCK` allows it.
fn moved_clock<I: Incoming>(incoming: &I, ready: Option<&Ready>, now: Millis) -> Millis {
    if !ready.is_some_and(|ready| ready.config.test_clock) {
        return now;
    }
    let offset = incoming
        .header("x-test-clock-offset-ms")
        .and_then(|text| text.parse().ok());
    // Ten years are enough for every rule, and no sum of times leaves what databases can keep.
    now.plus(offset.unwrap_or(0).clamp(-3_650 * DAY, 3_650 * DAY))
}
