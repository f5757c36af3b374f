//! A proxy that counts network round trips.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How long answers are held back. Whatever the client sends in that time it sent without
/// having seen the answer, so it belongs to the same round trip.
const DELAY: Duration = Duration::from_millis(20);

/// How often the client spoke after it had heard something.
#[derive(Debug, Default)]
pub(crate) struct Trips {
    count: AtomicU32,
    heard: AtomicBool,
}

impl Trips {
    /// What was counted since the last call.
    pub(crate) fn take(&self) -> u32 {
        self.heard.store(true, Ordering::SeqCst);
        self.count.swap(0, Ordering::SeqCst)
    }
}

/// Puts the proxy in front of a server at `port`; returns its own port.
pub(crate) async fn proxy(port: u16, trips: Arc<Trips>) -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let own = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(ask(from_client, to_server, Arc::clone(&trips)));
            tokio::spawn(answer(from_server, to_client, Arc::clone(&trips)));
        }
        std::io::Result::Ok(())
    });
    Ok(own)
}

async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, trips: Arc<Trips>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if trips.heard.swap(false, Ordering::SeqCst) {
            trips.count.fetch_add(1, Ordering::SeqCst);
        }
        if to
            .write_all(buffer.get(..length).unwrap_or_default())
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, trips: Arc<Trips>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(DELAY).await;
        trips.heard.store(true, Ordering::SeqCst);
        if to
            .write_all(buffer.get(..length).unwrap_or_default())
            .await
            .is_err()
        {
            return;
        }
    }
}
