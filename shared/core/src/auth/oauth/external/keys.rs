//! The published keys of issuers: in this isolate, then in KV, then from the issuer.
//!
//! A token with a key id that nobody has heard of makes us ask the issuer again, because keys
//! are rolled; and anybody can make up key ids, so we ask at most once a minute, all isolates
//! together, however many there are.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::issuer::Issuer;
use super::jose::Jwk;
use crate::crypto::fingerprint;
use crate::guard::exact_limit::{JWKS_AGAIN, JWKS_FIRST};
use crate::http::{Code, Context, Error};
use crate::key_value;
use crate::outbound::{self, ISSUER};
use crate::port::Platform;
use crate::time::{HOUR, MINUTE, Millis};

/// How long keys are used before the issuer is asked again: a key that it withdrew works so long.
const LIFE: i64 = HOUR;
/// The same, as a lifetime in KV, in seconds.
const LIFE_SECONDS: u32 = 3_600;
/// Keys of one issuer that are kept.
const MAX_KEYS: usize = 50;

/// The keys of an issuer, as they were published at a moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeySet {
    keys: Vec<Jwk>,
    fetched_at: i64,
    /// When this isolate last looked further than itself.
    #[serde(default)]
    looked_at: i64,
}

impl KeySet {
    fn find(&self, kid: &str) -> Option<Jwk> {
        let found = self.keys.iter().find(|key| key.kid.as_deref() == Some(kid));
        found.cloned()
    }

    fn is_fresh(&self, now: Millis) -> bool {
        now.since(Millis(self.fetched_at)).abs() < LIFE
    }
}

/// The issuer's key with that id.
///
/// # Errors
/// `TOKEN_INVALID` for an id that the issuer does not publish, or did not when it was last asked;
/// `UPSTREAM_FAILED` and `UPSTREAM_TIMEOUT` when there are no keys and the issuer does not answer.
pub(super) async fn find<P: Platform>(
    cx: &Context<'_, P>,
    issuer: &Issuer,
    url: &str,
    kid: &str,
) -> Result<Jwk, Error> {
    let unknown = || Error::new(Code::TokenInvalid).with_cause("unknown kid");
    let cache = &cx.ready()?.issuer_keys;
    let known = cache.borrow().get(&issuer.id).cloned();
    let known = known.filter(|set| set.is_fresh(cx.now));
    if let Some(set) = &known {
        if let Some(key) = set.find(kid) {
            return Ok(key);
        }
        if cx.now.since(Millis(set.looked_at)).abs() < MINUTE {
            return Err(unknown());
        }
    }
    let keep = |mut set: KeySet| {
        set.looked_at = cx.now.0;
        let found = set.find(kid);
        cache.borrow_mut().insert(issuer.id.clone(), set);
        found
    };
    let stored = stored(cx, url).await;
    let newer = |set: &KeySet| {
        known
            .as_ref()
            .is_none_or(|known| set.fetched_at > known.fetched_at)
    };
    let set = stored.filter(newer).or(known);
    let again = set.is_some();
    if let Some(key) = set.and_then(keep) {
        return Ok(key);
    }
    let rule = if again { JWKS_AGAIN } else { JWKS_FIRST };
    let rows = cx.query(rule.hit(&issuer.id, cx.now)).await?;
    match rule.judge(&rows, cx.now) {
        Ok(()) => {}
        Err(_) if again => return Err(unknown()),
        Err(error) => return Err(error),
    }
    let set = fetch(cx, url).await?;
    store(cx, url, &set).await;
    keep(set).ok_or_else(unknown)
}

fn kv_key(url: &str) -> String {
    format!("jwks:{}", fingerprint(url))
}

/// What an isolate fetched before; a failing KV only costs a request to the issuer.
async fn stored<P: Platform>(cx: &Context<'_, P>, url: &str) -> Option<KeySet> {
    let text = key_value::get(cx.platform, &kv_key(url), cx.now).await?;
    let set: KeySet = serde_json::from_str(&text).ok()?;
    set.is_fresh(cx.now).then_some(set)
}

/// Waits for it: on Spin the next request has nothing but this.
async fn store<P: Platform>(cx: &Context<'_, P>, url: &str, set: &KeySet) {
    if let Ok(text) = serde_json::to_string(set) {
        key_value::put(cx.platform, &kv_key(url), &text, LIFE_SECONDS, cx.now).await;
    }
}

async fn fetch<P: Platform>(cx: &Context<'_, P>, url: &str) -> Result<KeySet, Error> {
    #[derive(Deserialize)]
    struct Published<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    let body = outbound::fetch(cx, &ISSUER, url.to_owned(), Vec::new()).await?;
    let published: Published<'_> =
        serde_json::from_slice(&body).map_err(|_| outbound::failed("JWKS: not a set of keys"))?;
    // Keys of other kinds stand beside those that we can use (RFC 7517, section 5).
    let usable = |key: &RawValue| {
        let key: Jwk = serde_json::from_str(key.get()).ok()?;
        (key.kid.is_some() && key.algorithm().is_some()).then_some(key)
    };
    let keys = published.keys.into_iter().filter_map(usable);
    Ok(KeySet {
        keys: keys.take(MAX_KEYS).collect(),
        fetched_at: cx.now.0,
        looked_at: cx.now.0,
    })
}
