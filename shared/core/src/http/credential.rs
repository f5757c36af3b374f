//! Which credential a request carries, judged as far as cryptography goes.

use super::context::Meter;
use super::error::{Code, Error};
use super::message::{Incoming, Method};
use super::route::{Access, RouteInfo, takes_members};
use super::serve::Function;
use crate::app::Ready;
use crate::auth::token::{AccessClaims, ServiceClaims};
use crate::auth::{cookie, token};
use crate::config::Feature;
use crate::crypto::same;
use crate::guard::identity::{Credential, Presented};
use crate::organizations::api_keys::key as api_key;
use crate::time::Millis;

/// Judges the credential as far as cryptography goes; the rows behind it are read with the
/// handler's own ([`super::Context::load`]).
pub(super) fn of_request<F: Function, I: Incoming>(
    ready: &Ready,
    incoming: &I,
    route: &RouteInfo,
    now: Millis,
    meter: &Meter,
) -> Result<Credential, Error> {
    let (member, key, service) = match route.access {
        Access::Public | Access::Signed | Access::Development => return Ok(Credential::None),
        Access::Member(_) => (true, false, false),
        Access::Key(..) => (false, true, false),
        Access::MemberOrKey(..) => (true, true, false),
        Access::Service | Access::Scraper => (false, false, true),
    };
    meter.presented.set(Some("other"));
    let presented = Presented::read(incoming)?;
    meter.presented.set(Some(kind(&presented, service)));
    let token = match presented {
        Presented::Bearer(token) => token,
        Presented::Cookie(token) if member => {
            let claims = access::<F>(ready, &token, now)?;
            if route.method != Method::Get {
                let origins = &ready.config.cors_origins;
                cookie::check_csrf(&ready.keys, incoming, &claims.session, origins)?;
            }
            return Ok(Credential::Member(claims));
        }
        Presented::Cookie(_) | Presented::None => {
            let how = match (member, key) {
                (true, _) => "Sign in required: send authorization: Bearer <token>.",
                (false, true) => "This route takes an API key: send authorization: Bearer ek_….",
                (false, false) => {
                    "This route takes a service token: send authorization: Bearer <token>."
                }
            };
            return Err(Error::new(Code::AuthRequired).with_message(how));
        }
    };
    if api_key::looks_like(&token) && !ready.config.features.on(Feature::ApiKeys) {
        let off = "API keys are turned off here.";
        return Err(Error::new(Code::ApiKeyInvalid).with_message(off));
    }
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
        return access::<F>(ready, &token, now).map(Credential::Member);
    }
    if route.access == Access::Scraper && is_scraper(ready, &token) {
        return Ok(Credential::Service(ServiceClaims::scraper()));
    }
    if service {
        // Services have no sessions: nobody is to sign in again, nor to refresh.
        return token::verify_service(ready, &token, F::NAME, now)
            .map(Credential::Service)
            .map_err(|error| error.with_message("Use a service token that is valid for this."));
    }
    // Only routes for keys alone are left.
    let wanted = "This route takes an API key (ek_…), not an access token.";
    Err(Error::new(Code::ApiKeyInvalid).with_message(wanted))
}

/// Verifies an access token. Signatures are 10 KB of a function, and some have no route for members.
fn access<F: Function>(ready: &Ready, token: &str, now: Millis) -> Result<AccessClaims, Error> {
    if const { takes_members(F::ROUTES) } {
        token::verify_access(ready, token, now)
    } else {
        Err(Error::new(Code::AuthRequired))
    }
}

/// The kind of credential as a label, whatever it is worth.
fn kind(presented: &Presented, service: bool) -> &'static str {
    match presented {
        Presented::None => "none",
        Presented::Cookie(_) => "cookie",
        Presented::Bearer(token) if api_key::looks_like(token) => "api_key",
        Presented::Bearer(_) if service => "service_token",
        Presented::Bearer(_) => "access_token",
    }
}

/// Whether it is `METRICS_TOKEN`. All that count are compared, whichever fits.
fn is_scraper(ready: &Ready, token: &str) -> bool {
    let known = ready.config.metrics_tokens.iter();
    known.fold(false, |found, secret| {
        found | same(secret.expose().as_bytes(), token.as_bytes())
    })
}

/// The tenant of a caller before the database was asked: signed in the token, or learnt when the key was
/// let in (a key never changes its tenant).
pub(super) fn known_tenant(credential: &Credential, ready: &Ready) -> Option<String> {
    match credential {
        Credential::Member(claims) => Some(claims.tenant.clone()),
        Credential::Key(key) => ready.key_tenants.borrow().get(&key.secret_hash).cloned(),
        Credential::None | Credential::Service(_) => None,
    }
}

/// Whether the credential is proven: tokens by their signature, API keys by having been let in
/// before, because anyone can make up a key with a right checksum.
pub(super) fn is_known(credential: &Credential, ready: &Ready) -> bool {
    matches!(credential, Credential::Service(_)) || known_tenant(credential, ready).is_some()
}
