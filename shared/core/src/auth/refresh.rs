//! Refresh tokens: opaque, and one counter per session instead of a row per token.
//!
//! `1 ‖ session ‖ counter ‖ HMAC ‖ checksum`. The token of a counter is always the same text,
//! so two requests that race with one token get the same successor, without storing it. What
//! the checksum refuses never reaches the HMAC, and what the HMAC refuses never the database.

use crate::crypto::{base64url, checksum, from_base64url, hmac_sha256, same};

const PREFIX: &str = "er_";
const VERSION: u8 = 1;
/// Length of a session id.
const SESSION: usize = 30;
const MAC: usize = 16;

/// A refresh token whose HMAC is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The session it belongs to.
    pub session: String,
    /// Which successor it is, from 0.
    pub counter: i64,
}

impl Refresh {
    /// The token's text.
    pub fn seal(&self, key: &[u8; 32]) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.session.as_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        let mac = hmac_sha256(key, &[&bytes]);
        bytes.extend(mac.into_iter().take(MAC));
        bytes.extend_from_slice(&checksum(&bytes).to_be_bytes());
        format!("{PREFIX}{}", base64url(&bytes))
    }

    /// Reads a token that this installation made; `None` for any other text.
    pub fn open(text: &str, key: &[u8; 32]) -> Option<Self> {
        let bytes = from_base64url(text.strip_prefix(PREFIX)?)?;
        let (sealed, given) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if checksum(sealed).to_be_bytes() != given {
            return None;
        }
        let (signed, mac) = sealed.split_at_checked(sealed.len().checked_sub(MAC)?)?;
        let expected = hmac_sha256(key, &[signed]);
        if !same(expected.get(..MAC)?, mac) {
            return None;
        }
        let (version, rest) = signed.split_first()?;
        let (session, counter) = rest.split_at_checked(SESSION)?;
        if *version != VERSION {
            return None;
        }
        Some(Self {
            session: String::from_utf8(session.to_vec()).ok()?,
            counter: i64::from_be_bytes(counter.try_into().ok()?),
        })
    }

    /// The token that follows.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            session: self.session.clone(),
            counter: self.counter.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn token() -> Refresh {
        Refresh {
            session: "ses_01k9z0000000000000000000aa".to_owned(),
            counter: 41,
        }
    }

    #[test]
    fn tokens_open_to_what_was_sealed_and_repeat() {
        let text = token().seal(&KEY);
        assert_eq!(Refresh::open(&text, &KEY), Some(token()));
        assert_eq!(token().next().seal(&KEY), token().next().seal(&KEY));
        assert_eq!(Refresh::open(&text, &[8; 32]), None);
    }

    #[test]
    fn every_changed_or_missing_character_is_refused() {
        let text = token().seal(&KEY);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(Refresh::open(&changed, &KEY), None, "{at}");
            assert_eq!(Refresh::open(&text[..at], &KEY), None, "{at}");
        }
    }
}
