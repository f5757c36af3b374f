//! A provider to sign in through, played by the suite: OpenID issuer and GitHub in one.
//!
//! It keeps nothing. A test that plays the person at the provider writes what the provider would
//! know into the code itself; the token endpoint checks client, redirect URI and PKCE against it
//! and answers with those claims.
//!
//! Below `/external` it is an issuer whose tokens are exchanged: it publishes keys, more as they are
//! announced, and counts how often it is asked for them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::SigningKey;
use edgekeep_core::crypto::{base64url, digest, fingerprint, from_base64url};
use serde_json::{Value, json};

use crate::others::{Asked, base};

/// The code for a person who agreed at the provider: `query` is where the browser was sent.
pub fn code(query: &[(String, String)], claims: &Value) -> String {
    let find = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let code = json!({
        "challenge": find("code_challenge"),
        "redirect_uri": find("redirect_uri"),
        "client_id": find("client_id"),
        "nonce": find("nonce"),
        "claims": claims,
    });
    base64url(code.to_string().as_bytes())
}

pub fn answer(asked: &Asked) -> (u16, Value) {
    let issuer = base();
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    match path {
        "/external/jwks" => (200, published()),
        "/external/announce" => {
            ANNOUNCED.lock().unwrap().push(query.to_owned());
            (200, json!({}))
        }
        "/external/asked" => (200, json!(ASKED.load(Ordering::SeqCst))),
        "/.well-known/openid-configuration" => (
            200,
            json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
            }),
        ),
        "/token" => exchange(&asked.body).unwrap_or((400, json!({"error": "invalid_grant"}))),
        "/user" | "/user/emails" => {
            let bearer = asked.header("authorization");
            let claims = claims_of(bearer.trim_start_matches("Bearer "));
            let shown = if path == "/user" {
                json!({"id": claims["sub"]})
            } else {
                json!([{"email": claims["email"], "primary": true, "verified": claims["email_verified"]}])
            };
            (200, shown)
        }
        _ => (404, json!({})),
    }
}

static ANNOUNCED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static ASKED: AtomicU64 = AtomicU64::new(0);

/// The issuer's key with that id.
pub fn external_key(kid: &str) -> SigningKey {
    SigningKey::from_bytes(&digest(&[b"external", kid.as_bytes()]))
}

fn published() -> Value {
    ASKED.fetch_add(1, Ordering::SeqCst);
    let announced = ANNOUNCED.lock().unwrap();
    let kids = ["first"]
        .into_iter()
        .chain(announced.iter().map(String::as_str));
    let ours = kids.map(|kid| {
        let x = base64url(external_key(kid).verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"})
    });
    // Other kinds of keys stand beside it, as they do in life.
    let others = [
        json!({"kty": "oct", "kid": "first", "k": "c2VjcmV0"}),
        json!({"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "XYZ"}),
    ];
    json!({"keys": others.into_iter().chain(ours).collect::<Vec<_>>()})
}

fn claims_of(token: &str) -> Value {
    let bytes = from_base64url(token).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// The token endpoint: everything must be as it was when the browser was sent here.
fn exchange(form: &str) -> Option<(u16, Value)> {
    let pairs = pairs(form);
    let find = |name: &str| {
        let found = pairs.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let code: Value = serde_json::from_slice(&from_base64url(find("code"))?).ok()?;
    let sound = find("grant_type") == "authorization_code"
        && find("client_secret") == "mock-secret"
        && code["client_id"] == find("client_id")
        && code["redirect_uri"] == find("redirect_uri")
        && code["challenge"] == fingerprint(find("code_verifier"));
    if !sound {
        return None;
    }
    let mut claims = json!({
        "iss": base(), "aud": "edgekeep", "nonce": code["nonce"], "iat": 0, "exp": 9_999_999_999_i64,
    });
    for (name, value) in code["claims"].as_object()? {
        claims[name] = value.clone();
    }
    let claims = base64url(claims.to_string().as_bytes());
    let header = base64url(b"{\"alg\":\"none\"}");
    Some((
        200,
        json!({"access_token": claims, "token_type": "Bearer", "id_token": format!("{header}.{claims}.")}),
    ))
}

/// The pairs of a query or form.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'+' => bytes.push(b' '),
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                }
                other => bytes.push(other),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}
