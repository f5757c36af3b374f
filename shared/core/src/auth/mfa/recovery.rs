//! Recovery codes, for when the factor is lost: each works once.
//!
//! 80 random bits make a plain hash enough at rest: there is nothing to guess offline (NIST
//! SP 800-63B-4, section 3.1.2, look-up secrets). It is salted by the user's id.

use crate::crypto::{base64url, digest};
use crate::http::{Context, Error};
use crate::id::random_text;
use crate::port::Platform;

/// Codes of a set.
pub(super) const COUNT: usize = 10;
/// Characters of a code, five bits each.
const CHARS: u32 = 16;

/// A new set, as it is shown once.
pub(super) fn draw<P: Platform>(cx: &Context<'_, P>) -> Result<Vec<String>, Error> {
    (0..COUNT)
        .map(|_| Ok(grouped(&random_text(cx.random()?, CHARS))))
        .collect()
}

/// Four characters at a time, to be copied by hand.
fn grouped(code: &str) -> String {
    code.char_indices()
        .flat_map(|(at, symbol)| {
            let dash = (at > 0 && at % 4 == 0).then_some('-');
            dash.into_iter().chain(core::iter::once(symbol))
        })
        .collect()
}

/// How a code is kept. Case, blanks and dashes do not matter, and letters that look like digits
/// are read as those (Crockford's base 32).
pub(super) fn hash(user: &str, code: &str) -> String {
    let plain: String = code
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    base64url(&digest(&[b"recovery", user.as_bytes(), plain.as_bytes()]))
}

/// The hashes of a set as one JSON parameter, a list of lists of one text.
pub(super) fn hashes(user: &str, codes: &[String]) -> String {
    let rows: Vec<[String; 1]> = codes.iter().map(|code| [hash(user, code)]).collect();
    serde_json::json!(rows).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: D-07
    #[test]
    fn codes_are_read_as_people_write_them() {
        let code = grouped(&random_text([7; 16], CHARS));
        assert_eq!(code.len(), 19);
        assert_eq!(code.matches('-').count(), 3);
        let kept = hash("usr_1", &code);
        assert_eq!(hash("usr_1", &code.to_uppercase().replace('-', " ")), kept);
        assert_ne!(hash("usr_2", &code), kept);
        assert_eq!(hash("usr_1", "O0Il"), hash("usr_1", "0011"));
    }
}
