//! Secrets at rest: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), so that a leaked database makes
//! no codes. Its nonce is long enough to be drawn at random. The user's id is sealed along, so
//! that nobody can be given another's secret by swapping rows.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::crypto::{base64url, from_base64url};
use crate::http::{Code, Error};

const VERSION: &str = "x1.";
/// Length of a nonce in bytes.
pub(super) const NONCE: usize = 24;

/// The text of a secret, sealed for a user by the first of `keys`.
pub(super) fn seal(
    keys: &[[u8; 32]],
    user: &str,
    secret: &[u8],
    nonce: [u8; NONCE],
) -> Result<String, Error> {
    let failed = || Error::new(Code::Internal).with_cause("a secret was not sealed");
    let key = keys.first().ok_or_else(failed)?;
    let payload = Payload {
        msg: secret,
        aad: user.as_bytes(),
    };
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(XNonce::from_slice(&nonce), payload)
        .map_err(|_| failed())?;
    Ok(format!(
        "{VERSION}{}",
        base64url(&[&nonce[..], &sealed].concat())
    ))
}

/// A secret that was opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) secret: Vec<u8>,
    /// Sealed by a former key: seal it again before that key is dropped.
    pub(super) stale: bool,
}

/// Opens what one of `keys` sealed for this user.
///
/// # Errors
/// `INTERNAL` where none of them did: a secret was dropped from the configuration too early.
pub(super) fn open(keys: &[[u8; 32]], user: &str, text: &str) -> Result<Opened, Error> {
    let by = |key: &[u8; 32]| {
        let bytes = from_base64url(text.strip_prefix(VERSION)?)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let payload = Payload {
            msg: sealed,
            aad: user.as_bytes(),
        };
        let cipher = XChaCha20Poly1305::new(key.into());
        cipher.decrypt(XNonce::from_slice(nonce), payload).ok()
    };
    let found = keys
        .iter()
        .enumerate()
        .find_map(|(index, key)| by(key).map(|secret| (index, secret)));
    let (index, secret) = found.ok_or_else(|| {
        Error::new(Code::Internal).with_cause("no key of JWT_REFRESH_SECRET opens this secret")
    })?;
    Ok(Opened {
        secret,
        stale: index > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [u8; 32] = [1; 32];
    const TWO: [u8; 32] = [2; 32];

    /// Rows: D-07
    #[test]
    fn secrets_open_for_their_user_by_current_and_former_keys_alone() {
        let text = seal(&[ONE], "usr_1", b"secret", [9; NONCE]).unwrap();
        assert!(!text.contains("secret"), "{text}");
        let opened = open(&[ONE], "usr_1", &text).unwrap();
        assert_eq!(
            (opened.secret.as_slice(), opened.stale),
            (&b"secret"[..], false)
        );
        assert!(open(&[TWO, ONE], "usr_1", &text).unwrap().stale);
        assert!(open(&[TWO], "usr_1", &text).is_err());
        assert!(open(&[ONE], "usr_2", &text).is_err());
    }

    #[test]
    fn every_changed_or_missing_character_is_refused() {
        let text = seal(&[ONE], "usr_1", &[7; 20], [9; NONCE]).unwrap();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(open(&[ONE], "usr_1", &changed).is_err(), "{at}");
            assert!(open(&[ONE], "usr_1", &text[..at]).is_err(), "{at}");
        }
    }
}
