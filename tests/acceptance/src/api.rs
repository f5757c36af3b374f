//! A small client that keeps nothing between calls.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use edgekeep_core::app::App;
use edgekeep_core::auth::token::issue_service;
use edgekeep_core::time::Millis;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

use crate::answer::Answer;
use crate::contract::{self, Exchange};
use crate::secrets;

/// The server under test.
pub struct Api {
    pub stack: String,
    /// A command that prints everything the server has stored.
    pub stored: Option<String>,
    base: String,
    agent: Agent,
}

impl Api {
    /// `base` without a slash at its end.
    pub fn new(stack: &str, base: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .build()
            .into();
        let base = base.trim_end_matches('/').to_owned();
        Self {
            stack: stack.to_owned(),
            stored: None,
            base,
            agent,
        }
    }

    /// Where the server answers.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The time here, which is the time of a server on this machine.
    pub fn now(&self) -> Millis {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Millis(i64::try_from(since.as_millis()).unwrap())
    }

    /// A service token for a function, made with `SERVICE_JWT_SECRET` as any service would.
    pub fn service_token(&self, function: &str) -> String {
        self.service_token_at(function, 0)
    }

    /// The same, issued so many milliseconds from now.
    pub fn service_token_at(&self, function: &str, later: i64) -> String {
        let app = App::new(|name| std::env::var(name).ok());
        let ready = app
            .ready()
            .expect("the server's variables must be set here too");
        issue_service(&ready.keys, "acceptance", function, self.now().plus(later)).unwrap()
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Call<'_> {
        self.call("POST", path).json(body)
    }

    pub fn patch(&self, path: &str, body: &Value) -> Call<'_> {
        self.call("PATCH", path).json(body)
    }

    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call("DELETE", path)
    }

    pub fn call<'a>(&'a self, method: &str, path: &str) -> Call<'a> {
        let (method, path) = (method.to_owned(), path.to_owned());
        Call {
            api: self,
            method,
            path,
            headers: Vec::new(),
            body: None,
        }
    }

    /// Sends raw bytes and reads what comes back; for what a client library would not send.
    pub fn raw(&self, bytes: &[u8]) -> Answer {
        let host = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        parse_raw(&answer)
    }

    /// Runs `work` `count` times at once.
    pub fn parallel<T: Send>(&self, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let work = &work;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..count)
                .map(|index| scope.spawn(move || work(index)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        })
    }
}

fn parse_raw(bytes: &[u8]) -> Answer {
    let split = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|s| s.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let body = bytes.get(split + 4..).unwrap_or_default().to_vec();
    Answer {
        status: status.unwrap_or(0),
        headers,
        body,
    }
}

/// A request that is being put together.
pub struct Call<'a> {
    api: &'a Api,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Call<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Moves the server's clock for this one request.
    pub fn later(self, millis: i64) -> Self {
        self.header("x-test-clock-offset-ms", &millis.to_string())
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// Sends it. The answer is held to the document ([`contract`]).
    #[track_caller]
    pub fn send(self) -> Answer {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(format!("{}{}", self.api.base, self.path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = self.body.unwrap_or_default();
        secrets::sent(&body);
        let request = request.body(body.clone()).unwrap();
        let sent = self
            .api
            .agent
            .configure_request(request)
            .allow_non_standard_methods(true)
            .build();
        let response = self.api.agent.run(sent);
        let mut response =
            response.unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path));
        let headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let status = response.status().as_u16();
        let received = response
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_vec()
            .unwrap();
        secrets::answered(&headers, &received);
        let answer = Answer {
            status,
            headers,
            body: received,
        };
        contract::check(&Exchange {
            method: &self.method,
            target: &self.path,
            body: &body,
            answer: &answer,
        });
        answer
    }
}
