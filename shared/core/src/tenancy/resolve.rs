//! Which tenant a request is in, and by which of its parts.
//!
//! A signed credential always decides: its tenant is in the session's or the key's row, and
//! neither a header nor a host can name another one (docs/organizations.md).

use crate::guard::identity::Credential;
use crate::http::HeaderSource;

crate::queries! {
    /// `?1` tenant.
    BY_ID: SystemQuery = "tenancy.by_id",
        "SELECT id, name FROM tenants WHERE id = ?1 AND deleted_at IS NULL";
    /// `?1` host.
    BY_DOMAIN: SystemQuery = "tenancy.by_domain", "
        SELECT t.id, t.name FROM tenant_domains d JOIN tenants t ON t.id = d.tenant_id
        WHERE d.domain = ?1 AND t.deleted_at IS NULL";
}

/// The header in which a service says for which tenant it acts.
pub const TENANT_HEADER: &str = "x-tenant-id";

/// What of a request names its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The credential's own row.
    Credential,
    /// An id that a service gave.
    Id(String),
    /// A domain that is a tenant's.
    Domain(String),
    /// Nothing.
    Nothing,
}

/// The rule of a function: [`resolve`], or its own ([`crate::http::Function::TENANT`]).
pub type Resolver = fn(&Credential, &dyn HeaderSource) -> Named;

/// The rule of every function that has none of its own: credential, then the header of a service,
/// then the host of who is nobody yet. A service that names no tenant is in none: what it does must
/// not depend on the host by which it was reached.
pub fn resolve(credential: &Credential, headers: &dyn HeaderSource) -> Named {
    match credential {
        Credential::Member(_) | Credential::Key(_) => Named::Credential,
        Credential::Service(_) => headers
            .header(TENANT_HEADER)
            .map_or(Named::Nothing, Named::Id),
        Credential::None => headers
            .header("host")
            .and_then(|host| domain(&host))
            .map_or(Named::Nothing, Named::Domain),
    }
}

/// The domain in a host, in the one form that is stored: lower case, without port and final dot.
/// `None` for addresses and for what is no name in the DNS (RFC 1123, section 2.1).
pub fn domain(host: &str) -> Option<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // No top-level domain is a number, so this is no address either.
    let top = name.rsplit('.').next().unwrap_or_default();
    let named = name.contains('.') && top.bytes().any(|byte| byte.is_ascii_alphabetic());
    (named && name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::ServiceClaims;

    struct Headers(&'static [(&'static str, &'static str)]);

    impl HeaderSource for Headers {
        fn header(&self, name: &str) -> Option<String> {
            let found = self.0.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    const BOTH: Headers = Headers(&[("x-tenant-id", "ten_1"), ("host", "Acme.Example.com:8080")]);

    /// Rows: L-01
    #[test]
    fn the_host_counts_only_for_who_is_nobody() {
        let claims: ServiceClaims =
            serde_json::from_str(r#"{"iss":"x","aud":"x","sub":"x"}"#).unwrap();
        let service = Credential::Service(claims);
        assert_eq!(resolve(&service, &BOTH), Named::Id("ten_1".to_owned()));
        let host = Headers(&[("host", "acme.example.com")]);
        assert_eq!(resolve(&service, &host), Named::Nothing);
        let named = Named::Domain("acme.example.com".to_owned());
        assert_eq!(resolve(&Credential::None, &BOTH), named);
        assert_eq!(resolve(&Credential::None, &Headers(&[])), Named::Nothing);
    }

    #[test]
    fn domains_have_one_form_and_addresses_are_none() {
        for (host, wanted) in [
            ("Acme.Example.COM.", "acme.example.com"),
            ("a-1.example.com:443", "a-1.example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(domain(host).as_deref(), Some(wanted));
        }
        let long = format!("{}.example.com", "a".repeat(64));
        for host in [
            "",
            "localhost",
            "127.0.0.1:8080",
            "[::1]:8080",
            "a..example.com",
            "-a.example.com",
            "a_b.example.com",
            "b\u{fc}cher.example",
            "a b.example.com",
            &long,
        ] {
            assert_eq!(domain(host), None, "{host}");
        }
    }
}
