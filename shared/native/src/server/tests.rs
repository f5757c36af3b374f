use std::net::Ipv4Addr;

use edgekeep_core::app::App;
use edgekeep_core::port::KeyValue as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::*;
use crate::{Database, Wakes};

async fn platform() -> (Platform, UnboundedReceiver<String>) {
    let keys = ["JWT_SECRET", "JWT_REFRESH_SECRET", "SERVICE_JWT_SECRET"];
    let app = App::new(|name| match name {
        "ENVIRONMENT" => Some("test".to_owned()),
        "MAX_BODY_BYTES" => Some("2048".to_owned()),
        _ => keys
            .contains(&name)
            .then(|| format!("{name}-of-the-servers-own-tests-only")),
    });
    app.ready().expect("a sound configuration");
    let (wakes, woken) = Wakes::channel();
    (
        Platform::new(app, Database::open("sqlite::memory:").await.unwrap(), wakes),
        woken,
    )
}

/// Runs `client` against a server that stops when the client drops its sender.
fn with_server(client: impl AsyncFnOnce(SocketAddr, oneshot::Sender<()>)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        let (platform, woken) = platform().await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = spawn_local(run(platform, woken, listener, async {
            drop(stopped.await);
        }));
        client(address, stop).await;
        server.await.unwrap();
    }));
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    send(&mut stream, request).await;
    rest(&mut stream).await
}

#[test]
fn answers_keep_the_contract() {
    let close = "host: x\r\nconnection: close\r\n";
    with_server(async |address, _stop| {
        let live = exchange(address, &format!("GET /healthz HTTP/1.1\r\n{close}\r\n")).await;
        assert!(live.starts_with("HTTP/1.1 200 "), "{live}");
        let head = exchange(address, &format!("HEAD /healthz HTTP/1.1\r\n{close}\r\n")).await;
        assert!(
            head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        let none = exchange(address, &format!("GET /nothing HTTP/1.1\r\n{close}\r\n")).await;
        assert!(none.contains("application/problem+json"), "{none}");
        let other = exchange(address, &format!("DELETE /healthz HTTP/1.1\r\n{close}\r\n")).await;
        assert!(
            other.starts_with("HTTP/1.1 405 ") && other.contains("\r\nallow: "),
            "{other}"
        );
    });
}

/// Rows: E-18
#[test]
fn long_bodies_are_refused_however_they_come() {
    with_server(async |address, _stop| {
        let post = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                    content-type: application/json\r\n";
        let announced = format!("{post}content-length: 4096\r\n\r\n");
        let answer = exchange(address, &announced).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let chunk = format!("800\r\n{}\r\n", " ".repeat(2048));
        let streamed = format!("{post}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}");
        let answer = exchange(address, &streamed).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    });
}

/// Who is refused by the head alone may send the body still, and go on with the connection.
#[test]
fn a_body_nobody_wants_costs_no_connection() {
    with_server(async |address, _stop| {
        let post =
            "POST /api/v1/projects HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
        let mut stream = TcpStream::connect(address).await.unwrap();
        send(&mut stream, &format!("{post}content-length: 2\r\n\r\n{{")).await;
        sleep(Duration::from_millis(50)).await;
        send(&mut stream, "}").await;
        let last = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        send(&mut stream, last).await;
        let answers = rest(&mut stream).await;
        assert!(answers.starts_with("HTTP/1.1 401 "), "{answers}");
        assert!(answers.contains("HTTP/1.1 200 "), "{answers}");

        let long = format!("{post}content-length: 1000000000\r\n\r\n");
        let refused = exchange(address, &long).await;
        assert!(refused.contains("\r\nconnection: close\r\n"), "{refused}");
    });
}

#[test]
fn stopping_waits_for_running_requests() {
    with_server(async |address, stop| {
        let mut slow = TcpStream::connect(address).await.unwrap();
        let head = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\
                    content-type: application/json\r\n\r\n{";
        send(&mut slow, head).await;
        sleep(Duration::from_millis(50)).await;
        drop(stop);
        sleep(Duration::from_millis(50)).await;
        assert!(
            TcpStream::connect(address).await.is_err(),
            "it still takes connections"
        );
        send(&mut slow, "}").await;
        let answer = rest(&mut slow).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("VALIDATION"),
            "{answer}"
        );
    });
}

/// Rows: AD-07 R-09
#[test]
fn a_panic_is_an_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let response = runtime.block_on(async {
        let (platform, _) = platform().await;
        let request = hyper::Request::get("/x").header("x-request-id", "from-the-client");
        let head = Head(request.body(()).unwrap().into_parts().0);
        unpanicked(&platform, &head, async { panic!("on purpose") }).await
    });
    let body = String::from_utf8(response.body).unwrap();
    assert_eq!(response.status, 500);
    assert!(
        body.contains("from-the-client") && !body.contains("purpose"),
        "{body}"
    );
}

/// Counters come with every caller: a tick must clear more than callers can leave in its minute.
#[test]
fn a_tick_forgets_every_counter_that_has_ended() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        let (platform, _woken) = platform().await;
        let store = platform.key_value().unwrap();
        let ended = platform.now().minus(1_000);
        for n in 0..50_000 {
            store.add(&format!("rl:{n}"), 1, ended).await.unwrap();
        }
        edgekeep_core::scheduler::on_cron(&platform).await;
        assert_eq!(store.sweep(platform.now(), 1).await.unwrap(), 0);
        assert_eq!(store.add("rl:0", 0, ended).await.unwrap(), 0);
    }));
}

/// hyper drops the future of a request whose client has gone; its work goes on all the same.
#[test]
fn a_client_that_hangs_up_cancels_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (begun, began) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let once = Rc::new(std::cell::Cell::new(Some((begun, ended))));
        let service = service_fn(move |_| {
            let (begun, ended) = once.take().unwrap();
            detached_infallibly(async move {
                begun.send(()).unwrap();
                sleep(Duration::from_millis(50)).await;
                ended.send(()).unwrap();
                empty_500()
            })
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let connection = spawn_local(connection);
        send(&mut client, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        began.await.unwrap();
        drop(client);
        assert!(
            connection.await.unwrap().is_err(),
            "the client is still there"
        );
        end.await.expect("the work went on to its end");
    }));
}

async fn detached_infallibly(
    answer: impl Future<Output = hyper::Response<Full<Bytes>>> + 'static,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    Ok(detached(answer).await)
}
