//! Uploads over a socket: clients that stall, break off, or say a wrong length.

use std::{net::SocketAddr, path::Path, time::Duration};

use meshtriage::{api, uploads::Limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{Service, files, folder};
use crate::support::archives::{good, gzip};

async fn serve(folder: &Path, limits: Limits) -> (SocketAddr, Service) {
    let service = Service::with(folder, limits);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = service.app.router.clone();
    tokio::spawn(api::serve(listener, router, std::future::pending(), Duration::ZERO));
    (address, service)
}

async fn begin(address: SocketAddr, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/captures HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/gzip\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Waits until the folder is as it should be; the server learns late that a client has gone.
async fn until(wanted: impl Fn() -> bool) {
    let looking = async {
        while !wanted() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looking).await.expect("the folder is as it should be");
}

#[tokio::test]
async fn upload_over_a_socket_is_taken() {
    let folder = folder();
    let (address, _service) = serve(folder.path(), Limits::default()).await;
    let archive = gzip(&good());
    let mut stream = begin(address, archive.len()).await;
    stream.write_all(&archive).await.unwrap();
    let answer = answer(stream).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn body_that_stalls_is_given_up() {
    let folder = folder();
    let limits = Limits { stall: Duration::from_millis(300), ..Limits::default() };
    let (address, _service) = serve(folder.path(), limits).await;
    let archive = gzip(&good());
    let mut stream = begin(address, archive.len()).await;
    stream.write_all(&archive[..20]).await.unwrap();
    let answer = answer(stream).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("upload_timed_out"), "{answer}");
    assert_eq!(files(folder.path()).len(), 0);
}

/// Always a little, never the whole.
#[tokio::test]
async fn body_that_trickles_is_given_up() {
    let folder = folder();
    let limits = Limits { upload_time: Duration::from_millis(300), ..Limits::default() };
    let (address, _service) = serve(folder.path(), limits).await;
    let (mut from_server, mut to_server) = begin(address, 200_000_000).await.into_split();
    let trickle = tokio::spawn(async move { while to_server.write_all(&[0x1f]).await.is_ok() {} });
    let mut answer = vec![0; 12];
    from_server.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    until(|| files(folder.path()).is_empty()).await;
    trickle.abort();
}

#[tokio::test]
async fn client_that_goes_away_leaves_nothing() {
    let folder = folder();
    let (address, service) = serve(folder.path(), Limits { uploads: 1, ..Limits::default() }).await;
    let archive = gzip(&good());
    let mut stream = begin(address, archive.len()).await;
    stream.write_all(&archive[..20]).await.unwrap();
    until(|| files(folder.path()).len() == 1).await;
    drop(stream);
    until(|| files(folder.path()).is_empty()).await;
    // Its place is free again.
    service.uploaded(super::ANYBODY, archive).await;
}

#[tokio::test]
async fn shorter_body_than_announced_is_refused() {
    let folder = folder();
    let (address, _service) = serve(folder.path(), Limits::default()).await;
    let archive = gzip(&good());
    let mut stream = begin(address, archive.len() + 5).await;
    stream.write_all(&archive).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = answer(stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    until(|| files(folder.path()).is_empty()).await;
}
