//! The path of a request, from top to bottom.

use serde_json::{Value as Json, json};

use super::context::{Context, Meter};
use super::error::{Code, Error, Interrupt};
use super::message::{BodyError, Incoming, Method, Reply, Request, Response};
use super::route::{Access, Found, Route, RouteInfo, find};
use super::trace::RequestIds;
use super::{cors, headers};
use crate::app::Ready;
use crate::auth::{cookie, token};
use crate::guard::client;
use crate::guard::idempotency::Claim;
use crate::guard::identity::{Credential, Presented};
use crate::guard::rate_limit::{self, Caller, Decision, RateClass};
use crate::organizations::api_keys::key as api_key;
use crate::port::{Level, Platform};
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

    /// Answers a request that has passed everything before the handler.
    async fn handle<P: Platform>(
        action: Self::Action,
        cx: &Context<'_, P>,
    ) -> Result<Reply, Interrupt>;
}

/// What is known of a request when its answer is finished.
struct Progress {
    route: Option<&'static RouteInfo>,
    decision: Option<Decision>,
    meter: Meter,
    /// How far a test moved the request's clock, in milliseconds.
    moved: i64,
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
    log_config_once(platform, ready, now);
    let mut progress = Progress {
        route: None,
        decision: None,
        meter: Meter::default(),
        moved: now.since(started),
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
            (
                error.into_response(&ids, incoming.path(), now),
                Some(failure),
            )
        }
    };
    if let Some(decision) = progress.decision {
        response.headers.extend(decision.headers(now));
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
    let elapsed = platform.now().since(started);
    log_request::<F, P>(
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
            return Err(Error::new(Code::MethodNotAllowed).with_header("allow", allow));
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
        credential(ready, incoming, &route.info, F::NAME, now)
    });
    let caller = judged.as_ref().ok().and_then(Credential::caller);
    // Who is not known yet counts by address, so that wrong tokens and made-up keys are limited.
    let known = judged
        .as_ref()
        .is_ok_and(|credential| is_known(credential, ready));
    let limited = match &caller {
        Some(caller) if known => Caller::new(caller),
        _ => Caller::address(&client),
    };
    progress.decision = rate_limit::check(platform, class, limited, now, &progress.meter.kv).await;
    if let Some(decision) = progress.decision.filter(|decision| !decision.allowed) {
        return Err(Error::new(Code::RateLimited).with_retry_after(decision.retry_seconds));
    }
    let credential = judged?;

    let body = read_body(incoming, &route.info, limit).await?;
    let caller = caller.unwrap_or_default();
    let claim = Claim::of(&route.info, incoming, &caller, &path, &body)?;
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
        claim,
        meter: &progress.meter,
        moved: progress.moved,
    };
    match F::handle(route.action, &cx).await {
        Ok(reply) | Err(Interrupt::Replay(reply)) => Ok(reply),
        Err(Interrupt::Error(error)) => Err(error),
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

/// Judges the credential as far as cryptography goes; the rows behind it are read with the
/// handler's own ([`Context::load`]).
fn credential<I: Incoming>(
    ready: &Ready,
    incoming: &I,
    route: &RouteInfo,
    function: &str,
    now: Millis,
) -> Result<Credential, Error> {
    let (member, key, service) = match route.access {
        Access::Public | Access::Signed | Access::Development => return Ok(Credential::None),
        Access::Member(_) => (true, false, false),
        Access::Key(..) => (false, true, false),
        Access::MemberOrKey(..) => (true, true, false),
        Access::Service => (false, false, true),
    };
    let token = match Presented::read(incoming)? {
        Presented::Bearer(token) => token,
        Presented::Cookie(token) if member => {
            let claims = token::verify_access(ready, &token, now)?;
            if route.method != Method::Get {
                let origins = &ready.config.cors_origins;
                cookie::check_csrf(&ready.keys, incoming, &claims.session, origins)?;
            }
            return Ok(Credential::Member(claims));
        }
        Presented::Cookie(_) | Presented::None => return Err(Error::new(Code::AuthRequired)),
    };
    if key && api_key::looks_like(&token) {
        return api_key::read(&token).map(Credential::Key);
    }
    if api_key::looks_like(&token) {
        // Keys cannot make keys, nor do what is for people or services.
        api_key::read(&token)?;
        let why = "API keys may not be used for this.";
        return Err(Error::new(Code::Forbidden).with_message(why));
    }
    if member {
        return token::verify_access(ready, &token, now).map(Credential::Member);
    }
    if service {
        return token::verify_service(ready, &token, function, now).map(Credential::Service);
    }
    // Only routes for keys alone are left.
    let wanted = "This route takes an API key (ek_…), not an access token.";
    Err(Error::new(Code::ApiKeyInvalid).with_message(wanted))
}

/// Whether the credential is proven: tokens by their signature, API keys by having been let in
/// before, because anyone can make up a key with a right checksum.
fn is_known(credential: &Credential, ready: Option<&Ready>) -> bool {
    match credential {
        Credential::None => false,
        Credential::Member(_) | Credential::Service(_) => true,
        Credential::Key(key) => {
            ready.is_some_and(|ready| ready.key_tenants.borrow().get(&key.secret_hash).is_some())
        }
    }
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

/// Logs what is set and what production would refuse, with the first request of an isolate.
fn log_config_once<P: Platform>(platform: &P, ready: Option<&Ready>, now: Millis) {
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

#[expect(
    clippy::too_many_arguments,
    reason = "private, called once, and all of it is one line"
)]
fn log_request<F: Function, P: Platform>(
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
