//! API keys: `ek_live_<id>_<secret><checksum>`.
//!
//! The prefix lets secret scanners find leaked keys, the checksum (CRC-32) refuses typos without
//! a query, the id finds the row by its primary key, and the row holds only the SHA-256 of the
//! secret, which has 125 bits and therefore needs no slow hash.

use crate::crypto::{checksum, fingerprint};
use crate::http::{Code, Error};
use crate::id::{is_random_text, random_text};

const PREFIX: &str = "ek_live_";
const ID_CHARS: u32 = 16;
const SECRET_CHARS: u32 = 25;

/// A key as a caller presents it: its checksum is right, and no more is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCredential {
    /// Which row.
    pub id: String,
    /// What the row must hold.
    pub secret_hash: String,
}

/// A new key.
#[derive(Debug)]
pub struct NewKey {
    /// The whole key, shown once.
    pub text: String,
    /// Its row.
    pub credential: KeyCredential,
}

/// Makes a key from random bytes.
pub fn make(id_bytes: [u8; 16], secret_bytes: [u8; 16]) -> NewKey {
    let id = random_text(id_bytes, ID_CHARS);
    let body = format!("{PREFIX}{id}_{}", random_text(secret_bytes, SECRET_CHARS));
    let text = format!("{body}{}", hex_checksum(&body));
    let credential = KeyCredential {
        id: row_id(&id),
        secret_hash: fingerprint(&text),
    };
    NewKey { text, credential }
}

/// Whether a bearer text is meant to be an API key.
pub fn looks_like(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Reads a key.
///
/// # Errors
/// `API_KEY_INVALID` for anything that no installation can have issued.
pub fn read(text: &str) -> Result<KeyCredential, Error> {
    let refused = || Error::new(Code::ApiKeyInvalid);
    let split = text.len().checked_sub(8).ok_or_else(refused)?;
    let (body, given) = text.split_at_checked(split).ok_or_else(refused)?;
    let rest = body.strip_prefix(PREFIX).ok_or_else(refused)?;
    let (id, _) = rest.split_once('_').ok_or_else(refused)?;
    if hex_checksum(body) != given || body.len() != 50 {
        return Err(refused());
    }
    Ok(KeyCredential {
        id: row_id(id),
        secret_hash: fingerprint(text),
    })
}

/// Whether `text` could be the id of a key's row.
pub(super) fn is_row_id(text: &str) -> bool {
    text.strip_prefix("key_")
        .is_some_and(|rest| rest.len() == 16 && is_random_text(rest))
}

fn row_id(id: &str) -> String {
    format!("key_{id}")
}

fn hex_checksum(body: &str) -> String {
    format!("{:08x}", checksum(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_reads_as_its_row() {
        let key = make([3; 16], [9; 16]);
        assert_eq!(read(&key.text).unwrap(), key.credential);
        assert!(!key.credential.secret_hash.contains(&key.text[8..24]));
    }

    #[test]
    fn typos_are_refused_without_a_query() {
        let key = make([3; 16], [9; 16]).text;
        for at in 0..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert!(read(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
        }
        for text in ["", "ek_live_", "ek_live_é", "ek_live_a_b"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
