//! A provider to sign in through, played by the suite: OpenID issuer and GitHub in one.
//!
//! It keeps nothing. A test that plays the person at the provider writes what the provider would
//! know into the code itself; the token endpoint checks client, redirect URI and PKCE against it
//! and answers with those claims.

use edgekeep_core::crypto::{base64url, fingerprint, from_base64url};
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
    match asked.path.as_str() {
        "/.well-known/openid-configuration" => (
            200,
            json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
            }),
        ),
        "/token" => exchange(&asked.body).unwrap_or((400, json!({"error": "invalid_grant"}))),
        path @ ("/user" | "/user/emails") => {
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

fn claims_of(token: &str) -> Value {
    let bytes = from_base64url(token).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// The token endpoint: everything must be as it was when the browser was sent here.
fn exchange(form: &str) -> Option<(u16, Value)> {
    if form.contains("code=hang") {
        std::thread::sleep(std::time::Duration::from_secs(20));
    }
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
