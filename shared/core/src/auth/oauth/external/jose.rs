//! Signed tokens of others (RFC 7515, RFC 7518): parsing, and the three algorithms that issuers
//! sign with today. Which one holds is what the key is for, never what the token says.

use ecdsa::hazmat::verify_prehashed;
use ed25519_dalek::{Verifier as _, VerifyingKey};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use super::rsa;
use crate::crypto::{from_base64url, hmac_sha256, same};

/// Longest token that is looked at.
const MAX_LENGTH: usize = 16_384;

/// A token of which nothing is proven yet.
pub(super) struct Token<'t> {
    message: &'t str,
    signature: Vec<u8>,
    pub(super) header: Header,
    pub(super) claims: Map<String, Json>,
}

/// What the header may steer: which key, and nothing else.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: String,
    pub(super) kid: Option<String>,
    typ: Option<String>,
    crit: Option<Json>,
}

impl<'t> Token<'t> {
    /// Reads a compact JWS. Headers that must be understood (`crit`) and types that are no
    /// access token are refused.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = serde_json::from_slice(&from_base64url(header)?).ok()?;
        let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        let plain = matches!(typ.as_str(), "jwt" | "at+jwt" | "application/at+jwt");
        if header.crit.is_some() || !plain {
            return None;
        }
        Some(Self {
            message,
            signature: from_base64url(signature)?,
            claims: serde_json::from_slice(&from_base64url(claims)?).ok()?,
            header,
        })
    }

    /// Whether the holder of this published key signed it.
    pub(super) fn is_signed_by(&self, key: &Jwk) -> bool {
        let message = self.message.as_bytes();
        let verified = match key.algorithm() {
            Some(alg) if alg != self.header.alg => None,
            Some("EdDSA") => key.verify_ed25519(message, &self.signature),
            Some("ES256") => key.verify_p256(message, &self.signature),
            Some("RS256") => key.verify_rsa(message, &self.signature),
            _ => None,
        };
        verified.is_some()
    }

    /// Whether somebody who has this secret made it.
    pub(super) fn is_made_with(&self, secret: &str) -> bool {
        let mac = hmac_sha256(secret.as_bytes(), &[self.message.as_bytes()]);
        self.header.alg == "HS256" && same(&mac, &self.signature)
    }
}

/// A published key (RFC 7517, RFC 7518, RFC 8037).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    pub(super) kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    /// The one algorithm that this key is for; `None` for keys that are not ours to use.
    pub(super) fn algorithm(&self) -> Option<&'static str> {
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => "EdDSA",
            ("EC", Some("P-256")) => "ES256",
            ("RSA", _) => "RS256",
            _ => return None,
        };
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let named = self.alg.as_deref();
        // RFC 9864 calls it Ed25519.
        let fits =
            named.is_none_or(|alg| alg == algorithm || (algorithm, alg) == ("EdDSA", "Ed25519"));
        (signs && fits).then_some(algorithm)
    }

    fn verify_ed25519(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let key: [u8; 32] = bytes(self.x.as_ref())?.try_into().ok()?;
        // Not `from_slice`: shared with `jwt-compact`, it would keep the latter's errors and their
        // backtraces, 30 KB that are otherwise compiled away.
        let signature = ed25519_dalek::Signature::from_bytes(signature.try_into().ok()?);
        let key = VerifyingKey::from_bytes(&key).ok()?;
        key.verify(message, &signature).ok()
    }

    fn verify_p256(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let (x, y) = (bytes(self.x.as_ref())?, bytes(self.y.as_ref())?);
        if x.len() != 32 || y.len() != 32 {
            return None;
        }
        // SEC 1, section 2.3.3: an uncompressed point.
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        let key = p256::PublicKey::from_sec1_bytes(&point).ok()?;
        let signature = ecdsa::Signature::<p256::NistP256>::from_slice(signature).ok()?;
        let hash = Sha256::digest(message);
        verify_prehashed(&key.to_projective(), &hash, &signature).ok()
    }

    fn verify_rsa(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let (n, e) = (bytes(self.n.as_ref())?, bytes(self.e.as_ref())?);
        rsa::verify(&n, &e, message, signature)
    }
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    from_base64url(text?)
}

#[cfg(test)]
mod tests;
