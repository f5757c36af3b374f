//! Requests and answers.

use edgekeep_core::http::{BodyError, HeaderSource, Incoming, Response};
use serde_json::Value;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
        Self {
            method,
            path,
            query,
            ..Self::default()
        }
    }

    pub fn post(target: &str, body: &Value) -> Self {
        let mut call = Self::new("POST", target).header("content-type", "application/json");
        call.body = body.to_string().into_bytes();
        call
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn header_value(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }

    /// Comes from this address, and not from 192.0.2.1.
    #[must_use]
    pub fn from(self, address: &str) -> Self {
        self.header("x-test-client", address)
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }
}

impl HeaderSource for Call {
    fn header(&self, name: &str) -> Option<String> {
        self.header_value(name)
    }
}

impl Incoming for Call {
    fn method(&self) -> &str {
        &self.method
    }
    fn path(&self) -> &str {
        &self.path
    }
    fn query(&self) -> &str {
        &self.query
    }
    fn client_address(&self) -> Option<String> {
        // Tests say where a request comes from by a header that no adapter reads.
        let said = self.header_value("x-test-client");
        Some(said.unwrap_or_else(|| "192.0.2.1".to_owned()))
    }
    async fn body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        if self.body.len() > limit {
            Err(BodyError::TooLarge)
        } else {
            Ok(self.body.clone())
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer(pub Response);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    pub fn data(&self, status: u16) -> Value {
        assert_eq!(
            self.status(),
            status,
            "{}",
            String::from_utf8_lossy(&self.0.body)
        );
        self.json()["data"].clone()
    }
}
