//! Versions as entity tags, and the conditions that requests put on them (RFC 9110, sections 8.8.3
//! and 13.1).
//!
//! A tag is that of `data`: the envelope's request id and time are new in each answer.

use super::error::{Code, Error};
use super::message::{HeaderSource, Request};

/// Tags that one header may list.
const MOST: usize = 20;

/// The entity tag of a version.
pub fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// Whether the client holds `version` already, by `If-None-Match`: then the answer is 304.
///
/// # Errors
/// `VALIDATION` naming the header.
pub fn is_known(request: &Request<'_>, version: i64) -> Result<bool, Error> {
    let tags = Tags::read(request.headers, "if-none-match", "If-None-Match")?;
    Ok(tags.is_some_and(|tags| tags.list(version, true)))
}

/// Which version a change was made for, so that it does not undo somebody else's.
#[derive(Debug)]
pub struct Expected {
    tags: Option<Tags>,
    version: Option<i64>,
}

impl Expected {
    /// From `If-Match` and the `version` of the body.
    ///
    /// # Errors
    /// `VALIDATION` naming the header.
    pub fn read(request: &Request<'_>, version: Option<i64>) -> Result<Self, Error> {
        let tags = Tags::read(request.headers, "if-match", "If-Match")?;
        Ok(Self { tags, version })
    }

    /// Whether the request named a version in either way.
    ///
    /// # Errors
    /// `PRECONDITION_REQUIRED` (RFC 6585, section 3).
    pub fn required(&self) -> Result<(), Error> {
        let named = self.tags.is_some() || self.version.is_some();
        named
            .then_some(())
            .ok_or_else(|| Error::new(Code::PreconditionRequired))
    }

    /// Whether the change goes to one version and no other.
    pub const fn is_exact(&self) -> bool {
        self.version.is_some() || matches!(self.tags, Some(Tags::Some(_)))
    }

    /// Whether `current` is the version that the request names, if it names one.
    ///
    /// # Errors
    /// `PRECONDITION_FAILED` for `If-Match`, `VERSION_CONFLICT` for `version`.
    pub fn check(&self, current: i64) -> Result<(), Error> {
        let tags = self.tags.as_ref();
        if tags.is_some_and(|tags| !tags.list(current, false)) {
            return Err(stale(Code::PreconditionFailed, current));
        }
        if self.version.is_some_and(|version| version != current) {
            return Err(stale(Code::VersionConflict, current));
        }
        Ok(())
    }

    /// The error for a change that somebody else was faster than.
    pub fn overtaken(&self, current: i64) -> Error {
        let error = self.check(current).err();
        error.unwrap_or_else(|| stale(Code::VersionConflict, current))
    }
}

fn stale(code: Code, current: i64) -> Error {
    Error::new(code).with_member("expected", current)
}

/// What `If-Match` and `If-None-Match` hold.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    /// `*`
    Any,
    /// Whether each is weak, and its text without quotes.
    Some(Vec<(bool, String)>),
}

impl Tags {
    fn read(
        headers: &dyn HeaderSource,
        name: &str,
        shown: &'static str,
    ) -> Result<Option<Self>, Error> {
        let Some(text) = headers.header(name) else {
            return Ok(None);
        };
        let parsed = Self::parse(&text);
        let rule = format!("Must be * or at most {MOST} entity tags such as \"v3\".");
        parsed.map(Some).ok_or_else(|| Error::invalid(shown, rule))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        if rest == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        while tags.len() < MOST {
            let (weak, quoted) = match rest.strip_prefix("W/") {
                Some(after) => (true, after),
                None => (false, rest),
            };
            let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
            if tag.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return None;
            }
            tags.push((weak, tag.to_owned()));
            let after = after.trim_start();
            if after.is_empty() {
                return Some(Self::Some(tags));
            }
            rest = after.strip_prefix(',')?.trim_start();
        }
        None
    }

    /// Whether `version` is among them. Weak tags count in the weak comparison alone (section
    /// 8.8.3.2).
    fn list(&self, version: i64, weakly: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Some(tags) => {
                let wanted = format!("v{version}");
                tags.iter()
                    .any(|(weak, tag)| *tag == wanted && (weakly || !weak))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(tags: Option<&str>, version: Option<i64>) -> Expected {
        let tags = tags.map(|text| Tags::parse(text).unwrap());
        Expected { tags, version }
    }

    #[test]
    fn tags_are_read_as_the_rfc_says() {
        for (text, version, strong, weak) in [
            ("*", 7, true, true),
            ("\"v7\"", 7, true, true),
            ("\"v7\"", 8, false, false),
            ("W/\"v7\"", 7, false, true),
            (" \"x\" , W/\"v1\",\"v7\" ", 7, true, true),
            ("\"\"", 7, false, false),
        ] {
            let tags = Tags::parse(text).unwrap();
            assert_eq!(tags.list(version, false), strong, "{text}");
            assert_eq!(tags.list(version, true), weak, "{text}");
        }
        let many = vec!["\"v1\""; MOST + 1].join(",");
        for bad in [
            "",
            ",",
            "v7",
            "\"v7",
            "v7\"",
            "\"v7\" \"v8\"",
            "\"v7\",",
            "*,\"v7\"",
            "w/\"v7\"",
            "\"a b\"",
            "\"a\u{7f}\"",
            &many,
        ] {
            assert_eq!(Tags::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_way_has_its_own_refusal() {
        let code = |expected: Expected| expected.check(3).err().map(|error| error.code());
        assert_eq!(code(expected(None, None)), None);
        assert_eq!(code(expected(Some("*"), Some(3))), None);
        assert_eq!(code(expected(Some("\"v3\""), Some(3))), None);
        let failed = Some(Code::PreconditionFailed);
        assert_eq!(code(expected(Some("\"v2\""), None)), failed);
        assert_eq!(code(expected(Some("\"v2\""), Some(2))), failed);
        assert_eq!(
            code(expected(Some("\"v3\""), Some(2))),
            Some(Code::VersionConflict)
        );
        assert!(expected(None, None).required().is_err());
        assert!(expected(Some("*"), None).required().is_ok());
        // Who named no version was overtaken all the same.
        let overtaken = expected(Some("*"), None).overtaken(3);
        assert_eq!(overtaken.code(), Code::VersionConflict);
    }
}
