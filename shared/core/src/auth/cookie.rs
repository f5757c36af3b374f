//! Signed values, and the cookies of browser sessions.
//!
//! A browser can keep its session in cookies instead of script's reach: the access and refresh
//! tokens in `HttpOnly` cookies, and a CSRF token that the page reads and repeats in a header
//! (signed double submit, OWASP CSRF Prevention Cheat Sheet). The `__Host-` prefix binds a
//! cookie to this very host over HTTPS (RFC 6265bis, section 4.1.3.2).

use super::token::{ACCESS_SECONDS, TokenKeys};
use crate::crypto::{base64url, from_base64url, hmac_sha256, same};
use crate::http::{Code, Error, HeaderSource, Reply};
use crate::time::SECOND;

/// The access token; sent with every request to this host.
pub(crate) const ACCESS: &str = "__Host-ek_access";
/// The refresh token.
pub(crate) const REFRESH: &str = "__Host-ek_refresh";
/// The pre-token of a sign-in that waits for its second factor.
pub(crate) const MFA: &str = "__Host-ek_mfa";
/// The CSRF token, which the page must be able to read.
pub(crate) const CSRF: &str = "__Host-ek_csrf";
/// Where the page repeats it.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";

/// `value.mac`: what nobody without a key can make for this purpose.
pub(crate) fn sign(keys: &TokenKeys, purpose: &str, value: &str) -> String {
    let mac = keys.cookie.first().map(|key| mac(key, purpose, value));
    format!("{value}.{}", base64url(&mac.unwrap_or_default()))
}

/// The value, if one of the keys signed it for this purpose. Former keys count until they are
/// dropped from the configuration.
pub(crate) fn open<'t>(keys: &TokenKeys, purpose: &str, text: &'t str) -> Option<&'t str> {
    open_by(keys, purpose, text).map(|(value, _)| value)
}

/// The same, with the place of the key that signed it: 0 is the current one's.
pub(crate) fn open_by<'t>(
    keys: &TokenKeys,
    purpose: &str,
    text: &'t str,
) -> Option<(&'t str, usize)> {
    let (value, given) = text.rsplit_once('.')?;
    let given = from_base64url(given)?;
    let by = |key: &[u8; 32]| same(&mac(key, purpose, value), &given);
    keys.cookie.iter().position(by).map(|place| (value, place))
}

fn mac(key: &[u8; 32], purpose: &str, value: &str) -> [u8; 32] {
    hmac_sha256(key, &[purpose.as_bytes(), b"\0", value.as_bytes()])
}

/// The value of a cookie. Semicolons alone part cookies: a value may hold a comma, so that any
/// neighbour of our host could otherwise plant `x=,__Host-…`, which browsers let it set.
pub(crate) fn read(headers: &dyn HeaderSource, name: &str) -> Option<String> {
    let all = headers.header("cookie")?;
    all.split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// Puts the cookies of a session on an answer; the longer ones last `idle` milliseconds.
pub(super) fn set(reply: Reply, access: &str, refresh: &str, csrf: &str, idle: i64) -> Reply {
    let access = cookie(ACCESS, access, ACCESS_SECONDS, "; HttpOnly");
    let refresh = cookie(REFRESH, refresh, idle.div_euclid(SECOND), "; HttpOnly");
    let reply = reply
        .with_header("set-cookie", access)
        .with_header("set-cookie", refresh);
    set_csrf(reply, csrf, idle)
}

/// Puts the CSRF cookie alone on an answer.
pub(super) fn set_csrf(reply: Reply, csrf: &str, idle: i64) -> Reply {
    reply.with_header(
        "set-cookie",
        cookie(CSRF, csrf, idle.div_euclid(SECOND), ""),
    )
}

fn cookie(name: &str, value: &str, seconds: i64, more: &str) -> String {
    format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; SameSite=Lax{more}")
}

/// Puts the pre-token of a sign-in on an answer, for `seconds`.
pub(super) fn set_mfa(reply: Reply, token: &str, seconds: i64) -> Reply {
    reply.with_header("set-cookie", cookie(MFA, token, seconds, "; HttpOnly"))
}

/// Takes them away.
pub(super) fn clear(reply: Reply) -> Reply {
    [ACCESS, REFRESH, CSRF].iter().fold(reply, |reply, name| {
        reply.with_header("set-cookie", cookie(name, "", 0, ""))
    })
}

/// A CSRF token of a session.
pub(super) fn csrf_token(keys: &TokenKeys, session: &str, random: [u8; 16]) -> String {
    sign(keys, &csrf_purpose(session), &base64url(&random))
}

fn csrf_purpose(session: &str) -> String {
    format!("csrf:{session}")
}

/// Whether a request that a browser sent with our cookies was meant by our own page.
///
/// Two layers: the page repeats its session's CSRF token in a header, and the browser itself
/// must not call the request cross-site (Fetch Metadata) unless its origin is listed in
/// `CORS_ORIGINS`.
///
/// # Errors
/// `CSRF_FAILED`.
pub(crate) fn check_csrf(
    keys: &TokenKeys,
    headers: &dyn HeaderSource,
    session: &str,
    origins: &[String],
) -> Result<(), Error> {
    let refused = |cause: &str| Error::new(Code::CsrfFailed).with_cause(cause);
    let listed = headers
        .header("origin")
        .is_some_and(|origin| origins.contains(&origin));
    let site = headers.header("sec-fetch-site");
    if site.is_some_and(|site| site == "cross-site") && !listed {
        return Err(refused("cross-site request"));
    }
    let header = headers
        .header(CSRF_HEADER)
        .ok_or_else(|| refused("no token in the header"))?;
    let cookie = read(headers, CSRF).ok_or_else(|| refused("no token in the cookie"))?;
    if !same(header.as_bytes(), cookie.as_bytes()) {
        return Err(refused("header and cookie differ"));
    }
    match open(keys, &csrf_purpose(session), &header) {
        Some(_) => Ok(()),
        None => Err(refused("not this session's token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    fn app(secret: &str, old: &str) -> App {
        App::new(|name| match name {
            "JWT_REFRESH_SECRET" => Some(secret.to_owned()),
            "JWT_REFRESH_OLD_SECRETS" => Some(old.to_owned()),
            "ENVIRONMENT" => Some("test".to_owned()),
            "JWT_SECRET" => Some("an access secret of more than 32 characters".to_owned()),
            "SERVICE_JWT_SECRET" => Some("a service secret of more than 32 characters".to_owned()),
            _ => None,
        })
    }

    const ONE: &str = "a first refresh secret of 32 characters";
    const TWO: &str = "a second refresh secret of 32 characters";

    #[test]
    fn a_cookie_holds_no_other() {
        struct Cookies(&'static str);
        impl HeaderSource for Cookies {
            fn header(&self, name: &str) -> Option<String> {
                (name == "cookie").then(|| self.0.to_owned())
            }
        }
        let found = |text| read(&Cookies(text), ACCESS);
        let own = "a=1;__Host-ek_access=me; b=2";
        assert_eq!(found(own).as_deref(), Some("me"));
        assert_eq!(found("a=1,__Host-ek_access=other"), None);
        let both = "a=,__Host-ek_access=other; __Host-ek_access=me";
        assert_eq!(found(both).as_deref(), Some("me"));
    }

    /// Rows: A-36
    #[test]
    fn signed_values_open_by_current_and_former_keys_alone() {
        let (one, two, both) = (app(ONE, ""), app(TWO, ""), app(TWO, ONE));
        let keys = [&one, &two, &both].map(|app| &app.ready().unwrap().keys);
        let [one, two, both] = keys;
        let text = sign(one, "p", "v");
        assert_eq!(open(one, "p", &text), Some("v"));
        assert_eq!(open(both, "p", &text), Some("v"));
        assert_eq!(open(two, "p", &text), None);
        assert_eq!(open(one, "q", &text), None);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(open(one, "p", &changed), None, "{at}");
        }
    }
}
