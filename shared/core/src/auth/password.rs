//! Passwords: Argon2id with OWASP's parameters, kept as PHC strings.
//!
//! An isolate has one thread and hashing does not yield, so it hashes one password at a time, always
//! in the same 19 MiB (`Memory`).

use core::cell::RefCell;
use core::fmt;

use argon2::password_hash::{Output, ParamsString, PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::breach;
use crate::app::Ready;
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

/// What Argon2id works in, from the first password of an isolate to its end. Wasm gives no memory
/// back, and allocators that put something small into a freed block ask for another one beside it:
/// the native server grew by gigabytes.
#[derive(Default)]
pub(crate) struct Memory(RefCell<Vec<Block>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Memory {
    fn run(&self, hasher: &Argon2<'_>, password: &str, salt: &[u8]) -> Result<Output, Error> {
        let mut blocks = self.0.borrow_mut();
        let params = hasher.params();
        if blocks.len() < params.block_count() {
            blocks.resize(params.block_count(), Block::default());
        }
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = Output::init_with(length, |out| {
            let into = blocks.as_mut_slice();
            Ok(hasher.hash_password_into_with_memory(password.as_bytes(), salt, out, into)?)
        });
        output.map_err(failed)
    }
}

/// 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
fn params() -> Result<Params, Error> {
    Params::new(19_456, 2, 1, Some(32)).map_err(failed)
}

/// The PHC string of a password.
pub(super) fn hash(ready: &Ready, password: &str, salt: [u8; 16]) -> Result<String, Error> {
    let (algorithm, version, params) = (Algorithm::Argon2id, Version::V0x13, params()?);
    let shown = ParamsString::try_from(&params).map_err(failed)?;
    let hasher = Argon2::new(algorithm, version, params);
    let hash = ready.hashing.run(&hasher, password, &salt)?;
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    let phc = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: shown,
        salt: Some(salt.as_salt()),
        hash: Some(hash),
    };
    Ok(phc.to_string())
}

/// Whether the password is right. `None` stands for an unknown account and takes as long, and so
/// does the empty text, which is what a closed account has.
pub(super) fn verify(ready: &Ready, password: &str, stored: Option<&str>) -> Result<bool, Error> {
    let stored = stored.filter(|stored| !stored.is_empty());
    let parsed = PasswordHash::new(stored.unwrap_or(UNUSABLE)).map_err(failed)?;
    let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else {
        return Err(failed("a stored hash without salt or hash"));
    };
    let algorithm = Algorithm::try_from(parsed.algorithm).map_err(failed)?;
    let version = parsed.version.map(Version::try_from).transpose();
    let version = version.map_err(failed)?.unwrap_or_default();
    let hasher = Argon2::new(
        algorithm,
        version,
        Params::try_from(&parsed).map_err(failed)?,
    );
    let mut bytes = [0; 64];
    let salt = salt.decode_b64(&mut bytes).map_err(failed)?;
    // Compares in constant time.
    let right = ready.hashing.run(&hasher, password, salt)? == expected;
    Ok(right && stored.is_some())
}

fn failed(error: impl fmt::Display) -> Error {
    Error::new(Code::Internal).with_cause(format!("password hashing: {error}"))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;
    use crate::app::App;

    fn app() -> App {
        App::new(|name| match name {
            "ENVIRONMENT" => Some("test".to_owned()),
            "JWT_SECRET" => Some("an access secret of more than 32 characters".to_owned()),
            "JWT_REFRESH_SECRET" => Some("a refresh secret of more than 32 characters".to_owned()),
            "SERVICE_JWT_SECRET" => Some("a service secret of more than 32 characters".to_owned()),
            _ => None,
        })
    }

    fn hash(password: &str, salt: [u8; 16]) -> Result<String, Error> {
        super::hash(app().ready().unwrap(), password, salt)
    }

    fn verify(password: &str, stored: Option<&str>) -> Result<bool, Error> {
        super::verify(app().ready().unwrap(), password, stored)
    }

    #[test]
    fn hashes_are_those_of_argon2_itself_whatever_was_hashed_before() {
        let app = app();
        let ready = app.ready().unwrap();
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        // The larger one first: what it leaves behind must not count.
        for (memory, passes) in [(19_456, 2), (8_192, 1), (19_456, 2), (16, 3)] {
            let params = Params::new(memory, passes, 1, Some(32)).unwrap();
            let theirs = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let theirs = theirs.hash_password(b"a pass phrase", &salt).unwrap();
            let theirs = theirs.to_string();
            assert!(super::verify(ready, "a pass phrase", Some(&theirs)).unwrap());
            assert!(!super::verify(ready, "a pass phrasf", Some(&theirs)).unwrap());
        }
        let place = || ready.hashing.0.borrow().as_ptr();
        let before = place();
        let ours = super::hash(ready, "a pass phrase", [7; 16]).unwrap();
        assert_eq!(place(), before, "in the same memory");
        let parsed = PasswordHash::new(&ours).unwrap();
        let theirs = Argon2::default().verify_password(b"a pass phrase", &parsed);
        assert_eq!(theirs, Ok(()));
    }

    /// A request that was let in may read the account a moment after it was closed.
    #[test]
    fn a_closed_account_has_no_password_and_no_broken_one() {
        assert!(!verify("correct horse battery", Some("")).unwrap());
        assert!(!verify("", Some("")).unwrap());
    }

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
