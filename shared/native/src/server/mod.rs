//! HTTP/1.1 in front of the core, on one thread.

mod incoming;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use edgekeep_core::functions;
use edgekeep_core::http::{Code, Error, RequestIds, Response};
use edgekeep_core::port::{Level, Platform as _};
use futures_util::FutureExt as _;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::Platform;
use incoming::{Head, Incoming, finish};

/// A connection that sends no complete request head for so long is closed, idle ones too.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// Requests in flight get so long to end when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_mins(1);

/// Serves until `stop` ends; then takes no new connection and lets running requests finish.
/// Needs a `LocalSet` around it.
pub async fn run(
    platform: Platform,
    wakes: UnboundedReceiver<String>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) {
    let background = [
        spawn_local(schedule(platform.clone())),
        spawn_local(work(platform.clone(), wakes)),
    ];
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connection(&platform, &connections, stream, peer),
                // Out of file descriptors, mostly: others will close, so wait and go on.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    background.iter().for_each(JoinHandle::abort);
    let _ = timeout(STOP_PATIENCE, connections.shutdown()).await;
}

fn connection(
    platform: &Platform,
    connections: &GracefulShutdown,
    stream: TcpStream,
    peer: SocketAddr,
) {
    // Answers are small and written at once: waiting for more only adds delay.
    let _ = stream.set_nodelay(true);
    let platform = platform.clone();
    let service = service_fn(move |request| {
        let platform = platform.clone();
        async move { Ok::<_, Infallible>(detached(answer(platform, request, peer)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(65_536)
        .serve_connection(TokioIo::new(stream), service);
    let watched = connections.watch(connection);
    // Its errors are the client's: it went away, or did not speak HTTP.
    spawn_local(async move { drop(watched.await) });
}

/// Serves to the end, also when the client hangs up, for which hyper drops its future: what waits
/// for an end (a breaker's probe, a flight to the cache, the line in the log) gets one.
async fn detached(
    answer: impl Future<Output = hyper::Response<Full<Bytes>>> + 'static,
) -> hyper::Response<Full<Bytes>> {
    let served = spawn_local(answer).await;
    // Only a panic outside of the core ends here, or the end of the process.
    served.unwrap_or_else(|_| empty_500())
}

async fn answer(
    platform: Platform,
    request: hyper::Request<hyper::body::Incoming>,
    peer: SocketAddr,
) -> hyper::Response<Full<Bytes>> {
    let (parts, mut body) = request.into_parts();
    let head = Rc::new(Head(parts));
    let incoming = Incoming {
        head: Rc::clone(&head),
        body: &mut body,
        peer,
    };
    // Twenty kilobytes of state, which would be copied with every future around it.
    let serving = Box::pin(functions::serve(&platform, incoming));
    let mut response = outgoing(unpanicked(&platform, &head, serving).await);
    if !finish(&mut body).await {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// The response, also where making it panicked: one request must not end the others.
async fn unpanicked(
    platform: &Platform,
    head: &Head,
    serving: impl Future<Output = Response>,
) -> Response {
    let served = AssertUnwindSafe(serving).catch_unwind().await;
    served.unwrap_or_else(|_| {
        // The panic's text is on stderr already; here only the client gets its answer.
        platform.log(Level::Error, r#"{"level":"error","event":"panic"}"#);
        let mut random = [0; 24];
        let _ = platform.random(&mut random);
        let ids = RequestIds::from_headers(head, random);
        Error::new(Code::Internal).into_response(&ids, head.0.uri.path(), platform.now())
    })
}

fn outgoing(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut built = hyper::Response::builder().status(response.status);
    if let Some(headers) = built.headers_mut() {
        for (name, value) in response.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
    }
    let body = Full::from(response.body);
    built.body(body).unwrap_or_else(|_| empty_500())
}

fn empty_500() -> hyper::Response<Full<Bytes>> {
    let mut empty = hyper::Response::new(Full::default());
    *empty.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
    empty
}

/// Plays the platform's cron.
async fn schedule(platform: Platform) {
    let mut minutes = interval(TICK);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first tick of an interval is now; who has just started has nothing overdue.
    minutes.tick().await;
    loop {
        minutes.tick().await;
        guarded(
            &platform,
            "scheduler",
            edgekeep_core::scheduler::on_cron(&platform),
        )
        .await;
    }
}

/// Plays the platform's queue consumer: one job at a time.
async fn work(platform: Platform, mut wakes: UnboundedReceiver<String>) {
    while let Some(job) = wakes.recv().await {
        guarded(
            &platform,
            "jobs",
            edgekeep_core::jobs::on_wake(&platform, &job),
        )
        .await;
    }
}

/// A panic in one run must not end all the later ones.
async fn guarded<T>(platform: &Platform, what: &str, run: impl Future<Output = T>) {
    if AssertUnwindSafe(run).catch_unwind().await.is_err() {
        platform.log(
            Level::Error,
            &format!(r#"{{"level":"error","event":"panic","in":"{what}"}}"#),
        );
    }
}

#[cfg(test)]
mod tests;
