//! The outside world of the outbound cases: a server on loopback that behaves on demand.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt as _, Collected, Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// Starts the server on a thread that lives as long as the process; returns its URL.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    listener
        .set_nonblocking(true)
        .expect("a non-blocking listener");
    let address = listener.local_addr().expect("an address");
    thread::Builder::new()
        .spawn(move || serve(listener))
        .expect("a thread");
    format!("http://{address}")
}

fn serve(listener: TcpListener) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        while let Ok((stream, _)) = listener.accept().await {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
}

type Answer = Response<Either<Full<Bytes>, Hang>>;

async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    let mut parts = path.trim_start_matches('/').split('/');
    let (verb, number) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let text = |text: Vec<u8>| Response::new(Either::Left(Full::from(text)));
    Ok(match verb {
        "echo" => text(echo(request).await),
        "bytes" => text(vec![b'x'; number.parse().unwrap_or(0)]),
        "status" => {
            let mut response = text(Vec::new());
            *response.status_mut() = number.parse().unwrap_or_default();
            response
                .headers_mut()
                .insert("location", "/echo".parse().expect("a header"));
            response
        }
        "busy" => {
            let mut response = text(b"busy".to_vec());
            *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
            for (name, value) in [
                ("retry-after", number),
                ("stripe-should-retry", parts.next().unwrap_or_default()),
            ] {
                let value = value.parse().expect("a header");
                response.headers_mut().insert(name, value);
            }
            response
        }
        "silence" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            text(Vec::new())
        }
        "hang" => Response::new(Either::Right(Hang { sent: false })),
        _ => {
            let mut response = text(Vec::new());
            *response.status_mut() = hyper::StatusCode::NOT_FOUND;
            response
        }
    })
}

/// The request as it arrived: request line, the headers of the cases, body.
async fn echo(request: Request<Incoming>) -> Vec<u8> {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for name in ["content-type", "x-case"] {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        let _ = writeln!(text, "{name}: {}", value.unwrap_or_default());
    }
    text.push('\n');
    let mut bytes = text.into_bytes();
    let body = request.into_body().collect().await;
    bytes.extend(body.map(Collected::to_bytes).unwrap_or_default());
    bytes
}

/// A body that announces ten bytes, sends three and then nothing more.
struct Hang {
    sent: bool,
}

impl Body for Hang {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.sent {
            return Poll::Pending;
        }
        self.sent = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"abc")))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.sent { 7 } else { 10 })
    }
}
