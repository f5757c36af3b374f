//! Every call of another service: within its time, repeated where that is harmless, and behind a
//! circuit breaker (docs/resilience.md).
//!
//! There is one breaker for each target and host. Instances tell each other by the key-value store,
//! because many of them live for a few requests only.

mod breakers;

pub use breakers::Breakers;

use core::fmt;

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::guard::breaker::State;
use crate::http::{Code, Context, Error};
use crate::key_value;
use crate::metrics;
use crate::port::{
    Again, Level, Outbound as _, OutboundError, OutboundRequest, OutboundResponse, Platform,
};
use crate::time::SECOND;

/// A kind of service that we call.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its name in metrics, in the log and in the key-value store.
    pub(crate) name: &'static str,
    /// How long it may take, all attempts together, in milliseconds.
    patience_ms: u32,
    /// Attempts at most, for requests that may be repeated.
    attempts: u32,
    /// Answers below 500 after which the same request may succeed.
    busy: &'static [u16],
}

/// Providers to sign in through.
pub(crate) static PROVIDER: Target = Target::new("oauth_provider", 10_000, 2);
/// Issuers whose tokens are exchanged.
pub(crate) static ISSUER: Target = Target::new("token_issuer", 5_000, 2);
/// Have I Been Pwned; somebody waits for it.
pub(crate) static BREACHES: Target = Target::new("breach_check", 1_500, 2);
/// The mail provider: what fails is repeated from the table of mails.
pub(crate) static MAIL: Target = Target::new("mail", 10_000, 1);
/// Stripe's API. It answers 409 while the same key or object is at work, and 429 to too many at once
/// (docs.stripe.com/error-low-level).
pub(crate) static STRIPE: Target = Target {
    busy: &[409, 429],
    ..Target::new("stripe", 10_000, 3)
};

/// All of them.
pub(crate) static TARGETS: [&Target; 5] = [&PROVIDER, &ISSUER, &BREACHES, &MAIL, &STRIPE];

/// Headers of a request: names in lower case, and values.
type Headers = Vec<(&'static str, String)>;

impl Target {
    const fn new(name: &'static str, patience_ms: u32, attempts: u32) -> Self {
        Self {
            name,
            patience_ms,
            attempts,
            busy: &[],
        }
    }

    /// A request that only reads.
    pub(crate) const fn get(&self, url: String, headers: Headers) -> OutboundRequest {
        self.request("GET", url, headers, Vec::new())
    }

    /// A request that does something.
    pub(crate) const fn post(
        &self,
        url: String,
        headers: Headers,
        body: Vec<u8>,
    ) -> OutboundRequest {
        self.request("POST", url, headers, body)
    }

    /// A request by any method.
    pub(crate) const fn request(
        &self,
        method: &'static str,
        url: String,
        headers: Headers,
        body: Vec<u8>,
    ) -> OutboundRequest {
        OutboundRequest {
            method,
            url,
            headers,
            body,
            timeout_ms: self.patience_ms,
        }
    }
}

/// Why there is no answer below 500.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing within the time given.
    Timeout,
    /// Unreachable, broken off, or a 5xx; the text is for the log.
    Failed(String),
    /// It was not asked, because it fails; it will be in so many seconds.
    Open(u32),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timed out",
            Self::Failed(why) => why,
            Self::Open(_) => "not asked: it has failed several times in a row",
        })
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let (code, seconds) = match failure {
            Failure::Timeout => (Code::UpstreamTimeout, 5),
            Failure::Failed(_) => (Code::UpstreamFailed, 5),
            Failure::Open(seconds) => (Code::UpstreamFailed, seconds),
        };
        Self::new(code)
            .with_retry_after(seconds)
            .with_cause(failure)
    }
}

/// `UPSTREAM_FAILED`, with a cause for the log.
pub(crate) fn failed(why: &str) -> Error {
    Failure::Failed(why.to_owned()).into()
}

/// Reads JSON. The parser's own message could quote a token, so it is not told.
///
/// # Errors
/// `UPSTREAM_FAILED` when it is something else.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| failed("the answer is not as expected"))
}

/// Fetches a JSON document.
///
/// # Errors
/// `UPSTREAM_TIMEOUT`; `UPSTREAM_FAILED` for everything that is not a 200.
pub(crate) async fn fetch<P: Platform>(
    cx: &Context<'_, P>,
    target: &'static Target,
    url: String,
    mut headers: Headers,
) -> Result<Vec<u8>, Error> {
    headers.push(("accept", "application/json".to_owned()));
    let response = call(cx, target, target.get(url, headers)).await?;
    match response.status {
        200 => Ok(response.body),
        status => Err(failed(&status_text(status))),
    }
}

fn status_text(status: u16) -> String {
    let mut text = "status ".to_owned();
    text.push_str(&status.to_string());
    text
}

/// Sends a request and waits for its answer, which is below 500.
pub(crate) async fn call<P: Platform>(
    cx: &Context<'_, P>,
    target: &'static Target,
    request: OutboundRequest,
) -> Result<OutboundResponse, Failure> {
    let host = breakers::host(&request.url);
    look(cx, target).await;
    let Ok(ready) = cx.ready() else {
        return Err(Failure::Failed("not configured".to_owned()));
    };
    let admitted = ready
        .breakers
        .borrow_mut()
        .admit(target.name, &host, cx.clock());
    match admitted {
        Ok(State::HalfOpen) => {
            cx.count(metrics::breaker_transitions(target.name, "half_open"));
            tell(cx, target);
        }
        Ok(_) => {}
        Err(wait) => {
            cx.count(metrics::breaker_rejections(target.name));
            let seconds = wait.saturating_add(SECOND - 1).div_euclid(SECOND);
            return Err(Failure::Open(u32::try_from(seconds).unwrap_or(30)));
        }
    }
    let result = attempts(cx, target, request).await;
    let failing = result.is_err();
    let mut breakers = ready.breakers.borrow_mut();
    let (changed, state) = breakers.settle(target.name, &host, failing, cx.clock());
    drop(breakers);
    if let Some(state) = state {
        let name = state.name();
        cx.count(metrics::breaker_transitions(target.name, name));
        let fields = [("target", json!(target.name)), ("state", json!(name))];
        cx.log(Level::Warn, "breaker.changed", &fields);
    }
    // Where an instance ends after a few requests, the next one has to go on with its count.
    if state.is_some() || changed && !P::LASTS {
        tell(cx, target);
    }
    result
}

/// Sends it until there is an answer, the attempts are used up, or the time is. An answer may say itself whether
/// and when to ask again; who would have to wait longer than the time that is left is not asked again.
async fn attempts<P: Platform>(
    cx: &Context<'_, P>,
    target: &'static Target,
    mut request: OutboundRequest,
) -> Result<OutboundResponse, Failure> {
    let started = cx.platform.now();
    let harmless = matches!(request.method, "GET" | "HEAD" | "DELETE")
        || request
            .headers
            .iter()
            .any(|(name, _)| *name == "idempotency-key");
    let mut left = if harmless { target.attempts } else { 1 };
    let mut longer = 0_u32;
    loop {
        left = left.saturating_sub(1);
        let sent = cx.platform.outbound().send(request.clone()).await;
        let said = sent.as_ref().map_or(Again::default(), |told| told.again);
        let (outcome, result) = judge(sent);
        let took = cx.platform.now().since(started);
        cx.count(metrics::outbound_requests(target.name, outcome));
        // Whoever waited in vain has waited long enough.
        let again = said.wanted.unwrap_or(match &result {
            Ok(response) => target.busy.contains(&response.status),
            Err(failure) => matches!(failure, Failure::Failed(_)),
        });
        let again = again && left > 0;
        let asked = said.after.unwrap_or(0).saturating_mul(1_000);
        let pause = (pause(cx) << longer).saturating_add(asked);
        longer = longer.saturating_add(1).min(4);
        let rest = i64::from(target.patience_ms)
            .saturating_sub(took)
            .saturating_sub(i64::from(pause));
        if !again || rest <= 0 {
            let counted = metrics::bucket(metrics::outbound_duration, target.name, took);
            metrics::add(cx.platform, &counted, cx.platform.now());
            return result;
        }
        cx.platform.sleep(pause).await;
        request.timeout_ms = u32::try_from(rest).unwrap_or(target.patience_ms);
    }
}

/// How an attempt ended, in a word for the metrics. A 4xx is the caller's mistake, not a failure.
fn judge(
    sent: Result<OutboundResponse, OutboundError>,
) -> (&'static str, Result<OutboundResponse, Failure>) {
    match sent {
        Ok(response) if response.status >= 500 => {
            let why = status_text(response.status);
            ("failure", Err(Failure::Failed(why)))
        }
        Ok(response) if response.status >= 400 => ("refused", Ok(response)),
        Ok(response) => ("success", Ok(response)),
        Err(OutboundError::Timeout) => ("timeout", Err(Failure::Timeout)),
        Err(OutboundError::Failed(why)) => ("failure", Err(Failure::Failed(why))),
    }
}

/// Between 50 and 114 milliseconds before the second attempt, each further pause twice as long, so
/// that those who failed together do not come together again.
fn pause<P: Platform>(cx: &Context<'_, P>) -> u32 {
    let mut random = [0];
    let _ = cx.platform.random(&mut random);
    let [byte] = random;
    u32::from(byte).div_euclid(4).saturating_add(50)
}

/// Learns what other instances know of this target, if this one has not looked for a while.
pub(crate) async fn look<P: Platform>(cx: &Context<'_, P>, target: &'static Target) {
    let Ok(ready) = cx.ready() else { return };
    let now = cx.clock();
    if !ready.breakers.borrow_mut().is_due(target.name, now) {
        return;
    }
    if let Some(text) = key_value::get(cx.platform, &key(target), now).await {
        ready.breakers.borrow_mut().learn(target.name, &text, now);
    }
}

/// Tells other instances, after the answer: nobody waits for it.
fn tell<P: Platform>(cx: &Context<'_, P>, target: &'static Target) {
    let Ok(ready) = cx.ready() else { return };
    let now = cx.clock();
    let text = ready.breakers.borrow().told(target.name, now);
    key_value::put_later(cx.platform, key(target), text, breakers::LIFE_SECONDS, now);
}

fn key(target: &Target) -> String {
    let mut key = "cb:".to_owned();
    key.push_str(target.name);
    key
}
