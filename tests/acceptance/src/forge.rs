//! Access tokens as an attacker, or another service of ours, would make them: every part as one
//! likes, signed with a key that one has. It shares no code with the server's tokens.

use std::fmt::Write as _;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use edgekeep_core::crypto::{base64url, derive_key, from_base64url};
use serde_json::{Value, json};

/// The signing key that a `JWT_SECRET` leads to.
pub fn key(secret: &str) -> SigningKey {
    SigningKey::from_bytes(&derive_key(secret, "access-jwt-ed25519"))
}

/// The key of the server under test.
pub fn server_key() -> SigningKey {
    key(&std::env::var("JWT_SECRET").expect("the server's variables must be set here too"))
}

/// Its key id: the thumbprint (RFC 7638) of the public key.
pub fn kid(key: &VerifyingKey) -> String {
    let x = base64url(key.as_bytes());
    edgekeep_core::crypto::fingerprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))
}

/// A token in parts.
#[derive(Clone)]
pub struct Forged {
    pub header: Value,
    pub claims: Value,
}

impl Forged {
    /// The parts of a token.
    pub fn from(token: &str) -> Self {
        let mut parts = token.split('.').map(|part| {
            let bytes = from_base64url(part).unwrap();
            serde_json::from_slice(&bytes).unwrap_or(Value::Null)
        });
        Self {
            header: parts.next().unwrap(),
            claims: parts.next().unwrap(),
        }
    }

    /// With this in the header; null takes it out.
    pub fn header(mut self, name: &str, value: Value) -> Self {
        put(&mut self.header, name, value);
        self
    }

    /// With this claim; null takes it out.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        put(&mut self.claims, name, value);
        self
    }

    /// What is signed.
    pub fn message(&self) -> String {
        message(&self.header.to_string(), &self.claims.to_string())
    }

    /// Signed by this key, whatever the header says.
    pub fn signed(&self, key: &SigningKey) -> String {
        signed(&self.message(), key)
    }

    /// The JSON texts of both parts without their closing braces, to write more behind.
    pub fn open_texts(&self) -> (String, String) {
        let open = |value: &Value| value.to_string().trim_end_matches('}').to_owned();
        (open(&self.header), open(&self.claims))
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if value.is_null() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value;
    }
}

/// `header.claims` in base64url.
pub fn message(header: &str, claims: &str) -> String {
    let (header, claims) = (base64url(header.as_bytes()), base64url(claims.as_bytes()));
    format!("{header}.{claims}")
}

/// A message and its signature.
pub fn signed(message: &str, key: &SigningKey) -> String {
    let signature = key.sign(message.as_bytes());
    format!("{message}.{}", base64url(&signature.to_bytes()))
}

/// A message and its HMAC-SHA256.
pub fn authenticated(message: &str, key: &[u8]) -> String {
    let mac = edgekeep_core::crypto::hmac_sha256(key, &[message.as_bytes()]);
    format!("{message}.{}", base64url(&mac))
}

/// The public key as a JWK, as a header could bring it along.
pub fn jwk(key: &VerifyingKey) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(key.as_bytes())})
}

/// The public key in PEM (RFC 8410): the bytes that the classic confusion takes for a secret.
pub fn pem(key: &VerifyingKey) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let head = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let der = [&head[..], key.as_bytes()].concat();
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let mut bits = [0_u8; 4];
        bits[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(bits);
        // 44 bytes end in a chunk of two: three letters, and padding for the fourth.
        for at in 0..=u32::try_from(chunk.len()).unwrap() {
            let letter = ALPHABET[((bits >> (18 - 6 * at)) & 63) as usize];
            text.push(char::from(letter));
        }
    }
    let mut pem = String::new();
    let _ = write!(
        pem,
        "-----BEGIN PUBLIC KEY-----\n{text}=\n-----END PUBLIC KEY-----\n"
    );
    pem
}

/// Another spelling of the same bytes: the unused bits of the last letter are set, which base64
/// readers that are not strict overlook.
pub fn respelled(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let at = ALPHABET.find(last).unwrap();
    format!("{rest}{}", &ALPHABET[at + 1..at + 2])
}
