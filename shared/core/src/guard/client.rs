//! The client's address, shortened to what it may be known by.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of an address, as it is kept and shown: /24 for IPv4, /48 for IPv6. Enough for an
/// owner to tell home from abroad, too little to find a person.
pub fn network(address: &str) -> Option<String> {
    match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(format!("{}/24", Ipv4Addr::new(a, b, c, 0)))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            Some(format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
        }
    }
}

/// What one subscriber is counted by: an IPv4 address as it is, an IPv6 address by its /64.
pub fn source(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        Ok(known) => known.to_canonical().to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shortened() {
        let cases = [
            ("203.0.113.7", Some("203.0.113.0/24")),
            ("::ffff:203.0.113.7", Some("203.0.113.0/24")),
            ("2001:db8:1:2::3", Some("2001:db8:1::/48")),
            ("", None),
            ("localhost", None),
        ];
        for (address, short) in cases {
            assert_eq!(network(address).as_deref(), short, "{address}");
        }
    }
}
