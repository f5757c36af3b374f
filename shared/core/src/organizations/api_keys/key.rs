//! API keys: `ek_live_<id>_<secret><checksum>`, or `ek_test_…` (docs/api-keys.md).
//!
//! The prefix lets secret scanners find leaked keys, the checksum (CRC-32) refuses typos without
//! a query, the id finds the row by its primary key, and the row holds only the SHA-256 of the
//! whole key, whose secret has 160 bits and therefore needs no slow hash. Nothing compares
//! secrets: what the database compares are hashes, which tell a guesser nothing by their timing.

use crate::crypto::{checksum, fingerprint};
use crate::http::{Code, Error};
use crate::id::{is_random_text, random_text};

const ROW: &str = "key_";
const ID_CHARS: u32 = 16;
/// Characters of a secret's half: 80 bits.
const HALF_CHARS: u32 = 16;
/// `ek_live_`, id, `_`, secret.
const BODY_LENGTH: usize = 8 + 16 + 1 + 32;

/// What the events of a key count in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// The tenant's usage and quota.
    Live,
    /// Nothing: events are judged and answered, and not kept.
    Test,
}

impl Environment {
    /// The name in requests, rows and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// The environment of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Live, Self::Test]
            .into_iter()
            .find(|environment| environment.name() == name)
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "ek_live_",
            Self::Test => "ek_test_",
        }
    }

    fn of(text: &str) -> Option<Self> {
        [Self::Live, Self::Test]
            .into_iter()
            .find(|environment| text.starts_with(environment.prefix()))
    }
}

/// A key as a caller presents it: its checksum is right, and no more is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCredential {
    /// Which row.
    pub id: String,
    /// What the row must hold.
    pub secret_hash: String,
    /// As the text says; proven when the hash is, which covers it.
    pub environment: Environment,
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
pub fn make(environment: Environment, id_bytes: [u8; 16], secret_bytes: [u8; 32]) -> NewKey {
    let id = random_text(id_bytes, ID_CHARS);
    let (first, second) = secret_bytes.split_at(16);
    let half = |bytes: &[u8]| random_text(bytes.try_into().unwrap_or_default(), HALF_CHARS);
    let (first, second) = (half(first), half(second));
    let body = format!("{}{id}_{first}{second}", environment.prefix());
    let text = format!("{body}{}", hex_checksum(&body));
    let credential = KeyCredential {
        id: row_id(&id),
        secret_hash: fingerprint(&text),
        environment,
    };
    NewKey { text, credential }
}

/// Whether a bearer text is meant to be an API key.
pub fn looks_like(text: &str) -> bool {
    Environment::of(text).is_some()
}

/// The beginning of a key, by which people tell their keys apart; it is no secret.
pub(super) fn prefix(environment: Environment, row_id: &str) -> String {
    let id = row_id.strip_prefix(ROW).unwrap_or_default();
    format!("{}{id}", environment.prefix())
}

/// Reads a key.
///
/// # Errors
/// `API_KEY_INVALID` for anything that no installation can have issued.
pub fn read(text: &str) -> Result<KeyCredential, Error> {
    parse(text).ok_or_else(|| Error::new(Code::ApiKeyInvalid))
}

fn parse(text: &str) -> Option<KeyCredential> {
    let (body, given) = text.split_at_checked(text.len().checked_sub(8)?)?;
    let environment = Environment::of(body)?;
    let (id, _) = body.strip_prefix(environment.prefix())?.split_once('_')?;
    if hex_checksum(body) != given || body.len() != BODY_LENGTH {
        return None;
    }
    Some(KeyCredential {
        id: row_id(id),
        secret_hash: fingerprint(text),
        environment,
    })
}

/// Whether `text` could be the id of a key's row.
pub(super) fn is_row_id(text: &str) -> bool {
    text.strip_prefix(ROW)
        .is_some_and(|rest| rest.len() == 16 && is_random_text(rest))
}

fn row_id(id: &str) -> String {
    format!("{ROW}{id}")
}

fn hex_checksum(body: &str) -> String {
    format!("{:08x}", checksum(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: C-07
    #[test]
    fn a_new_key_reads_as_its_row() {
        for environment in [Environment::Live, Environment::Test] {
            let key = make(environment, [3; 16], [9; 32]);
            assert_eq!(read(&key.text).unwrap(), key.credential);
            let secret = &key.text[25..57];
            assert!(!key.credential.secret_hash.contains(secret));
            assert!(is_random_text(secret), "{secret}");
            // 32 characters of 5 bits.
            assert_eq!(key.text.len(), 65);
            assert!(is_row_id(&key.credential.id));
            assert!(
                key.text
                    .starts_with(&prefix(environment, &key.credential.id))
            );
        }
    }

    /// Every random bit ends up in the key.
    #[test]
    fn secrets_depend_on_all_their_bits() {
        let with = |at: usize| {
            let mut bytes = [0; 32];
            // The low 80 bits of each half are used.
            bytes[at] = 1;
            make(Environment::Live, [3; 16], bytes).text
        };
        let used = (0..32).filter(|at| with(*at) != make(Environment::Live, [3; 16], [0; 32]).text);
        assert_eq!(used.count(), 20);
    }

    #[test]
    fn typos_are_refused_without_a_query() {
        let key = make(Environment::Live, [3; 16], [9; 32]).text;
        for at in 0..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert!(read(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
        }
        let other = key.replace("ek_live_", "ek_test_");
        for text in ["", "ek_live_", "ek_live_é", "ek_live_a_b", &other] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
