//! The two halves of the flow: sending the browser away, and what comes back.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::account;
use super::profile::{self, endpoints};
use super::provider::Provider;
use crate::app::Ready;
use crate::auth::cookie;
use crate::auth::mfa::{Again, Given};
use crate::auth::session::Keep;
use crate::crypto::{base64url, from_base64url, hmac_sha256, same};
use crate::fields::Fields;
use crate::http::{Code, Context, Error, Interrupt, Reply, Response};
use crate::port::Platform;
use crate::time::{MINUTE, Millis};

/// The cookie that binds a flow to the browser that started it.
const COOKIE: &str = "__Host-ek_oauth";
/// How long a browser may stay away.
const LIFE: i64 = 10 * MINUTE;

/// A flow that is under way; it travels in the signed cookie.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Flow {
    state: String,
    ends: i64,
    return_to: String,
    cookies: bool,
    /// Who links a provider to their account; nobody for a sign-in.
    link: Option<Linker>,
    /// The place of the key that signed it: a secret may be rolled while a browser is away.
    #[serde(skip)]
    key: usize,
}

/// Who asked for a link. What another password or a logout ends is no longer good for it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Linker {
    pub(super) user: String,
    pub(super) session: String,
}

impl Flow {
    /// A secret of this flow that only we can make again.
    fn derived(&self, ready: &Ready, what: &str) -> String {
        let parts = [what.as_bytes(), b"\0", self.state.as_bytes()];
        let key = ready.keys.oauth.get(self.key).copied().unwrap_or_default();
        base64url(&hmac_sha256(&key, &parts))
    }

    /// The PKCE verifier (RFC 7636): 43 characters.
    pub(super) fn verifier(&self, ready: &Ready) -> String {
        self.derived(ready, "pkce")
    }

    /// The nonce that the ID token must repeat.
    pub(super) fn nonce(&self, ready: &Ready) -> String {
        self.derived(ready, "nonce")
    }

    pub(super) fn keep(&self) -> Keep {
        if self.cookies {
            Keep::Cookies
        } else {
            Keep::Body
        }
    }

    /// Who links, if somebody does.
    pub(super) fn link(&self) -> Option<&Linker> {
        self.link.as_ref()
    }

    fn seal(&self, ready: &Ready, provider: &str) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        cookie::sign(&ready.keys, &purpose(provider), &base64url(&text))
    }

    fn open(ready: &Ready, provider: &str, text: &str, now: Millis) -> Option<Self> {
        let (value, key) = cookie::open_by(&ready.keys, &purpose(provider), text)?;
        let flow: Self = serde_json::from_slice(&from_base64url(value)?).ok()?;
        (flow.ends > now.0).then_some(Self { key, ..flow })
    }
}

fn purpose(provider: &str) -> String {
    format!("oauth:{provider}")
}

/// The providers that are configured.
pub(super) fn providers<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let all = &cx.config()?.oauth;
    let shown: Vec<_> = all
        .iter()
        .map(|provider| json!({"id": provider.id}))
        .collect();
    Ok(Reply::ok(&shown))
}

fn provider<'c, P: Platform>(cx: &'c Context<'_, P>) -> Result<&'c Provider, Error> {
    let all = &cx.config()?.oauth;
    let found = all.iter().find(|provider| provider.id == cx.param());
    found.ok_or_else(|| Error::new(Code::NotFound))
}

/// Sends the browser to the provider.
pub(super) async fn start<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let provider = provider(cx)?;
    let cookies = match cx.request.query_value("mode")?.as_deref() {
        None | Some("cookie") => true,
        Some("bearer") => false,
        Some(_) => return Err(Error::invalid("mode", "Must be cookie or bearer.").into()),
    };
    let (url, sealed) = begin(cx, provider, return_to(cx)?, cookies, None).await?;
    let mut response = Response::empty(302);
    response.headers.push(("location", url));
    response
        .headers
        .push(("set-cookie", set_cookie(&sealed, 600)));
    Ok(Reply::Raw(response))
}

/// The same for somebody who is signed in and adds a provider to their account. It is a way in for
/// good, so a session alone does not get it: proof anew is asked for (OWASP ASVS 5.0, 7.5.1).
pub(super) async fn link<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let provider = provider(cx)?;
    let return_to = return_to(cx)?;
    let mut fields = Fields::parse_or_empty(cx.request.body)?;
    let given = Given::read(&mut fields)?;
    fields.finish()?;
    let own = Again::demand(cx, &given).await?;
    let linker = Linker {
        user: own.actor.user.clone(),
        session: own.actor.session.clone().unwrap_or_default(),
    };
    let (url, sealed) = begin(cx, provider, return_to, true, Some(linker)).await?;
    own.spend_alone(cx).await?;
    let reply = Reply::ok(&json!({"url": url}));
    Ok(reply.with_header("set-cookie", set_cookie(&sealed, 600)))
}

async fn begin<P: Platform>(
    cx: &Context<'_, P>,
    provider: &Provider,
    return_to: String,
    cookies: bool,
    link: Option<Linker>,
) -> Result<(String, String), Error> {
    let ready = cx.ready()?;
    let flow = Flow {
        state: base64url(&cx.random::<32>()?),
        ends: cx.now.plus(LIFE).0,
        return_to,
        cookies,
        link,
        key: 0,
    };
    let ends = endpoints(cx, provider).await?;
    let challenge = base64url(&profile::sha256(flow.verifier(ready).as_bytes()));
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", &provider.client_id)
        .append_pair("redirect_uri", &redirect_uri(ready, provider))
        .append_pair("scope", provider.scope())
        .append_pair("state", &flow.state)
        .append_pair("nonce", &flow.nonce(ready))
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    let mark = if ends.authorization.contains('?') {
        '&'
    } else {
        '?'
    };
    let url = format!("{}{mark}{query}", ends.authorization);
    Ok((url, flow.seal(ready, &provider.id)))
}

/// Where the provider sends browsers back: registered there, compared there letter by letter.
pub(super) fn redirect_uri(ready: &Ready, provider: &Provider) -> String {
    let base = &ready.config.gateway_url;
    format!("{base}/api/v1/auth/oauth/{}/callback", provider.id)
}

/// Where the browser goes in the end.
fn return_to<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let path = cx.request.query_value("return_to")?;
    let path = path.unwrap_or_else(|| "/".to_owned());
    if !is_local(&path) {
        let ours = "Must be a path of the application.";
        return Err(Error::invalid("return_to", ours));
    }
    Ok(path)
}

/// A path of our own front end, and nothing that a browser would read as another host.
fn is_local(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    path.len() <= 512 && path.starts_with('/') && !path.starts_with("//") && path.chars().all(plain)
}

fn set_cookie(value: &str, seconds: u32) -> String {
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax")
}

/// What the provider sends back with the browser.
pub(super) async fn callback<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let ready = cx.ready()?;
    let provider = provider(cx)?;
    let flow = cookie::read(cx.request.headers, COOKIE)
        .and_then(|text| Flow::open(ready, &provider.id, &text, cx.now));
    let state = cx.request.query_value("state")?.unwrap_or_default();
    // Another browser's state, or a cookie that somebody planted: log-in CSRF (RFC 9700, 4.7).
    let flow = flow
        .filter(|flow| same(flow.state.as_bytes(), state.as_bytes()))
        .ok_or_else(|| Error::new(Code::OauthStateInvalid).with_field("state"))?;
    match finish(cx, provider, &flow).await {
        Ok(reply) => Ok(answer(ready, &flow, reply)),
        Err(error) if flow.cookies && error.code().status() < 500 => {
            let name = error.code().name();
            cx.attempt_was(name);
            Ok(Reply::Raw(back(ready, &flow, Some(("error", name)))))
        }
        Err(error) => Err(error.into()),
    }
}

async fn finish<P: Platform>(
    cx: &Context<'_, P>,
    provider: &Provider,
    flow: &Flow,
) -> Result<Reply, Error> {
    // Mix-up: an answer that names another issuer is another provider's (RFC 9207).
    let issuer = cx.request.query_value("iss")?;
    if issuer.is_some_and(|issuer| issuer != provider.issuer) {
        return Err(Error::new(Code::OauthRefused).with_cause("another issuer answered"));
    }
    if cx.request.query_value("error")?.is_some() {
        return Err(Error::new(Code::OauthRefused));
    }
    let code = cx
        .request
        .query_value("code")?
        .ok_or_else(|| Error::invalid("code", "Is required."))?;
    let person = profile::fetch(cx, provider, flow, &code).await?;
    account::admit(cx, provider, flow, &person).await
}

/// For programs the tokens; for browsers their cookies and the way back to the application.
fn answer(ready: &Ready, flow: &Flow, reply: Reply) -> Reply {
    if !flow.cookies {
        return reply.with_header("set-cookie", set_cookie("", 0));
    }
    let headers = match reply {
        Reply::Json { headers, .. } => headers,
        Reply::Raw(response) => response.headers,
    };
    let waits = headers
        .iter()
        .any(|(_, value)| value.starts_with(cookie::MFA));
    let mut response = back(ready, flow, waits.then_some(("mfa", "required")));
    response.headers.extend(headers);
    Reply::Raw(response)
}

fn back(ready: &Ready, flow: &Flow, told: Option<(&str, &str)>) -> Response {
    let mut url = format!("{}{}", ready.config.frontend_url, flow.return_to);
    if let Some((name, value)) = told {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(name);
        url.push('=');
        url.push_str(value);
    }
    let mut response = Response::empty(302);
    response.headers.push(("location", url));
    response.headers.push(("set-cookie", set_cookie("", 0)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: D-14
    #[test]
    fn browsers_return_to_paths_of_the_application_only() {
        for good in ["/", "/app", "/app?x=1#y"] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "",
            "app",
            "//evil.test",
            "https://evil.test",
            "/\\evil",
            "\\/",
            "/a b",
            "/\n",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
    }
}
