//! Keys and the few primitives that the domains share. Everything is pure Rust, so that all
//! platforms give the same answers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// SHA-256 of `parts`, each preceded by its length so that they cannot run together.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// SHA-256 of one text in base64url: how tokens and keys are kept at rest.
pub fn fingerprint(text: &str) -> String {
    base64url(&Sha256::digest(text.as_bytes()))
}

/// CRC-32 as in zip and PNG. Without its table it is slower, and 16 KB smaller.
pub fn checksum(bytes: &[u8]) -> u32 {
    const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
    CRC.checksum(bytes)
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length, so the error cannot happen; an empty key is its answer.
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(key)
        .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    for part in message {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A 256-bit key for one purpose from a configured secret (HKDF-SHA256, RFC 5869).
pub fn derive_key(secret: &str, purpose: &str) -> [u8; 32] {
    let mut key = [0; 32];
    // 32 bytes are within HKDF's 255 blocks, so expansion cannot fail.
    let _ = Hkdf::<Sha256>::new(Some(b"edgekeep"), secret.as_bytes())
        .expand(purpose.as_bytes(), &mut key);
    key
}

/// Compares without telling by its time where the texts differ.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Base64url without padding (RFC 4648, section 5).
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url without padding.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 15)).copied().unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// Reads hexadecimal of either case.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let mut nibbles = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|n| u8::try_from(n).ok()));
    let mut bytes = Vec::with_capacity(text.len() / 2);
    while let Some(high) = nibbles.next() {
        bytes.push((high? << 4) | nibbles.next()??);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of its definition.
    #[test]
    fn checksum_is_crc_32() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    /// RFC 4231, test case 2.
    #[test]
    fn hmac_matches_the_published_vector() {
        let mac = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(
            hex(&mac),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(from_hex(&hex(&mac)).unwrap(), mac);
    }

    #[test]
    fn odd_and_foreign_hex_is_refused() {
        for text in ["a", "zz", "0é", "123"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }

    #[test]
    fn digests_keep_their_parts_apart() {
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
    }
}
