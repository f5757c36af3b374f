//! Serves the fake to a server on this machine, until it is stopped:
//! `cargo run -p edgekeep-fake-stripe [ADDRESS]`, at 127.0.0.1:8190 without one. What it knows is gone
//! when it ends.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for a laptop and for tests"
)]

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, UNIX_EPOCH};

use edgekeep_fake_stripe::{Asked, Stripe, Told};

const USAGE: &str = "usage: cargo run -p edgekeep-fake-stripe [ADDRESS]

Plays Stripe to a server on this machine. ADDRESS is a host and a port, 127.0.0.1:8190 without it; the
server's STRIPE_API_BASE is http:// and that address (docs/billing.md).";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:8190");
    if ["-h", "--help"].contains(&address) {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if arguments.next().is_some() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match TcpListener::bind(address).and_then(|listener| listen(&listener)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn listen(listener: &TcpListener) -> io::Result<()> {
    println!("a fake Stripe at http://{}", listener.local_addr()?);
    // Ids differ from those of an earlier run, which the server's database may still have.
    let mut stripe = Stripe::new(&format!("{:x}x", seconds()));
    for stream in listener.incoming() {
        stripe.now = seconds();
        // Whoever hangs up in the middle is no reason to end.
        let _ = stream.and_then(|stream| serve(&mut stripe, stream));
    }
    Ok(())
}

fn seconds() -> i64 {
    let since = UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

/// One request of a connection, one connection at a time.
fn serve(stripe: &mut Stripe, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(asked) = read(&mut reader)? else {
        return Ok(());
    };
    let Told::Answer(status, body, millis) = stripe.answer(&asked) else {
        return Ok(());
    };
    sleep(Duration::from_millis(millis));
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked {
        method,
        path,
        headers,
        body: String::new(),
    };
    let length = asked.header("content-length").parse().unwrap_or(0);
    reader.take(length).read_to_string(&mut asked.body)?;
    Ok(Some(asked))
}
