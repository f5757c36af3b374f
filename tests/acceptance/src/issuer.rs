//! An issuer whose tokens are exchanged, played by the suite: `ext` of tests/acceptance/vars. It publishes
//! keys, more as they are announced, and counts how often it is asked for them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::SigningKey;
use edgekeep_core::crypto::{base64url, digest};
use serde_json::{Value, json};

static ANNOUNCED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Its key with that id; `first` is published from the start.
pub fn key(kid: &str) -> SigningKey {
    SigningKey::from_bytes(&digest(&[b"issuer", kid.as_bytes()]))
}

/// Publishes the key with that id from now on.
pub fn announce(kid: &str) {
    ANNOUNCED.lock().unwrap().push(kid.to_owned());
}

/// How often somebody asked for its keys.
pub fn asked() -> u64 {
    ASKED.load(Ordering::SeqCst)
}

pub fn answer(path: &str) -> (u16, Value) {
    if path != "/external/jwks" {
        return (404, json!({}));
    }
    ASKED.fetch_add(1, Ordering::SeqCst);
    let announced = ANNOUNCED.lock().unwrap();
    let kids = ["first"]
        .into_iter()
        .chain(announced.iter().map(String::as_str));
    let own = kids.map(|kid| {
        let x = base64url(key(kid).verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"})
    });
    // Other kinds of keys stand beside them, as they do in life.
    let others = [
        json!({"kty": "oct", "kid": "first", "k": "c2VjcmV0"}),
        json!({"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "XYZ"}),
    ];
    (
        200,
        json!({"keys": others.into_iter().chain(own).collect::<Vec<_>>()}),
    )
}
