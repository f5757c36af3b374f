//! Request ids and W3C trace context.

use super::message::HeaderSource;
use crate::crypto::hex;

/// The ids of one request.
#[derive(Debug, Clone)]
pub struct RequestIds {
    /// The caller's `X-Request-Id` when it is well formed, else a new one.
    pub request_id: String,
    /// 32 hexadecimal digits: the caller's trace or a new one.
    pub trace_id: String,
    /// The caller's span, when there was a trace.
    pub parent: Option<String>,
}

impl RequestIds {
    /// From the headers of a request and 24 random bytes.
    pub fn from_headers(headers: &dyn HeaderSource, random: [u8; 24]) -> Self {
        let (left, right) = random.split_at(16);
        let request_id = headers
            .header("x-request-id")
            .filter(|id| is_request_id(id))
            .unwrap_or_else(|| format!("req_{}", hex(right)));
        let traced = headers
            .header("traceparent")
            .and_then(|text| parse_traceparent(&text));
        match traced {
            Some((trace_id, parent)) => Self {
                request_id,
                trace_id,
                parent: Some(parent),
            },
            None => Self {
                request_id,
                trace_id: hex(left),
                parent: None,
            },
        }
    }

    /// The `traceparent` to send on. The span is the request's own, made from its id.
    pub fn traceparent(&self) -> String {
        let digest = crate::crypto::digest(&[self.request_id.as_bytes(), self.trace_id.as_bytes()]);
        let span: String = hex(&digest).chars().take(16).collect();
        format!("00-{}-{span}-01", self.trace_id)
    }
}

/// 8 to 64 letters, digits, `_`, `-` or `.`: nothing that could break a log line.
fn is_request_id(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Trace id and parent id of a `traceparent` (W3C Trace Context, section 3.2); what breaks the
/// rules counts as not sent.
fn parse_traceparent(text: &str) -> Option<(String, String)> {
    let mut parts = text.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let sound = is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && trace.bytes().any(|b| b != b'0')
        && parent.bytes().any(|b| b != b'0')
        && (version != "00" || parts.next().is_none());
    sound.then(|| (trace.to_owned(), parent.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(&'static str, &'static str);
    impl HeaderSource for One {
        fn header(&self, name: &str) -> Option<String> {
            (name == self.0).then(|| self.1.to_owned())
        }
    }

    #[test]
    fn a_callers_trace_goes_on() {
        let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let ids = RequestIds::from_headers(&One("traceparent", sent), [7; 24]);
        assert_eq!(ids.trace_id, "0af7651916cd43dd8448eb211c80319c");
        assert!(
            ids.traceparent()
                .starts_with("00-0af7651916cd43dd8448eb211c80319c-")
        );
    }

    #[test]
    fn broken_traces_and_ids_are_replaced() {
        for sent in [
            "",
            "00-0-0-0",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            let ids = RequestIds::from_headers(&One("traceparent", sent), [7; 24]);
            assert_eq!(ids.trace_id, "07".repeat(16), "{sent}");
        }
        let ids = RequestIds::from_headers(&One("x-request-id", "evil\nline"), [7; 24]);
        assert_eq!(ids.request_id, "req_0707070707070707");
    }
}
