//! Connections of clients that are slow, and the end of the service.

use std::{sync::Arc, time::Duration};

use meshtriage::{api, auth::Identify};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::support::app::{app, recording};

async fn start() -> (std::net::SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let router = api::router(Arc::new(app(recording("healthy"), Identify::Nobody)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let stopped = async {
        let _ = stopped.await;
    };
    let server = tokio::spawn(api::serve(listener, router, stopped, Duration::from_secs(5)));
    (address, stop, server)
}

#[tokio::test]
async fn half_a_request_is_not_waited_for_forever() {
    let (address, _stop, _server) = start().await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection is still open");

    let mut good = TcpStream::connect(address).await.unwrap();
    good.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    good.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn service_ends_when_it_is_told_to() {
    let (address, stop, server) = start().await;
    let _idle = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(15), server).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
