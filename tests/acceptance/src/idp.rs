//! A provider to sign in through, played by the suite: OpenID issuer and GitHub in one.
//!
//! It keeps nothing. A test that plays the person at the provider writes what the provider would
//! know into the code itself; the token endpoint checks client, redirect URI and PKCE against it
//! and answers with those claims. So suites that run at the same time can share one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use edgekeep_core::crypto::{base64url, fingerprint, from_base64url};
use serde_json::{Value, json};

const ADDRESS: &str = "127.0.0.1:8190";
/// The issuer of tests/acceptance/vars.
pub const ISSUER: &str = "http://127.0.0.1:8190";

static ENDED: AtomicBool = AtomicBool::new(false);

/// Gives the port to the next suite, and ends once what was asked here is answered.
pub fn end() {
    ENDED.store(true, Ordering::Relaxed);
    // Wakes whoever listens; another suite's takes it for an odd request.
    drop(TcpStream::connect(ADDRESS));
    thread::sleep(Duration::from_millis(300));
}

/// Starts it, or takes over when the suite that has the port ends first.
pub fn start() {
    thread::spawn(|| {
        let listener = loop {
            match TcpListener::bind(ADDRESS) {
                Ok(listener) => break listener,
                // Often, because whoever asks meanwhile is refused.
                Err(_) => thread::sleep(Duration::from_millis(2)),
            }
        };
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
            if ENDED.load(Ordering::Relaxed) {
                break;
            }
        }
    });
}

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

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) < 3 {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let field = |name: &str| {
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let length = field("content-length").and_then(|text| text.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = reader.read_exact(&mut body);
    let path = lines.first().and_then(|line| line.split(' ').nth(1));
    let bearer = field("authorization").unwrap_or_default();
    let (status, body) = match path.unwrap_or_default() {
        "/.well-known/openid-configuration" => (
            200,
            json!({
                "issuer": ISSUER,
                "authorization_endpoint": format!("{ISSUER}/authorize"),
                "token_endpoint": format!("{ISSUER}/token"),
            }),
        ),
        "/token" => exchange(&String::from_utf8_lossy(&body))
            .unwrap_or((400, json!({"error": "invalid_grant"}))),
        path @ ("/user" | "/user/emails") => {
            let claims = claims_of(bearer.trim_start_matches("Bearer "));
            let shown = if path == "/user" {
                json!({"id": claims["sub"]})
            } else {
                json!([{"email": claims["email"], "primary": true, "verified": claims["email_verified"]}])
            };
            (200, shown)
        }
        _ => (404, json!({})),
    };
    let body = body.to_string();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    // Closing with something unread would reset the connection before the answer is read.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = reader.read_to_end(&mut Vec::new());
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
        "iss": ISSUER, "aud": "edgekeep", "nonce": code["nonce"], "iat": 0, "exp": 9_999_999_999_i64,
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
