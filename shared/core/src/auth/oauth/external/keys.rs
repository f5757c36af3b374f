//! The published keys of issuers.
//!
//! A token with a key id that nobody has heard of makes us ask the issuer again, because keys
//! are rolled; and anybody can make up key ids, so we ask at most once a minute, all isolates
//! together, however many there are.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::issuer::Issuer;
use super::jose::Jwk;
use crate::cache::{self, Kind};
use crate::guard::exact_limit::{JWKS_AGAIN, JWKS_FIRST};
use crate::http::{Code, Context, Error};
use crate::outbound::{self, ISSUER};
use crate::port::Platform;

/// Keys of one issuer that are looked at.
const MAX_KEYS: usize = 50;

/// Sets of keys. One that an issuer withdrew works for as long as documents are used.
static KEYS: Kind = Kind {
    name: "jwks",
    target: &ISSUER,
    check: |text, _| keys(text).map(|_| ()),
    limits: Some([&JWKS_FIRST, &JWKS_AGAIN]),
};

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
    loop {
        let set = cache::document(cx, &KEYS, &issuer.id, url).await?;
        if let Some(key) = key(&set.text, kid)? {
            return Ok(key);
        }
        if !cache::invalidate(cx, &KEYS, &issuer.id) {
            return Err(Error::new(Code::TokenInvalid).with_cause("unknown kid"));
        }
    }
}

/// The key with that id, if it is one that we can use. Keys of other kinds stand beside those (RFC
/// 7517, section 5).
fn key(set: &str, kid: &str) -> Result<Option<Jwk>, Error> {
    let usable = |key: &RawValue| {
        let key: Jwk = serde_json::from_str(key.get()).ok()?;
        (key.kid.as_deref() == Some(kid) && key.algorithm().is_some()).then_some(key)
    };
    Ok(keys(set)?.into_iter().take(MAX_KEYS).find_map(usable))
}

fn keys(set: &str) -> Result<Vec<&RawValue>, Error> {
    #[derive(Deserialize)]
    struct Published<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    let published: Published<'_> =
        serde_json::from_str(set).map_err(|_| outbound::failed("JWKS: not a set of keys"))?;
    Ok(published.keys)
}
