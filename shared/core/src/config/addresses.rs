//! How addresses are judged: of ourselves, of browsers' applications, of who sends mail.

use super::MailProvider;
use super::checks::Loader;
use crate::guard::client::Proxies;

/// Where Stripe is.
pub(super) const STRIPE: &str = "https://api.stripe.com";
/// The sender that nobody has set.
pub(super) const SENDER: &str = "Edgekeep <noreply@localhost>";

impl Loader<'_> {
    /// A base that paths are put behind: http or https, and no more than host, port and path.
    pub(super) fn url(&mut self, name: &str, default: &str) -> String {
        let given = self.value(name);
        if given.is_none() && self.strict && default.contains("127.0.0.1") {
            self.problem(format!("{name} is not set"));
        }
        let url = given.clone().unwrap_or_else(|| default.to_owned());
        let secure = url.strip_prefix("https://");
        let rest = secure
            .or_else(|| url.strip_prefix("http://"))
            .unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_graphic() && !"?#@\\\"<>".contains(c);
        if !is_authority(authority) || !path.chars().all(plain) {
            self.problem(format!("{name} must be an http or https URL"));
        } else if self.strict && secure.is_none() {
            // Not a problem on a laptop, so not even a warning there.
            self.problem(format!("{name} must be https"));
        } else if self.strict && given.is_some() && is_this_machine(authority) {
            self.problem(format!("{name} must be an address that others reach"));
        }
        url.trim_end_matches('/').to_owned()
    }

    /// Where Stripe is: elsewhere only for tests, because the answer decides what a tenant has
    /// paid for.
    pub(super) fn stripe_base(&mut self) -> String {
        let name = "STRIPE_API_BASE";
        let base = self.url(name, STRIPE);
        if self.strict && base != STRIPE {
            self.problem(format!("{name} must be {STRIPE}"));
        }
        base
    }

    pub(super) fn origins(&mut self, name: &str) -> Vec<String> {
        let origins = self.list(name);
        let sound = |origin: &String| {
            let secure = origin.strip_prefix("https://");
            let host = secure.or_else(|| origin.strip_prefix("http://"));
            // As browsers send it: lower case, and no port that the scheme has anyway.
            let needless = if secure.is_some() { ":443" } else { ":80" };
            let upper = origin.contains(|c: char| c.is_ascii_uppercase());
            host.is_some_and(is_authority) && !upper && !origin.ends_with(needless)
        };
        if !origins.iter().all(sound) {
            self.problem(format!(
                "{name} must list exact origins such as https://app.example.com; \
                 wildcards and paths are refused"
            ));
        } else if self.strict && !origins.iter().all(|text| text.starts_with("https://")) {
            self.problem(format!("{name} must list https origins only"));
        }
        origins
    }

    pub(super) fn proxies(&mut self, name: &str) -> Proxies {
        let mut proxies = Proxies::default();
        if !self.list(name).iter().all(|part| proxies.add(part)) {
            self.problem(format!(
                "{name} must list addresses or networks of 7 bits or more, such as 10.0.0.0/8"
            ));
        }
        proxies
    }

    /// Who mails come from. A provider that sends refuses what has no domain, and each mail
    /// would be tried in vain.
    pub(super) fn mail_from(&mut self, provider: &MailProvider) -> String {
        let name = "EMAIL_FROM";
        let from = self.text(name, SENDER);
        let address = from
            .strip_suffix('>')
            .and_then(|text| text.rsplit_once('<'))
            .map_or(from.as_str(), |(_, address)| address);
        let (local, domain) = address.split_once('@').unwrap_or_default();
        let shown = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;\"@".contains(c);
        let sound = !local.is_empty()
            && !domain.is_empty()
            && local.chars().chain(domain.chars()).all(shown)
            && !from.contains(char::is_control);
        if !sound {
            self.problem(format!(
                "{name} must be an address, or a name and <an address>"
            ));
        } else if !matches!(provider, MailProvider::Development) && !domain.contains('.') {
            self.weakness(format!("{name} must be an address of a domain of yours"));
        }
        from
    }
}

/// Whether it is a host, with a port or without, and nothing else.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // The last colon of [::1] belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let six = host
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let sound = match six {
        Some(address) => address.parse::<core::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(name),
    };
    sound && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_this_machine(authority: &str) -> bool {
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let host = if authority.starts_with('[') {
        authority
    } else {
        host
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || host == "0.0.0.0"
        || host.starts_with("[::1]")
}
