//! Prefixed, time-ordered ids: `usr_01k9…`, sortable by creation, safe in URLs.

use crate::port::EntropyError;
use crate::time::Millis;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new id: `prefix_`, then 26 characters of Crockford base 32 that hold 48 bits of time and
/// 80 random bits (the layout of a ULID, lower case).
pub fn new(prefix: &str, now: Millis, random: [u8; 10]) -> String {
    let time = u128::from(now.0.unsigned_abs()) & 0xffff_ffff_ffff;
    let tail = random
        .iter()
        .fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let bits = (time << 80) | tail;
    let mut id = String::with_capacity(prefix.len().saturating_add(27));
    id.push_str(prefix);
    id.push('_');
    for shift in (0..26).rev() {
        id.push(symbol(bits >> 5_u32.saturating_mul(shift)));
    }
    id
}

/// `count` characters (at most 25) of base 32 from random bytes.
pub fn random_text(random: [u8; 16], count: u32) -> String {
    let bits = u128::from_be_bytes(random);
    (0..count.min(25))
        .map(|index| symbol(bits >> 5_u32.saturating_mul(index)))
        .collect()
}

fn symbol(bits: u128) -> char {
    let index = usize::try_from(bits & 31).unwrap_or(0);
    ALPHABET.get(index).map_or('0', |byte| char::from(*byte))
}

/// Whether `text` could be from [`random_text`], whatever its length.
pub fn is_random_text(text: &str) -> bool {
    text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// Whether `text` could be an id with that prefix; cheaper than asking the database.
pub fn is_id(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .is_some_and(|rest| rest.len() == 26 && is_random_text(rest))
}

/// Draws the random part of an id from the platform.
pub fn draw(
    prefix: &str,
    now: Millis,
    random: impl FnOnce(&mut [u8]) -> Result<(), EntropyError>,
) -> Result<String, EntropyError> {
    let mut bytes = [0; 10];
    random(&mut bytes)?;
    Ok(new(prefix, now, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_recognised() {
        let early = new("usr", Millis(1_000), [255; 10]);
        let late = new("usr", Millis(1_001), [0; 10]);
        assert!(early < late);
        assert!(is_id("usr", &early));
        assert!(!is_id("ten", &early));
        assert!(!is_id("usr", "usr_short"));
        assert_eq!(early.len(), 30);
    }
}
