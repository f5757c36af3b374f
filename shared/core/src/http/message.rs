//! Requests and answers as the core sees them.

use serde::Serialize;

use super::error::Error;
use crate::time::Millis;

/// Request methods that a route can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read; `HEAD` is answered by the same route without its body.
    Get,
    /// Create or act.
    Post,
    /// Replace.
    Put,
    /// Change in part.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// The method of that name; `HEAD` counts as `GET`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Access to the headers of a request. On Workers each call crosses into JavaScript, so ask
/// only for what is needed.
pub trait HeaderSource {
    /// The value of a header by its lower-case name. For a header that came several times,
    /// the adapter gives the one that its platform set, or all joined by `, ` (cookies by
    /// `; `, RFC 9113, section 8.2.3).
    fn header(&self, name: &str) -> Option<String>;
}

/// A request as the adapter received it; its body has not been read yet.
pub trait Incoming: HeaderSource {
    /// The method, upper case.
    fn method(&self) -> &str;
    /// The path, still percent-encoded.
    fn path(&self) -> &str;
    /// The query without its `?`, still percent-encoded; empty for none.
    fn query(&self) -> &str;
    /// The address that the platform vouches for: of the client, or of the proxy before us.
    fn client_address(&self) -> Option<String>;
    /// Reads the body, and stops as soon as it is longer than `limit` bytes.
    async fn body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError>;
}

/// How long a client may take to send a body, in milliseconds; then it gets 408.
/// The platforms themselves wait for ever.
pub const BODY_TIME_MS: u32 = 15_000;

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than allowed.
    TooLarge,
    /// It did not arrive in time, or the client went away.
    Timeout,
    /// The platform failed; the text is for the log.
    Broken(String),
}

/// A request whose body has been read.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// The path as it was sent.
    pub path: &'r str,
    /// The query as it was sent.
    pub query: &'r str,
    /// Its headers.
    pub headers: &'r dyn HeaderSource,
    /// Its body, unchanged.
    pub body: &'r [u8],
}

impl core::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Neither query nor headers nor body: they may hold secrets.
        f.debug_struct("Request")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Request<'_> {
    /// The value of a query parameter, decoded.
    ///
    /// # Errors
    /// `VALIDATION` naming the parameter when it is not UTF-8 text.
    pub fn query_value(&self, name: &str) -> Result<Option<String>, Error> {
        for pair in self.query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decode(key).as_deref() == Some(name) {
                return match decode(value) {
                    Some(text) if !text.chars().any(char::is_control) => Ok(Some(text)),
                    _ => Err(Error::invalid(name, "Must be percent-encoded UTF-8 text.")),
                };
            }
        }
        Ok(None)
    }

    /// The moment that a query parameter names, or the one to take without it.
    ///
    /// # Errors
    /// `VALIDATION` for anything but a date and time of RFC 3339.
    pub fn query_time(&self, name: &'static str, otherwise: Millis) -> Result<Millis, Error> {
        let Some(text) = self.query_value(name)? else {
            return Ok(otherwise);
        };
        let time = Millis::parse(&text);
        time.ok_or_else(|| Error::invalid(name, "Must be a date and time, as in RFC 3339."))
    }
}

/// Percent-decoding of a query part (WHATWG URL, `application/x-www-form-urlencoded`).
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                let digits = core::str::from_utf8(&pair).ok()?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// What a handler answers; the envelope is put around it afterwards.
#[derive(Debug, Clone)]
pub enum Reply {
    /// `{"success":true,"data":…,"metadata":…}`
    Json {
        /// HTTP status.
        status: u16,
        /// `data`, already serialised.
        data: String,
        /// More headers.
        headers: Vec<(&'static str, String)>,
        /// Where the next page begins; `metadata.nextCursor`.
        next_cursor: Option<String>,
    },
    /// A body of its own kind, without an envelope.
    Raw(Response),
}

impl Reply {
    /// 200 with `data`.
    pub fn ok(data: &impl Serialize) -> Self {
        Self::json(200, data)
    }

    /// Any status with `data`.
    pub fn json(status: u16, data: &impl Serialize) -> Self {
        // Serialising our own types to memory cannot fail: they have string keys only.
        let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
        Self::Json {
            status,
            data,
            headers: Vec::new(),
            next_cursor: None,
        }
    }

    /// 200 with a page of a list.
    pub fn page(items: &impl Serialize, next: Option<String>) -> Self {
        let mut reply = Self::ok(items);
        if let Self::Json { next_cursor, .. } = &mut reply {
            *next_cursor = next;
        }
        reply
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        match &mut self {
            Self::Json { headers, .. } => headers.push((name, value.into())),
            Self::Raw(response) => response.headers.push((name, value.into())),
        }
        self
    }
}

/// A finished answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with a body of that type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    /// An answer without a body.
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_strictly() {
        assert_eq!(decode("a+b%20c").as_deref(), Some("a b c"));
        for bad in ["%", "%4", "%zz", "%+1", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
