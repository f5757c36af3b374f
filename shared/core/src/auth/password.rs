//! Passwords: Argon2id with OWASP's parameters, kept as PHC strings.
//!
//! An isolate has one thread and hashing does not yield, so it hashes one password at a time and
//! its memory never holds more than one 19 MiB block.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use super::breach;
use crate::fields::Fields;
use crate::http::{Code, Context, Error};
use crate::port::Platform;

/// Shortest password, in characters: between the 8 that NIST SP 800-63B-4 asks of a password
/// with a second factor and the 15 it asks of one alone.
pub const MIN_CHARS: usize = 12;
/// Longest password, in characters; longer ones only make hashing a weapon.
pub const MAX_CHARS: usize = 128;

/// A hash nobody's password has, so that unknown accounts cost the same time. Same parameters
/// as [`hasher`]; a test keeps it so.
pub(super) const UNUSABLE: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What [`hash`] makes now; anything else was made with other parameters.
const CURRENT: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

/// Reads a new password from the field `password`, by the one set of rules for registration,
/// change and reset: its length, and nothing about which characters (NIST SP 800-63B-4, 3.1.1.2).
///
/// # Errors
/// `PASSWORD_TOO_SHORT` or `PASSWORD_TOO_LONG`, `VALIDATION` for what is no text.
pub(super) fn read(fields: &mut Fields) -> Result<String, Error> {
    let password = fields.text("password", 0, usize::MAX)?;
    let refused = |code| Err(Error::new(code).with_field("password"));
    match password.chars().count() {
        length if length < MIN_CHARS => refused(Code::PasswordTooShort),
        length if length > MAX_CHARS => refused(Code::PasswordTooLong),
        _ => Ok(password),
    }
}

/// The rules that need to know whose password it is, and whether the world knows it.
///
/// # Errors
/// `PASSWORD_IS_EMAIL`, and those of [`breach::check`].
pub(super) async fn check<P: Platform>(
    cx: &Context<'_, P>,
    password: &str,
    email: &str,
) -> Result<(), Error> {
    let lower = password.trim().to_lowercase();
    let local = email.rsplit_once('@').map_or(email, |(local, _)| local);
    if lower == email || lower == local {
        return Err(Error::new(Code::PasswordIsEmail).with_field("password"));
    }
    breach::check(cx, password).await
}

/// Whether a stored hash was made with other parameters than today's, so that the next sign-in
/// replaces it.
pub(super) fn is_outdated(stored: &str) -> bool {
    !stored.starts_with(CURRENT)
}

/// 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
fn hasher() -> Result<Argon2<'static>, Error> {
    let params = Params::new(19_456, 2, 1, Some(32)).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password.
pub fn hash(password: &str, salt: [u8; 16]) -> Result<String, Error> {
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    let hash = hasher()?
        .hash_password(password.as_bytes(), &salt)
        .map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether the password is right. `None` stands for an unknown account and takes as long.
pub fn verify(password: &str, stored: Option<&str>) -> Result<bool, Error> {
    let parsed = PasswordHash::new(stored.unwrap_or(UNUSABLE)).map_err(failed)?;
    let right = hasher()?
        .verify_password(password.as_bytes(), &parsed)
        .is_ok();
    Ok(right && stored.is_some())
}

fn failed(error: impl core::fmt::Display) -> Error {
    Error::new(Code::Internal).with_cause(format!("password hashing: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_verifies_against_its_own_hash_alone() {
        let stored = hash("correct horse battery", [1; 16]).unwrap();
        assert!(
            stored.starts_with(CURRENT) && !is_outdated(&stored),
            "{stored}"
        );
        assert!(is_outdated(&stored.replace("t=2", "t=1")));
        assert!(verify("correct horse battery", Some(&stored)).unwrap());
        assert!(!verify("correct horse batterz", Some(&stored)).unwrap());
        assert!(!verify("correct horse battery", None).unwrap());
    }

    #[test]
    fn nobodys_hash_costs_the_same_work() {
        let stored = hash("x", [1; 16]).unwrap();
        let parameters = |text: &str| text.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(UNUSABLE), parameters(&stored));
        assert_eq!(UNUSABLE.len(), stored.len());
    }
}
