//! From where a key may be used: networks in CIDR form (RFC 4632, RFC 4291).

use core::fmt;
use core::net::IpAddr;

use crate::http::Error;

/// Networks of one key at most.
pub(super) const MOST: usize = 20;

/// A network, with no bit set behind its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// `203.0.113.0/24`, `2001:db8::/32`, or an address alone.
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(prefix.parse().ok()?))
            }
            Some(_) => return None,
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (bits, width) = number(address);
        let prefix: u32 = prefix.unwrap_or(width);
        let behind = width.checked_sub(prefix)?;
        let clean = behind == 0 || bits.trailing_zeros() >= behind;
        clean.then_some(Self { address, prefix })
    }

    fn holds(self, address: IpAddr) -> bool {
        let ((network, width), (given, other)) = (number(self.address), number(address));
        let behind = width.saturating_sub(self.prefix);
        // A shift by the whole width leaves nothing that could differ.
        width == other && network.checked_shr(behind) == given.checked_shr(behind)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The address as a number, and how many bits it has.
fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

/// The stored form of a wish: networks with a space between them; `None` for everywhere.
///
/// # Errors
/// `VALIDATION` naming `allowed_ips`.
pub(super) fn stored(wanted: Option<Vec<String>>) -> Result<Option<String>, Error> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let refused = || {
        let rule = format!(
            "Must be 1 to {MOST} networks such as 203.0.113.0/24 or 2001:db8::/32, with no bit set \
             behind the prefix."
        );
        Error::invalid("allowed_ips", rule)
    };
    let networks: Option<Vec<_>> = wanted.iter().map(|text| Network::parse(text)).collect();
    let networks = networks.filter(|list| !list.is_empty());
    let texts: Vec<_> = networks
        .ok_or_else(refused)?
        .iter()
        .map(ToString::to_string)
        .collect();
    Ok(Some(texts.join(" ")))
}

/// Whether a client may use a key with this list. An address that cannot be read may not.
pub(crate) fn admits(list: &str, client: &str) -> bool {
    // A socket of both families shows IPv4 clients as ::ffff:203.0.113.7.
    let Ok(client) = client.parse::<IpAddr>().map(|client| client.to_canonical()) else {
        return false;
    };
    list.split(' ')
        .filter_map(Network::parse)
        .any(|network| network.holds(client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (list, client, wanted) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.0/24", "::ffff:203.0.113.9", true),
            ("203.0.113.7/32", "203.0.113.6", false),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "198.51.100.1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("10.0.0.0/8 2001:db8::1/128", "2001:db8::1", true),
            ("10.0.0.0/8", "", false),
            ("10.0.0.0/8", "unknown", false),
            ("", "10.0.0.1", false),
        ] {
            assert_eq!(admits(list, client), wanted, "{client} in {list}");
        }
    }

    #[test]
    fn wishes_are_stored_in_one_form() {
        let store = |list: &[&str]| stored(Some(list.iter().map(ToString::to_string).collect()));
        let kept = store(&["203.0.113.0/24", "10.1.2.3", "2001:DB8:0::/32"]).unwrap();
        assert_eq!(
            kept.as_deref(),
            Some("203.0.113.0/24 10.1.2.3/32 2001:db8::/32")
        );
        assert_eq!(stored(None).unwrap(), None);
        for bad in [
            &[][..],
            &["203.0.113.1/24"],
            &["203.0.113.0/33"],
            &["::1/129"],
            &["10.0.0.0/+8"],
            &["10.0.0.0/"],
            &["10.0.0.0/8", "x"],
            &["10.0.0.0/8 ::/0"],
        ] {
            assert_eq!(
                store(bad).unwrap_err().field(),
                Some("allowed_ips"),
                "{bad:?}"
            );
        }
    }
}
