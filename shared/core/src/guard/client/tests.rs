use super::*;

struct Field(Option<String>);

impl HeaderSource for Field {
    fn header(&self, name: &str) -> Option<String> {
        // The client writes this one, and proxies pass it on.
        let forged = (name == "forwarded").then(|| "for=198.51.100.66".to_owned());
        self.0
            .clone()
            .filter(|_| name == "x-forwarded-for")
            .or(forged)
    }
}

fn proxies(list: &str) -> Proxies {
    let mut proxies = Proxies::default();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        assert!(proxies.add(part), "{part}");
    }
    proxies
}

fn client(peer: &str, field: &str, trusted: &str) -> String {
    let field = Field(Some(field.to_owned()));
    source(&of_request(peer, &field, &proxies(trusted)))
}

#[test]
fn without_trusted_proxies_the_field_is_ignored() {
    for peer in ["127.0.0.1", "10.0.0.9", "203.0.113.7"] {
        assert_eq!(client(peer, "198.51.100.1", ""), peer);
        assert_eq!(client(peer, "198.51.100.1", "192.0.2.0/24"), peer);
    }
}

#[test]
fn behind_trusted_proxies_the_rightmost_other_address_counts() {
    let trusted = "127.0.0.0/8,10.0.0.0/8,::1,fd00::/8";
    let cases = [
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        // What the client sent itself stands further left.
        ("127.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "10.1.1.1,203.0.113.7,10.9.9.9", "203.0.113.7"),
        ("::1", "203.0.113.7:4711", "203.0.113.7"),
        ("::1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fd00::2", "[2001:db8:1:2:3::4]:443", "2001:db8:1:2::/64"),
        ("fd00::2", "[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
        // The same addresses written as IPv6.
        ("::ffff:127.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7, ::ffff:10.0.0.1", "203.0.113.7"),
        // A client inside is the last we know of.
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "6.6.6.6, unknown, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
    ];
    for (peer, field, wanted) in cases {
        assert_eq!(client(peer, field, trusted), wanted, "{peer} {field}");
    }
    assert_eq!(of_request("::1", &Field(None), &proxies(trusted)), "::1");
}

#[test]
fn hostile_fields_neither_panic_nor_grow() {
    let long = "10.0.0.1,".repeat(100_000) + "10.0.0.2";
    assert_eq!(client("10.0.0.1", &long, "10.0.0.0/8"), "10.0.0.1");
    let odd = [
        ",".repeat(10_000),
        "[".repeat(10_000),
        "]".to_owned(),
        "[]".to_owned(),
        "[]:1".to_owned(),
        "\u{0}\u{7f}\u{fffd}é".to_owned(),
        "999.1.1.1".to_owned(),
        "1.2.3.4:99999".to_owned(),
        "fe80::1%eth0".to_owned(),
        "for=203.0.113.7".to_owned(),
        "a".repeat(100_000),
    ];
    for field in odd {
        let found = client("10.0.0.1", &field, "10.0.0.0/8");
        assert_eq!(found, "10.0.0.1");
        assert_eq!(client(&field, "203.0.113.7", "10.0.0.0/8"), "");
    }
}

#[test]
fn networks_are_compared_by_their_bits() {
    let cases = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.1.2.3/8", "10.9.9.9", true),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.6", false),
        ("192.0.2.6/31", "192.0.2.7", true),
        ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false),
        ("::1", "::1", true),
        ("::ffff:10.0.0.0/104", "10.2.3.4", true),
        ("10.0.0.0/8", "::ffff:a00:1", true),
        ("fc00::/7", "10.0.0.1", false),
    ];
    for (network, other, wanted) in cases {
        let other = address(other).unwrap();
        assert_eq!(proxies(network).hold(other), wanted, "{network} {other}");
    }
    for bad in [
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "10.0.0/8",
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/1",
        "::ffff:0.0.0.0/96",
        "proxy.internal",
        "10.0.0.1:80",
    ] {
        assert!(!Proxies::default().add(bad), "{bad}");
    }
}

/// Rows: E-17
#[test]
fn ipv6_counts_by_subscriber() {
    let counted = |text: &str| client(text, "", "");
    assert_eq!(
        counted("2001:db8:1:2:3::1"),
        counted("2001:db8:1:2:ffff::9")
    );
    assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
    assert_ne!(counted("10.0.0.1"), counted("10.0.0.2"));
    assert_eq!(counted("::ffff:10.0.0.1"), counted("10.0.0.1"));
}

#[test]
fn private_addresses_are_told_from_public_ones() {
    for inside in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "::1",
        "fd12::1",
        "fe80::1",
    ] {
        assert!(is_private(address(inside).unwrap()), "{inside}");
    }
    for outside in ["203.0.113.7", "172.32.0.1", "100.128.0.1", "2001:db8::1"] {
        assert!(!is_private(address(outside).unwrap()), "{outside}");
    }
}

#[test]
fn what_is_no_address_is_counted_as_it_is() {
    for text in ["", "f@example.com", "usr_1"] {
        assert_eq!(source(text), text);
    }
}

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
