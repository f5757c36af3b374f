//! `POST /api/v1/auth/token/exchange`: another issuer's token for a session of ours.

use serde_json::{Map, Value as Json};

use super::issuer::{Issuer, Proof, claim};
use super::jose::Token;
use super::keys;
use crate::auth::oauth::account::{Way, enter_by};
use crate::auth::oauth::profile::{Person, person};
use crate::auth::session::{EXCHANGED, Keep};
use crate::fields::Fields;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::Platform;
use crate::time::Millis;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:jwt",
];
/// Longest token that is read.
const MAX_CHARS: usize = 16_384;
/// How far the issuer's clock may be from ours, in seconds.
const LEEWAY_SECONDS: i64 = 60;

/// Starts a session for whoever another issuer's token names.
pub(super) async fn exchange<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let grant = fields.text("grant_type", 1, 100)?;
    let text = fields.text("subject_token", 1, MAX_CHARS)?;
    let kind = fields.text("subject_token_type", 1, 100)?;
    let keep = Keep::read(&mut fields)?;
    fields.finish()?;
    if grant != GRANT {
        return Err(Error::invalid("grant_type", format!("Must be {GRANT}.")).into());
    }
    if !TYPES.contains(&kind.as_str()) {
        let rule = format!("Must be {} or {}.", TYPES[0], TYPES[1]);
        return Err(Error::invalid("subject_token_type", rule).into());
    }

    let refused = |why: &'static str| Error::new(Code::TokenInvalid).with_cause(why);
    let token = Token::parse(&text).ok_or_else(|| refused("not a token"))?;
    let named = claim(&token.claims, "iss").and_then(Json::as_str);
    let issuers = issuers(cx)?;
    let issuer = issuers
        .iter()
        .find(|known| Some(known.name.as_str()) == named);
    let issuer = issuer.ok_or_else(|| refused("unknown issuer"))?;
    // Its claims cost nothing to judge; the issuer is asked for keys only for what could hold.
    let (person, tenant) = judge(&token.claims, issuer, cx.now)?;
    let proven = match &issuer.proof {
        Proof::Secret(secret) => token.is_made_with(secret.expose()),
        Proof::Keys(url) => {
            let kid = token
                .header
                .kid
                .as_deref()
                .ok_or_else(|| refused("no kid"))?;
            token.is_signed_by(&keys::find(cx, issuer, url, kid).await?)
        }
    };
    if !proven {
        return Err(refused("wrong signature or algorithm").into());
    }
    let way = Way {
        provider: &issuer.id,
        amr: EXCHANGED,
        keep,
        create: issuer.create,
        tenant: tenant.as_deref(),
    };
    Ok(enter_by(cx, &way, &person).await?)
}

/// The allowlist, read when it is first used: only this function needs it, and every other one would
/// carry the code that reads it.
///
/// # Errors
/// `NOT_CONFIGURED` where `EXTERNAL_ISSUERS` is wrong; the log says how.
fn issuers<'c, P: Platform>(cx: &'c Context<'_, P>) -> Result<&'c [Issuer], Error> {
    let ready = cx.ready()?;
    let read = || Issuer::configured(&ready.config);
    let refused = |why: &String| Error::new(Code::NotConfigured).with_cause(why);
    ready.issuers.get_or_init(read).as_deref().map_err(refused)
}

/// Whom the claims name, and the tenant where they want to go: if issuer, audience and times are
/// right.
fn judge(
    claims: &Map<String, Json>,
    issuer: &Issuer,
    now: Millis,
) -> Result<(Person, Option<String>), Error> {
    let refused = |why: &'static str| Error::new(Code::TokenInvalid).with_cause(why);
    let ours = match claims.get("aud") {
        Some(Json::String(one)) => *one == issuer.audience,
        Some(Json::Array(all)) => all
            .iter()
            .any(|one| one.as_str() == Some(issuer.audience.as_str())),
        _ => false,
    };
    if !ours {
        return Err(refused("for somebody else"));
    }
    let moment = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => seconds(value)
            .map(Some)
            .ok_or_else(|| refused("an odd time")),
    };
    let (seconds, latest) = (now.seconds(), now.seconds().saturating_add(LEEWAY_SECONDS));
    let end = moment("exp")?.ok_or_else(|| refused("no exp"))?;
    if end <= seconds {
        let again = "This token has expired; get a new one from its issuer.";
        return Err(Error::new(Code::TokenExpired).with_message(again));
    }
    if moment("nbf")?.is_some_and(|time| time > latest)
        || moment("iat")?.is_some_and(|time| time > latest)
    {
        return Err(refused("not valid yet"));
    }
    let text = |name: &str| {
        claim(claims, name)
            .and_then(Json::as_str)
            .map(str::to_owned)
    };
    let subject = text(&issuer.claims.subject).ok_or_else(|| refused("no subject"))?;
    let verified = claim(claims, &issuer.claims.email_verified) == Some(&Json::Bool(true));
    let email = text(&issuer.claims.email).filter(|_| verified);
    let person = person(subject, email).map_err(|_| refused("an odd subject"))?;
    let tenant = match &issuer.claims.tenant {
        None => None,
        Some(name) => Some(text(name).ok_or_else(|| refused("no tenant"))?),
    };
    Ok((person, tenant))
}

/// A time of RFC 7519: seconds, with a fraction or without.
fn seconds(value: &Json) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the range, and what is less than a second does not matter"
    )]
    let whole = |number: f64| (number.abs() < 1e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

#[cfg(test)]
mod tests;
