//! Access and service tokens (JWT).
//!
//! Access tokens are `EdDSA`, `typ at+jwt` (RFC 9068); their key is derived from `JWT_SECRET`, so
//! other services verify with the published public keys alone. Service tokens are HS256,
//! `typ service+jwt`, for one audience and at most five minutes. A key says by its place which
//! algorithm it is for, so no header can confuse them (RFC 8725, section 3.1).

use std::collections::BTreeMap;

use chrono::Duration;
use ed25519_dalek::{SigningKey, VerifyingKey};
use jwt_compact::alg::{Ed25519, Hs256, Hs256Key};
use jwt_compact::{
    AlgorithmExt as _, Claims, Header, TimeOptions, UntrustedToken, ValidationError,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::refresh::Refresh;
use crate::app::Ready;
use crate::config::{Config, Secret};
use crate::crypto::{base64url, derive_key};
use crate::http::{Code, Error};
use crate::tenancy::Role;
use crate::time::{Millis, SECOND};

/// Lifetime of an access token, in seconds.
pub const ACCESS_SECONDS: i64 = 900;
/// Longest lifetime of a service token, in seconds.
pub const SERVICE_SECONDS: i64 = 300;
/// How far clocks of issuer and verifier may be apart, in seconds.
const LEEWAY_SECONDS: i64 = 5;
/// Longest token that is looked at; ours have less than a quarter of it.
const MAX_LENGTH: usize = 4_096;
const ACCESS_TYPE: &str = "at+jwt";
const SERVICE_TYPE: &str = "service+jwt";

/// The keys of all tokens.
#[derive(Debug)]
pub struct TokenKeys {
    signing: SigningKey,
    kid: String,
    /// Public keys by key id, the current one first.
    verifying: Vec<(String, VerifyingKey)>,
    /// Keys of service tokens, the current one first.
    service: Vec<Hs256Key>,
    /// Keys of refresh tokens, the current one first.
    refresh: Vec<[u8; 32]>,
    /// Keys of signed values in cookies, the current one first.
    pub(super) cookie: Vec<[u8; 32]>,
    /// Keys of what a sign-in through another provider derives from its state, each of the same
    /// secret as its neighbour in `cookie`.
    pub(super) oauth: Vec<[u8; 32]>,
    /// Keys of second factors' secrets at rest, the current one first.
    pub(super) mfa: Vec<[u8; 32]>,
    /// Keys of tokens in mails, the current one first.
    pub(crate) mail: Vec<[u8; 32]>,
    /// The key of hashes of callers, which live for minutes.
    pub(crate) callers: [u8; 32],
}

impl TokenKeys {
    /// Derives every key from the configured secrets.
    pub fn derive(config: &Config) -> Self {
        let signing = signing_key(config.jwt_secret.expose());
        let old = config
            .jwt_old_secrets
            .iter()
            .map(|secret| signing_key(secret.expose()));
        let mut verifying = vec![(key_id(&signing.verifying_key()), signing.verifying_key())];
        verifying.extend(old.map(|key| (key_id(&key.verifying_key()), key.verifying_key())));
        let kid = key_id(&signing.verifying_key());
        let refresh = || {
            core::iter::once(&config.refresh_secret)
                .chain(&config.refresh_old_secrets)
                .map(Secret::expose)
        };
        let service = core::iter::once(&config.service_secret).chain(&config.service_old_secrets);
        Self {
            signing,
            kid,
            verifying,
            service: service
                .map(|secret| Hs256Key::new(derive_key(secret.expose(), "service-jwt")))
                .collect(),
            refresh: refresh()
                .map(|secret| derive_key(secret, "refresh-token"))
                .collect(),
            cookie: refresh()
                .map(|secret| derive_key(secret, "cookie"))
                .collect(),
            oauth: refresh()
                .map(|secret| derive_key(secret, "oauth"))
                .collect(),
            mfa: refresh()
                .map(|secret| derive_key(secret, "mfa-secret"))
                .collect(),
            mail: refresh()
                .map(|secret| derive_key(secret, "mail-token"))
                .collect(),
            callers: derive_key(config.refresh_secret.expose(), "callers"),
        }
    }

    /// The text of a refresh token, by the current key.
    pub(crate) fn seal(&self, token: &Refresh) -> String {
        self.refresh
            .first()
            .map(|key| token.seal(key))
            .unwrap_or_default()
    }

    /// A refresh token that one of the keys made.
    pub(crate) fn open(&self, text: &str) -> Option<Refresh> {
        self.refresh.iter().find_map(|key| Refresh::open(text, key))
    }

    /// The JWK set (RFC 7517) of all keys that still verify.
    pub fn jwks(&self) -> serde_json::Value {
        let keys: Vec<_> = self
            .verifying
            .iter()
            .map(|(kid, key)| {
                serde_json::json!({
                    "kty": "OKP", "crv": "Ed25519", "x": base64url(key.as_bytes()),
                    "kid": kid, "alg": "EdDSA", "use": "sig",
                })
            })
            .collect();
        serde_json::json!({ "keys": keys })
    }
}

fn signing_key(secret: &str) -> SigningKey {
    SigningKey::from_bytes(&derive_key(secret, "access-jwt-ed25519"))
}

/// The key's thumbprint: the hash of its required members in their order (RFC 7638, section 3; RFC 8037,
/// appendix A.3). jwt-compact's sorts the members of any key, which is 5 KB in every function.
fn key_id(key: &VerifyingKey) -> String {
    let x = base64url(key.as_bytes().as_slice());
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    base64url(&Sha256::digest(members.as_bytes()))
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    iss: String,
    aud: String,
    /// The user.
    #[serde(rename = "sub")]
    pub user: String,
    /// The tenant the session is in.
    #[serde(rename = "ten")]
    pub tenant: String,
    /// The session.
    #[serde(rename = "sid")]
    pub session: String,
    /// The role at the time of issue, for services that only read the token.
    pub role: String,
    /// How the holder proved who they are, as in RFC 8176: `pwd`, `otp`, …
    #[serde(default)]
    pub amr: Vec<String>,
    /// Assurance: 1 for one factor, 2 for two.
    #[serde(default)]
    pub aal: u8,
    jti: String,
}

/// What a service token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClaims {
    iss: String,
    aud: String,
    /// The calling service.
    #[serde(rename = "sub")]
    pub caller: String,
}

impl ServiceClaims {
    /// For whoever showed `METRICS_TOKEN`, which says no more.
    pub(crate) fn scraper() -> Self {
        Self {
            iss: String::new(),
            aud: String::new(),
            caller: "metrics".to_owned(),
        }
    }
}

/// Whom an access token is for.
#[derive(Debug)]
pub struct Subject<'a> {
    /// User id.
    pub user: &'a str,
    /// Tenant id.
    pub tenant: &'a str,
    /// Session id.
    pub session: &'a str,
    /// Role name.
    pub role: &'a str,
    /// How the session was proven: RFC 8176 names, blanks between them.
    pub amr: &'a str,
}

/// Assurance of a session that was proven like this: each factor has one name in `amr`.
pub(super) fn assurance(amr: &str) -> u8 {
    if amr.contains(' ') { 2 } else { 1 }
}

/// Makes an access token of 15 minutes. `jti` must be unique.
pub fn issue_access(
    ready: &Ready,
    subject: &Subject<'_>,
    jti: String,
    now: Millis,
) -> Result<String, Error> {
    let config = &ready.config;
    let claims = AccessClaims {
        iss: config.issuer.clone(),
        aud: config.audience.clone(),
        user: subject.user.to_owned(),
        tenant: subject.tenant.to_owned(),
        session: subject.session.to_owned(),
        role: subject.role.to_owned(),
        amr: subject.amr.split(' ').map(str::to_owned).collect(),
        aal: assurance(subject.amr),
        jti,
    };
    let header = Header::empty()
        .with_key_id(&ready.keys.kid)
        .with_token_type(ACCESS_TYPE);
    let claims = lasting(claims, ACCESS_SECONDS, now);
    Ed25519
        .token(&header, &claims, &ready.keys.signing)
        .map_err(not_made)
}

/// Makes a service token for one function, for at most [`SERVICE_SECONDS`].
pub fn issue_service(
    keys: &TokenKeys,
    caller: &str,
    function: &str,
    now: Millis,
) -> Result<String, Error> {
    let claims = ServiceClaims {
        iss: "edgekeep-service".to_owned(),
        aud: format!("edgekeep-{function}"),
        caller: caller.to_owned(),
    };
    let header = Header::empty().with_token_type(SERVICE_TYPE);
    let key = keys.service.first().ok_or_else(|| not_made("no key"))?;
    Hs256
        .token(&header, &lasting(claims, SERVICE_SECONDS, now), key)
        .map_err(not_made)
}

fn lasting<T>(custom: T, seconds: i64, now: Millis) -> Claims<T> {
    let issued = Millis(now.seconds().saturating_mul(SECOND));
    let mut claims = Claims::new(custom).set_not_before(issued.date_time());
    claims.issued_at = Some(issued.date_time());
    claims.expiration = Some(issued.plus(seconds.saturating_mul(SECOND)).date_time());
    claims
}

fn not_made(error: impl core::fmt::Display) -> Error {
    Error::new(Code::Internal).with_cause(format!("token not made: {error}"))
}

fn invalid(why: &'static str) -> Error {
    Error::new(Code::TokenInvalid).with_cause(why)
}

/// Judges an access token; one that this isolate has judged before costs a hash only.
///
/// # Errors
/// `TOKEN_EXPIRED` or `TOKEN_INVALID`.
pub fn verify_access(ready: &Ready, token: &str, now: Millis) -> Result<AccessClaims, Error> {
    let name: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    if let Some(claims) = ready.tokens.borrow().get(&name, now) {
        return Ok(claims);
    }
    let token = parse(token, ACCESS_TYPE)?;
    let kid = token.header().key_id.as_deref();
    let key = ready
        .keys
        .verifying
        .iter()
        .find(|(id, _)| Some(id.as_str()) == kid);
    let (_, key) = key.ok_or_else(|| invalid("unknown kid"))?;
    let token = Ed25519
        .validator::<AccessClaims>(key)
        .validate(&token)
        .map_err(|_| invalid("wrong signature, algorithm or claims"))?;
    let expires = check_times(token.claims(), ACCESS_SECONDS, now)?;
    let claims = &token.claims().custom;
    if claims.iss != ready.config.issuer || claims.aud != ready.config.audience {
        return Err(invalid("another issuer or audience"));
    }
    if Role::parse(&claims.role).is_none() {
        return Err(invalid("unknown role"));
    }
    let claims = claims.clone();
    ready.tokens.borrow_mut().keep(name, &claims, expires);
    Ok(claims)
}

/// Judges a service token for `function`.
///
/// # Errors
/// `TOKEN_EXPIRED` or `TOKEN_INVALID`.
pub fn verify_service(
    ready: &Ready,
    token: &str,
    function: &str,
    now: Millis,
) -> Result<ServiceClaims, Error> {
    let token = parse(token, SERVICE_TYPE)?;
    let by = |key| Hs256.validator::<ServiceClaims>(key).validate(&token).ok();
    let token = ready.keys.service.iter().find_map(by);
    let token = token.ok_or_else(|| invalid("wrong signature, algorithm or claims"))?;
    check_times(token.claims(), SERVICE_SECONDS, now)?;
    let claims = token.claims().custom.clone();
    if claims.iss != "edgekeep-service" || claims.aud != format!("edgekeep-{function}") {
        return Err(invalid("another issuer or audience"));
    }
    Ok(claims)
}

/// A token that nothing has been proven of, but that it has our form.
type Parsed<'t> = UntrustedToken<'t, serde_json::Map<String, serde_json::Value>>;

/// Reads a token of this type. Its header may hold `alg`, `typ` and `kid` alone: `crit` asks for
/// what we do not do (RFC 7515, section 4.1.11), and `jwk`, `jku`, `x5u` and `x5c` bring a key of
/// their own (RFC 8725, section 3.10).
fn parse<'t>(token: &'t str, wanted: &str) -> Result<Parsed<'t>, Error> {
    if token.len() > MAX_LENGTH {
        return Err(invalid("too long"));
    }
    let token = Parsed::try_from(token).map_err(|_| invalid("not a token"))?;
    let header = token.header();
    if header.token_type.as_deref() != Some(wanted) {
        return Err(invalid("another typ"));
    }
    let brings = header.key_set_url.is_some()
        || header.certificate_url.is_some()
        || header.certificate_sha1_thumbprint.is_some()
        || header.certificate_thumbprint.is_some();
    if brings || !header.other_fields.is_empty() {
        return Err(invalid("a header that asks for more"));
    }
    Ok(token)
}

/// Checks `exp`, `nbf` and that the token does not claim a longer life than it may have.
/// Returns the end of its life.
fn check_times<T>(claims: &Claims<T>, longest: i64, now: Millis) -> Result<Millis, Error> {
    let options = TimeOptions::new(Duration::seconds(LEEWAY_SECONDS), || now.date_time());
    claims
        .validate_maturity(&options)
        .map_err(|_| invalid("not valid yet"))?;
    // The end is exact: leeway there would lengthen every life.
    let options = TimeOptions::new(Duration::zero(), || now.date_time());
    claims
        .validate_expiration(&options)
        .map_err(|error| match error {
            ValidationError::Expired => Error::new(Code::TokenExpired),
            _ => invalid("no exp"),
        })?;
    let (Some(issued), Some(end)) = (claims.issued_at, claims.expiration) else {
        return Err(invalid("no iat or exp"));
    };
    if end.signed_duration_since(issued) > Duration::seconds(longest) {
        return Err(invalid("too long a life"));
    }
    Ok(Millis(end.timestamp_millis()))
}

/// Access tokens that were judged before, by their SHA-256, until they expire.
#[derive(Debug, Default)]
pub struct TokenCache(BTreeMap<[u8; 32], (Millis, AccessClaims)>);

impl TokenCache {
    const MAX: usize = 2_048;

    fn get(&self, name: &[u8; 32], now: Millis) -> Option<AccessClaims> {
        let (expires, claims) = self.0.get(name)?;
        (*expires > now).then(|| claims.clone())
    }

    fn keep(&mut self, name: [u8; 32], claims: &AccessClaims, expires: Millis) {
        if self.0.len() >= Self::MAX {
            self.0.clear();
        }
        self.0.insert(name, (expires, claims.clone()));
    }
}

#[cfg(test)]
mod tests;
