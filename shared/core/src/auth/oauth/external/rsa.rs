//! RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.2): verification alone.
//!
//! Nothing here is secret, so no timing matters. The message is encoded anew and compared whole, which
//! leaves nothing to parse and so nothing to parse wrongly. Why not the `rsa` crate, is in
//! docs/decisions/0013-token-exchange.md.

use core::ops::RangeInclusive;

use crypto_bigint::modular::runtime_mod::{DynResidue, DynResidueParams};
use crypto_bigint::{Encoding as _, U64, U4096};
use sha2::{Digest as _, Sha256};

use crate::crypto::same;

/// Bytes of a modulus: 2048 bits at least (RFC 7518, section 3.3), and no more than costs little.
const MODULUS: RangeInclusive<usize> = 256..=512;
/// `DigestInfo` of SHA-256 (RFC 8017, section 9.2, note 1), before the hash itself.
const PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// Whether the holder of the key with modulus `n` and exponent `e` signed the message.
pub(super) fn verify(n: &[u8], e: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte & 1 == 1);
    let whole = MODULUS.contains(&n.len()) && n.first() != Some(&0) && signature.len() == n.len();
    // 65537 in life; 1 would make every message its own signature.
    let trivial = e
        .split_last()
        .is_some_and(|(last, rest)| *last == 1 && rest.iter().all(|byte| *byte == 0));
    if !whole || !odd(n) || !odd(e) || trivial || e.len() > 4 {
        return None;
    }
    let (modulus, signature) = (number(n)?, number(signature)?);
    if signature >= modulus {
        return None;
    }
    let mut exponent = [0; 8];
    exponent
        .get_mut(8_usize.checked_sub(e.len())?..)?
        .copy_from_slice(e);
    let power = DynResidue::new(&signature, DynResidueParams::new(&modulus))
        .pow_bounded_exp(&U64::from_be_bytes(exponent), 32)
        .retrieve();
    same(&power.to_be_bytes(), &encoded(message, n.len())?).then_some(())
}

fn number(bytes: &[u8]) -> Option<U4096> {
    let mut all = [0; 512];
    let start = all.len().checked_sub(bytes.len())?;
    all.get_mut(start..)?.copy_from_slice(bytes);
    Some(U4096::from_be_bytes(all))
}

/// What the signature must be the root of: `00 01 FF … FF 00`, prefix and hash, in `length` bytes.
fn encoded(message: &[u8], length: usize) -> Option<[u8; 512]> {
    let hash = Sha256::digest(message);
    let mut end = vec![0];
    end.extend(PREFIX);
    end.extend(hash);
    let mut all = [0; 512];
    let start = all.len().checked_sub(length)?;
    let body = all.get_mut(start..)?;
    let filled = body.len().checked_sub(end.len())?;
    let (head, tail) = body.split_at_mut_checked(filled)?;
    head.fill(0xff);
    head.get_mut(..2)?.copy_from_slice(&[0, 1]);
    tail.copy_from_slice(&end);
    Some(all)
}
