//! Connections that only take a place: silent ones, readers that read nothing, floods of requests that are dropped.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::State, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use meshtriage::api::{self, Bounds};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Short times, so that nobody waits for them.
fn bounds() -> Bounds {
    Bounds {
        connections: 100,
        per_peer: 100,
        head: Duration::from_millis(500),
        idle: Duration::from_secs(5),
        stall: Duration::from_millis(500),
        grace: Duration::ZERO,
    }
}

/// Large answers that are being sent.
#[derive(Clone, Default)]
struct Sending(Arc<AtomicUsize>);

/// One of them.
struct Sent(Sending);

impl Drop for Sent {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Serves a page that never comes, one of 64 MiB, and the probe.
async fn start(bounds: Bounds) -> (SocketAddr, Sending) {
    let sending = Sending::default();
    let large = |State(sending): State<Sending>| async move {
        sending.0.fetch_add(1, Ordering::SeqCst);
        let sent = Sent(sending);
        let piece = Bytes::from(vec![b' '; 1 << 20]);
        let pieces = futures::stream::iter((0..64).map(move |_| {
            let _sent = &sent;
            Ok::<_, std::io::Error>(piece.clone())
        }));
        Body::from_stream(pieces)
    };
    let router = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/never", get(std::future::pending::<()>))
        .route("/large", get(large))
        .with_state(sending.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(api::serve_within(listener, router, std::future::pending(), bounds, None));
    (address, sending)
}

async fn begin(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    send(&mut stream, path).await;
    stream
}

async fn send(stream: &mut TcpStream, path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// What comes until the other side ends the connection.
async fn all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // Ended with what it did not read is an error here.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection is still open");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn probe(address: SocketAddr) -> String {
    all(&mut begin(address, "/livez").await).await
}

#[tokio::test]
async fn connection_without_a_request_is_ended() {
    let (address, _) = start(bounds()).await;
    for first in ["", "P", "PRI * HT", "GET /livez HTTP/1.1\r\n"] {
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(first.as_bytes()).await.unwrap();
        let answer = all(&mut silent).await;
        assert!(!answer.contains("200"), "{first:?}: {answer}");
    }
}

#[tokio::test]
async fn silent_connections_make_room_for_others() {
    let forever = Duration::from_hours(1);
    let (address, _) = start(Bounds { connections: 8, head: forever, idle: forever, ..bounds() }).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(probe(address).await.starts_with("HTTP/1.1 200"));
    assert_eq!(all(&mut silent[0]).await, "");
}

#[tokio::test]
async fn probes_get_through_when_all_places_have_requests() {
    let (address, _) = start(Bounds { connections: 4, ..bounds() }).await;
    let mut busy = Vec::new();
    for _ in 0..4 {
        busy.push(begin(address, "/never").await);
    }
    // The requests are on their way.
    let refused = loop {
        let answer = all(&mut begin(address, "/large").await).await;
        if !answer.starts_with("HTTP/1.1 200") {
            break answer;
        }
    };
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1"), "{refused}");
    assert!(probe(address).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_peer_has_only_its_share() {
    let (address, _) = start(Bounds { per_peer: 2, ..bounds() }).await;
    let _busy = [begin(address, "/never").await, begin(address, "/never").await];
    let refused = async {
        loop {
            let mut third = TcpStream::connect(address).await.unwrap();
            let _ = third.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
            if all(&mut third).await.is_empty() {
                return;
            }
        }
    };
    timeout(PATIENCE, refused).await.expect("a third connection is refused");
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(address).await.unwrap();
    send(&mut other, "/livez").await;
    assert!(all(&mut other).await.starts_with("HTTP/1.1 200"));
}

/// Waits until nobody sends the large page any more.
async fn until_given_up(sending: &Sending) {
    let dropped = async {
        while sending.0.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, dropped).await.expect("the answer is given up");
}

#[tokio::test]
async fn answer_that_nobody_reads_is_given_up() {
    let (address, sending) = start(bounds()).await;
    let mut deaf = begin(address, "/large").await;
    deaf.read_exact(&mut [0; 12]).await.unwrap();
    assert_eq!(sending.0.load(Ordering::SeqCst), 1, "the answer is under way");
    until_given_up(&sending).await;
    assert!(all(&mut deaf).await.len() < 64 << 20);
}

#[tokio::test]
async fn slow_reader_that_goes_on_gets_all() {
    let (address, _) = start(Bounds { stall: Duration::from_secs(2), ..bounds() }).await;
    let mut slow = begin(address, "/large").await;
    let (mut buffer, mut total) = (vec![0; 2 << 20], 0);
    loop {
        let read = slow.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        total += read;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(total > 64 << 20, "{total}");
}

async fn http2(address: SocketAddr) -> http2::SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://localhost{path}")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn only_the_stream_that_nobody_reads_is_reset() {
    let (address, sending) = start(bounds()).await;
    let mut sender = http2(address).await;
    let deaf = sender.send_request(request("/large")).await.unwrap();
    until_given_up(&sending).await;
    let answer = sender.send_request(request("/livez")).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    assert!(deaf.into_body().collect().await.is_err(), "it was cut off");
}

#[tokio::test]
async fn flood_of_dropped_requests_ends_the_connection() {
    let (address, _) = start(bounds()).await;
    let mut sender = http2(address).await;
    let ended = async {
        loop {
            if sender.ready().await.is_err() {
                return;
            }
            let asked = sender.send_request(request("/never"));
            // Long enough to be sent, and dropped before it is answered.
            let _ = timeout(Duration::from_millis(2), asked).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("the connection is ended");
    assert!(probe(address).await.starts_with("HTTP/1.1 200"));
}
