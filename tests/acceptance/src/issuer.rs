//! An issuer whose tokens are exchanged, played by the suite: `ext` of tests/acceptance/vars. It publishes
//! keys, more as they are announced, and counts how often it is asked for them. Others beside it are
//! slow, never answer in time, or fail until they are mended.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use edgekeep_core::crypto::{base64url, digest};
use serde_json::{Value, json};

static ANNOUNCED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static ASKED: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
static MENDED: AtomicBool = AtomicBool::new(false);

/// Its key with that id; `first` is published from the start.
pub fn key(kid: &str) -> SigningKey {
    SigningKey::from_bytes(&digest(&[b"issuer", kid.as_bytes()]))
}

/// Publishes the key with that id from now on.
pub fn announce(kid: &str) {
    ANNOUNCED.lock().unwrap().push(kid.to_owned());
}

/// How often somebody asked for the keys of `jwks`, `slow`, `hang` or `broken`.
pub fn asked(who: &str) -> u64 {
    let asked = ASKED.lock().unwrap();
    let path = format!("/external/{who}");
    asked.get(&path).copied().unwrap_or(0)
}

/// From now on `broken` answers.
pub fn mend() {
    MENDED.store(true, Ordering::SeqCst);
}

pub fn answer(path: &str) -> (u16, Value) {
    *ASKED.lock().unwrap().entry(path.to_owned()).or_default() += 1;
    match path {
        "/external/jwks" => {}
        "/external/slow" => sleep(Duration::from_millis(400)),
        "/external/hang" => sleep(Duration::from_secs(20)),
        "/external/broken" if !MENDED.load(Ordering::SeqCst) => return (500, json!({})),
        "/external/broken" => {}
        _ => return (404, json!({})),
    }
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
