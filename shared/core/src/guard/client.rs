//! Whose request it is by its address, and what of that address is counted and shown.
//!
//! Every limit that counts by address takes it from here: the general one and the exact ones.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::app::Ready;
use crate::http::HeaderSource;
use crate::log::Line;
use crate::port::{Level, Platform};
use crate::time::Millis;

/// Hops of `X-Forwarded-For` that are read, from the right; nobody has more proxies of their own.
const MAX_HOPS: usize = 16;

/// The networks of `TRUSTED_PROXIES`.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<Network>);

#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Proxies {
    /// Adds a network such as `10.0.0.0/8` or a single address; false when it is neither, or so
    /// wide that it would trust strangers.
    pub(crate) fn add(&mut self, text: &str) -> bool {
        let network = Network::parse(text);
        self.0.extend(network);
        network.is_some()
    }

    fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(address))
    }
}

impl Network {
    /// Half of all addresses is no proxy; the widest private network is `fc00::/7`.
    const WIDEST: u32 = 7;

    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let given: IpAddr = address.parse().ok()?;
        let address = given.to_canonical();
        let length = |address: IpAddr| if address.is_ipv4() { 32_u32 } else { 128 };
        // Of ::ffff:10.0.0.0/104 the first 96 bits say only that it is IPv4.
        let mapped = length(given).saturating_sub(length(address));
        let bits = match bits {
            None => length(address),
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse::<u32>().ok()?.checked_sub(mapped)?
            }
            Some(_) => return None,
        };
        (Self::WIDEST..=length(address))
            .contains(&bits)
            .then_some(Self { address, bits })
    }

    fn holds(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(network), IpAddr::V4(other)) => {
                let differing = network.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(network), IpAddr::V6(other)) => {
                let differing = network.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

/// The client's address: behind our own proxies what they say, else `peer`, for which the platform
/// vouches. Empty for calls between components, which have none.
pub(crate) fn of_request(peer: &str, headers: &dyn HeaderSource, proxies: &Proxies) -> String {
    address(peer).map_or_else(String::new, |peer| {
        behind(peer, headers, proxies).to_string()
    })
}

/// What limits count of an address: IPv4 whole, IPv6 by its /64, which is what one subscriber
/// gets. A text that is no address, such as an e-mail address, is counted as it is.
pub fn source(text: &str) -> String {
    match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => text.to_owned(),
    }
}

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

/// The client behind our own proxies. Each proxy appends the address it was called from, so from
/// the right on the first one that is not ours is the client; what stands left of it was sent by
/// the client and may be made up. Only this field is read: a proxy that sets it passes
/// `Forwarded` (RFC 7239) on as the client wrote it.
fn behind(peer: IpAddr, headers: &dyn HeaderSource, proxies: &Proxies) -> IpAddr {
    if !proxies.hold(peer) {
        return peer;
    }
    let Some(field) = headers.header("x-forwarded-for") else {
        return peer;
    };
    let mut client = peer;
    for hop in field.rsplit(',').take(MAX_HOPS) {
        // What cannot be read says nothing of what is left of it.
        let Some(address) = address(hop.trim()) else {
            break;
        };
        client = address;
        if !proxies.hold(address) {
            break;
        }
    }
    client
}

/// An address as proxies write it: with a port or without, IPv6 in brackets or not; IPv4 within
/// IPv6 becomes IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

/// Says once that a proxy seems to stand in front and was not named: then all clients share one
/// limit, and one of them can lock the others out.
pub(crate) fn warn_behind_proxy<P: Platform>(
    platform: &P,
    ready: Option<&Ready>,
    peer: &str,
    now: Millis,
) {
    let strict = |ready: &&Ready| ready.config.environment.is_strict();
    let Some(ready) = ready.filter(strict) else {
        return;
    };
    let inside = ready.config.trusted_proxies.0.is_empty() && address(peer).is_some_and(is_private);
    if inside && !ready.proxy_warned.replace(true) && Level::Warn >= ready.config.log_level {
        let why =
            "clients come from a private address: set TRUSTED_PROXIES, or all share one limit";
        Line::new(Level::Warn, "client.behind_proxy", now)
            .with("message", why)
            .write(platform);
    }
}

/// Addresses that no client on the internet has: loopback, private, link-local, and those that
/// providers share (RFC 1918, 4193, 4291, 6598).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [a, b, ..] = four.octets();
            let shared = a == 100 && b & 0xc0 == 64;
            four.is_loopback() || four.is_private() || four.is_link_local() || shared
        }
        IpAddr::V6(six) => {
            six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests;
