//! Requests as Spin hands them over.

use core::net::SocketAddr;
use core::time::Duration;

use edgekeep_core::http::{BODY_TIME_MS, BodyError, HeaderSource, Incoming};
use spin_sdk::http::{HeaderMap, Request};
use spin_sdk::wasip3::http::types;
use spin_sdk::wasip3::wit_future;

use crate::body::{ReadError, read};
use crate::timer::within;

/// A request whose body may not have been read yet.
pub(crate) struct SpinRequest(Request);

impl SpinRequest {
    /// From the SDK.
    pub(crate) const fn new(request: Request) -> Self {
        Self(request)
    }
}

impl HeaderSource for SpinRequest {
    fn header(&self, name: &str) -> Option<String> {
        // Spin carries the host apart from the headers, as HTTP/2 does.
        if name == "host" {
            return self.0.uri().authority().map(ToString::to_string);
        }
        joined(self.0.headers(), name)
    }
}

impl Incoming for SpinRequest {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn query(&self) -> &str {
        self.0.uri().query().unwrap_or_default()
    }

    fn client_address(&self) -> Option<String> {
        client_address(self.0.headers())
    }

    async fn body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let expected = self
            .header("content-length")
            .and_then(|text| text.parse().ok());
        let Some(request) = self.0.body_mut().take_unstarted() else {
            return Ok(Vec::new());
        };
        let (_taken, result) = wit_future::new(|| Ok(()));
        let (stream, end) = types::Request::consume_body(request, result);
        let time = Duration::from_millis(BODY_TIME_MS.into());
        match within(time, read(stream, end, limit, expected)).await {
            Some(Ok(body)) => Ok(body),
            Some(Err(ReadError::TooLong)) => Err(BodyError::TooLarge),
            Some(Err(ReadError::Broken(why))) => Err(BodyError::Broken(why)),
            None => Err(BodyError::Timeout),
        }
    }
}

/// All values of a header, joined as RFC 9110 allows, and cookies as RFC 9113 does.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut text = values.next()?.into_owned();
    let between = if name == "cookie" { "; " } else { ", " };
    for value in values {
        text.push_str(between);
        text.push_str(&value);
    }
    Some(text)
}

/// The address Spin saw. It appends its header to what the client sent, so a client that sends
/// the same header only adds values in front. A call from another component has no address.
fn client_address(headers: &HeaderMap) -> Option<String> {
    let last = headers.get_all("spin-client-addr").iter().next_back()?;
    let address: SocketAddr = last.to_str().ok()?.parse().ok()?;
    (!address.ip().is_unspecified()).then(|| address.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append("spin-client-addr", value.parse().unwrap());
        }
        map
    }

    #[test]
    fn a_client_cannot_choose_its_address() {
        let sent = headers(&["6.6.6.6:1", "203.0.113.7:52000"]);
        assert_eq!(client_address(&sent).as_deref(), Some("203.0.113.7"));
    }

    #[test]
    fn addresses_lose_their_port() {
        assert_eq!(
            client_address(&headers(&["[2001:db8::1]:80"])).as_deref(),
            Some("2001:db8::1")
        );
        for none in [&[][..], &["0.0.0.0:0"], &["[::]:0"], &["unknown"]] {
            assert_eq!(client_address(&headers(none)), None, "{none:?}");
        }
    }

    #[test]
    fn repeated_headers_are_joined() {
        assert_eq!(
            joined(&headers(&["a", "b"]), "spin-client-addr").as_deref(),
            Some("a, b")
        );
        assert_eq!(joined(&headers(&[]), "spin-client-addr"), None);
    }
}
