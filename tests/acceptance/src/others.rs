//! What the server asks over the network, played by the suite: a provider to sign in through
//! ([`idp`]), an issuer whose tokens are exchanged ([`issuer`]), Have I Been Pwned
//! ([`breaches`]) and Stripe ([`stripe`]), all at the address that `OAUTH_HOST`, `EXTERNAL_ISSUERS`,
//! `HIBP_API_BASE` and `STRIPE_API_BASE` of the server's variables name.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::{breaches, idp, issuer, stripe};

/// Where they answer; the provider's issuer.
pub fn base() -> String {
    std::env::var("OAUTH_HOST").expect("the server's variables must be set here too")
}

/// Starts them, until the process ends.
pub fn start() {
    let base = base();
    let address = base.trim_start_matches("http://");
    let listener = TcpListener::bind(address).unwrap_or_else(|error| {
        panic!("{address}: {error} (does another suite test this server?)")
    });
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
}

/// A request, as far as anybody here reads it.
pub struct Asked {
    pub method: String,
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    fn read(reader: &mut impl BufRead) -> Self {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) < 3 {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let first = |part: usize| {
            let part = lines.first().and_then(|line| line.split(' ').nth(part));
            part.unwrap_or_default().to_owned()
        };
        let (method, path) = (first(0), first(1));
        let headers = lines.iter().filter_map(|line| line.split_once(':'));
        let headers = headers
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let mut asked = Self {
            method,
            path,
            headers,
            body: String::new(),
        };
        let length = asked.header("content-length").parse().unwrap_or(0);
        let _ = reader.take(length).read_to_string(&mut asked.body);
        asked
    }

    /// All that it says.
    pub fn shown(&self) -> String {
        format!("{} {:?} {}", self.path, self.headers, self.body)
    }

    /// All headers, with names in lower case.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// A header's value, empty without one.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let asked = Asked::read(&mut reader);
    let told = if asked.path.starts_with("/range/") {
        breaches::answer(asked)
    } else if asked.path.starts_with("/v1/") || asked.path.starts_with("/fake/") {
        stripe::answer(&asked)
    } else {
        let (status, body) = if asked.path.starts_with("/external/") {
            issuer::answer(&asked.path)
        } else {
            idp::answer(&asked)
        };
        Some((status, body.to_string()))
    };
    // Without an answer the connection just ends.
    let Some((status, body)) = told else { return };
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        if body.starts_with('{') || body.starts_with('[') {
            "application/json"
        } else {
            "text/plain"
        },
        body.len()
    );
    // Closing with something unread would reset the connection before the answer is read.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = reader.read_to_end(&mut Vec::new());
}
