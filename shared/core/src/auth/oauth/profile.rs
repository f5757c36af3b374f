//! Who signed in at the provider.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::flow::{Flow, redirect_uri};
use super::provider::{Kind, Provider};
use crate::cache;
use crate::crypto::{from_base64url, same};
use crate::http::{Code, Context, Error};
use crate::outbound::{self, PROVIDER, failed, parse};
use crate::port::{OutboundRequest, OutboundResponse, Platform};
use crate::time::Millis;

/// How far the provider's clock may be ahead, in seconds.
const LEEWAY_SECONDS: i64 = 60;

/// A person as the provider knows them.
#[derive(Debug)]
pub(super) struct Person {
    /// Their id there; it never changes.
    pub(super) subject: String,
    /// Their address, if the provider says that it is theirs.
    pub(super) verified_email: Option<String>,
}

/// Where a provider's endpoints are.
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) authorization: String,
    pub(super) token: String,
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What providers say of themselves (`OpenID` Connect Discovery 1.0).
static DISCOVERY: cache::Kind = cache::Kind {
    name: "oidc_discovery",
    target: &PROVIDER,
    check: |text, issuer| read(text, issuer).map(|_| ()),
    limits: None,
};

/// The endpoints: configured, or discovered.
pub(super) async fn endpoints<P: Platform>(
    cx: &Context<'_, P>,
    provider: &Provider,
) -> Result<Endpoints, Error> {
    if let (Some(authorization), Some(token)) =
        (&provider.authorization_endpoint, &provider.token_endpoint)
    {
        return Ok(Endpoints {
            authorization: authorization.clone(),
            token: token.clone(),
        });
    }
    let issuer = provider.issuer.as_str();
    let url = issuer.trim_end_matches('/').to_owned() + "/.well-known/openid-configuration";
    let document = cache::document(cx, &DISCOVERY, issuer, &url).await?;
    read(&document.text, issuer)
}

/// Reads a provider's description of itself.
fn read(document: &str, issuer: &str) -> Result<Endpoints, Error> {
    #[derive(Deserialize)]
    struct Discovered {
        issuer: String,
        authorization_endpoint: String,
        token_endpoint: String,
    }
    let found: Discovered = parse(document.as_bytes())?;
    if found.issuer != issuer {
        return Err(failed("the discovery document names another issuer"));
    }
    Ok(Endpoints {
        authorization: found.authorization_endpoint,
        token: found.token_endpoint,
    })
}

/// Exchanges the code and reads who it is about.
pub(super) async fn fetch<P: Platform>(
    cx: &Context<'_, P>,
    provider: &Provider,
    flow: &Flow,
    code: &str,
) -> Result<Person, Error> {
    #[derive(Deserialize)]
    struct Tokens {
        id_token: Option<String>,
        access_token: Option<String>,
    }
    let ready = cx.ready()?;
    let url = endpoints(cx, provider).await?.token;
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", &redirect_uri(ready, provider))
        .append_pair("client_id", &provider.client_id)
        .append_pair("client_secret", provider.client_secret.expose())
        .append_pair("code_verifier", &flow.verifier(ready))
        .finish();
    let kind = (
        "content-type",
        "application/x-www-form-urlencoded".to_owned(),
    );
    let accept = ("accept", "application/json".to_owned());
    let request = PROVIDER.post(url, vec![kind, accept], form.into_bytes());
    let tokens: Tokens = parse(&send(cx, request).await?.body)?;
    match (provider.kind, tokens.id_token, tokens.access_token) {
        (Kind::Oidc, Some(token), _) => id_token(&token, provider, &flow.nonce(ready), cx.now),
        (Kind::GitHub, _, Some(token)) => github(cx, provider, &token).await,
        // GitHub answers 200 with an error inside for a code that is spent.
        _ => Err(Error::new(Code::OauthRefused).with_cause("no token came")),
    }
}

#[derive(Deserialize)]
struct IdToken {
    iss: String,
    aud: OneOrMany,
    azp: Option<String>,
    sub: String,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<Flag>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Some providers write booleans as texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Text(String),
}

/// Judges an ID token. It came from the token endpoint itself over TLS, which stands for its
/// signature (`OpenID` Connect Core 1.0, 3.1.3.7, number 6); everything else is checked.
fn id_token(token: &str, provider: &Provider, nonce: &str, now: Millis) -> Result<Person, Error> {
    let refused = |why: &str| Error::new(Code::OauthRefused).with_cause(format!("ID token: {why}"));
    let payload = token
        .split('.')
        .nth(1)
        .and_then(from_base64url)
        .ok_or_else(|| refused("not a JWT"))?;
    let claims: IdToken =
        serde_json::from_slice(&payload).map_err(|_| refused("claims are missing"))?;
    let (ours, several) = match &claims.aud {
        OneOrMany::One(one) => (*one == provider.client_id, false),
        OneOrMany::Many(all) => (all.contains(&provider.client_id), all.len() > 1),
    };
    let party = claims
        .azp
        .as_ref()
        .map(|party| *party == provider.client_id);
    if claims.iss != provider.issuer {
        return Err(refused("another issuer"));
    }
    if !ours || party == Some(false) || (several && party.is_none()) {
        return Err(refused("for somebody else"));
    }
    let seconds = now.seconds();
    if claims.exp <= seconds || claims.iat > seconds.saturating_add(LEEWAY_SECONDS) {
        return Err(refused("not valid now"));
    }
    let given = claims.nonce.unwrap_or_default();
    if !same(given.as_bytes(), nonce.as_bytes()) {
        return Err(refused("another nonce"));
    }
    let verified = match claims.email_verified {
        Some(Flag::Bool(verified)) => verified,
        Some(Flag::Text(text)) => text == "true",
        None => false,
    };
    person(claims.sub, claims.email.filter(|_| verified))
}

async fn github<P: Platform>(
    cx: &Context<'_, P>,
    provider: &Provider,
    token: &str,
) -> Result<Person, Error> {
    #[derive(Deserialize)]
    struct User {
        id: i64,
    }
    #[derive(Deserialize)]
    struct Email {
        #[serde(rename = "email")]
        address: String,
        primary: bool,
        verified: bool,
    }
    let headers = || {
        vec![
            ("authorization", format!("Bearer {token}")),
            ("accept", "application/vnd.github+json".to_owned()),
            ("user-agent", "edgekeep".to_owned()),
        ]
    };
    let get = async |path: &str| {
        let url = format!("{}{path}", provider.api);
        send(cx, PROVIDER.get(url, headers())).await
    };
    let user: User = parse(&get("/user").await?.body)?;
    let emails: Vec<Email> = parse(&get("/user/emails").await?.body)?;
    let own = emails
        .into_iter()
        .find(|email| email.primary && email.verified);
    person(user.id.to_string(), own.map(|own| own.address))
}

pub(super) fn person(subject: String, email: Option<String>) -> Result<Person, Error> {
    let plain =
        |text: &str| !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
    if !plain(&subject) {
        return Err(Error::new(Code::OauthRefused).with_cause("an odd subject"));
    }
    let verified_email = email
        .map(|email| email.trim().to_lowercase())
        .filter(|email| plain(email) && email.contains('@'));
    Ok(Person {
        subject,
        verified_email,
    })
}

/// The provider's answer below 300. A 4xx is its answer about this sign-in.
async fn send<P: Platform>(
    cx: &Context<'_, P>,
    request: OutboundRequest,
) -> Result<OutboundResponse, Error> {
    let response = outbound::call(cx, &PROVIDER, request).await?;
    match response.status {
        200..=299 => Ok(response),
        400..=499 => Err(Error::new(Code::OauthRefused)
            .with_cause(format!("the provider answered {}", response.status))),
        _ => Err(failed("the provider redirects")),
    }
}
