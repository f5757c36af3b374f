//! Time-based one-time passwords (RFC 6238): HMAC-SHA-1, six digits, steps of 30 seconds, which
//! is what every authenticator app speaks.

use hmac::{Hmac, Mac as _};
use sha1::Sha1;

use crate::crypto::same;
use crate::time::Millis;

/// Length of a secret in bytes: 160 bits, as RFC 4226 (section 4, R6) recommends.
pub(super) const SECRET: usize = 20;
const STEP_SECONDS: i64 = 30;
/// Steps accepted before and after the current one, for clocks that differ and people who type
/// (RFC 6238, section 5.2).
const DRIFT: i64 = 1;

/// The code of one step (RFC 4226, section 5.3).
fn code(secret: &[u8], step: i64) -> String {
    // HMAC takes keys of every length, so the error cannot happen.
    let mut mac = <Hmac<Sha1> as hmac::Mac>::new_from_slice(secret)
        .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha1>>::default()));
    mac.update(&step.to_be_bytes());
    let mac = mac.finalize().into_bytes();
    let offset = usize::from(mac.last().copied().unwrap_or(0) & 15);
    let number = mac
        .iter()
        .skip(offset)
        .take(4)
        .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// The step after `last` whose code this is, if it is one of those accepted now. A step that
/// was used is never accepted again (RFC 6238, section 5.2).
pub(super) fn step_of(secret: &[u8], given: &str, now: Millis, last: i64) -> Option<i64> {
    let current = now.seconds().div_euclid(STEP_SECONDS);
    let from = current.saturating_sub(DRIFT);
    (from..=current.saturating_add(DRIFT))
        .filter(|step| *step > last)
        .find(|step| same(code(secret, *step).as_bytes(), given.as_bytes()))
}

/// Base 32 (RFC 4648, section 6) without padding: how apps and people read secrets.
pub(super) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    bytes
        .chunks(5)
        .flat_map(|chunk| {
            let bits = (0..5).fold(0_u64, |bits, at| {
                (bits << 8) | u64::from(chunk.get(at).copied().unwrap_or(0))
            });
            let symbols = chunk.len().saturating_mul(8).div_ceil(5);
            (0..8_u32).take(symbols).map(move |at| {
                let index =
                    usize::try_from((bits >> 35_u32.saturating_sub(at.saturating_mul(5))) & 31);
                let symbol = index.ok().and_then(|index| ALPHABET.get(index));
                symbol.map_or('A', |symbol| char::from(*symbol))
            })
        })
        .collect()
}

/// The URI that authenticator apps read from a QR code (Key URI Format).
pub(super) fn uri(issuer: &str, account: &str, secret: &str) -> String {
    let (issuer, account) = (percent(issuer), percent(account));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}\
         &algorithm=SHA1&digits=6&period={STEP_SECONDS}"
    )
}

/// Percent-encoding of everything but unreserved characters (RFC 3986, section 2.3).
fn percent(text: &str) -> String {
    text.bytes()
        .flat_map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                vec![char::from(byte)]
            }
            _ => format!("%{byte:02X}").chars().collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"12345678901234567890";

    /// RFC 6238, appendix B (SHA-1): the last six of its eight digits.
    ///
    /// Rows: D-01
    #[test]
    fn codes_match_the_published_vectors() {
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (time, expected) in vectors {
            assert_eq!(code(KEY, time / 30), expected, "{time}");
        }
    }

    /// RFC 4226, appendix D.
    #[test]
    fn codes_match_the_vectors_of_hotp() {
        let expected = ["755224", "287082", "359152", "969429", "338314"];
        for (step, expected) in (0..).zip(expected) {
            assert_eq!(code(KEY, step), expected);
        }
    }

    /// Rows: D-06
    #[test]
    fn one_step_to_either_side_is_accepted_and_none_twice() {
        let now = Millis(1_795_173_420_000);
        let current = now.seconds() / 30;
        for (step, accepted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let given = code(KEY, current + step);
            let found = step_of(KEY, &given, now, 0);
            assert_eq!(found, accepted.then_some(current + step), "{step}");
        }
        let given = code(KEY, current);
        assert_eq!(step_of(KEY, &given, now, current), None);
        assert_eq!(step_of(KEY, &given, now, current - 1), Some(current));
        assert_eq!(step_of(KEY, "", now, 0), None);
    }

    /// RFC 4648, section 10.
    #[test]
    fn base32_matches_the_published_vectors() {
        let vectors = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (plain, expected) in vectors {
            assert_eq!(base32(plain.as_bytes()), expected);
        }
    }

    #[test]
    fn uris_hold_nothing_that_apps_could_misread() {
        let uri = uri("A&B: C", "a+b@example.com", "MZXW6");
        assert_eq!(
            uri,
            "otpauth://totp/A%26B%3A%20C:a%2Bb%40example.com?secret=MZXW6\
             &issuer=A%26B%3A%20C&algorithm=SHA1&digits=6&period=30"
        );
    }
}
