//! Accepts connections, and ends those that only take a place: that say nothing, that read nothing, that begin requests
//! to drop them. Each peer has a share of the places, and probes get through when all are taken.

mod body;
mod connection;
mod patience;
mod places;
mod streams;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    connection::Requests,
    patience::Patient,
    places::{Place, Places},
    streams::Streams,
};

pub use connection::Peer;
pub use tls::{Tls, TlsError};

/// Bounds on connections.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Connections at once. When there is one more, that goes which has been without a request for longest.
    pub connections: usize,
    /// Of one peer: an IPv4 address, or an IPv6 network of 64 bits.
    pub per_peer: usize,
    /// From accepting a connection to its first request, and for the head of each one after it.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// A client that takes less than 16 KiB in this time, while there is more to send, is given up.
    pub stall: Duration,
    /// For open requests, after the signal to stop.
    pub grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_peer: 1024,
            head: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            stall: Duration::from_secs(30),
            grace: Duration::from_secs(20),
        }
    }
}

/// Head of a request, and what is read of a body before somebody asks for it.
const BUFFER: usize = 64 << 10;
/// Requests at once over one connection of HTTP/2.
const STREAMS: u32 = 64;
/// Streams that a client has reset before they were looked at; beyond, it is a flood (CVE-2023-44487).
const RESET_STREAMS: usize = 20;

/// Serves until `stop`, then waits for open requests, but no longer than `grace`.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>, grace: Duration) {
    let bounds = Bounds { grace, ..Bounds::default() };
    serve_within(listener, router, stop, bounds, None).await;
}

/// The same within bounds of one's own, and with a certificate where there is one.
pub async fn serve_within(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    bounds: Bounds,
    tls: Option<Arc<Tls>>,
) {
    let places = Places::new(&bounds);
    let server = Arc::new(Server { router, bounds, tls, stopping: CancellationToken::new() });
    let open = TaskTracker::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(place) = places.take(peer.ip()) {
                    open.spawn(Arc::clone(&server).converse(stream, peer, place));
                }
            }
            Err(error) => {
                // Mostly: too many open files. It gets better when connections end.
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    server.stopping.cancel();
    open.close();
    if tokio::time::timeout(server.bounds.grace, open.wait()).await.is_err() {
        tracing::warn!("some requests were still open after {} s", server.bounds.grace.as_secs());
    }
}

/// What all connections share.
struct Server {
    router: Router,
    bounds: Bounds,
    tls: Option<Arc<Tls>>,
    stopping: CancellationToken,
}

impl Server {
    async fn converse(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, place: Place) {
        let stream = Patient::new(stream, self.bounds.stall);
        let Some(tls) = &self.tls else { return self.answer(stream, peer, place).await };
        let handshake = tokio::time::timeout(self.bounds.head, tls.acceptor().accept(stream));
        tokio::select! {
            shaken = handshake => match shaken {
                Ok(Ok(stream)) => self.answer(stream, peer, place).await,
                Ok(Err(error)) => tracing::debug!("a client and we did not agree on TLS: {error}"),
                Err(_) => {}
            },
            () = place.evicted() => {}
        }
    }

    /// Answers the requests of a connection until either side ends it. A client that breaks off, or that is too slow, is no
    /// mistake of ours.
    async fn answer<S>(&self, stream: S, peer: SocketAddr, place: Place)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let mut server = auto::Builder::new(Streams::new(self.bounds.stall));
        server.http1().timer(TokioTimer::new()).header_read_timeout(self.bounds.head).max_buf_size(BUFFER);
        server
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(self.bounds.head))
            .keep_alive_timeout(self.bounds.head)
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .max_local_error_reset_streams(RESET_STREAMS)
            .max_header_list_size(32 << 10)
            .max_send_buf_size(BUFFER)
            .initial_stream_window_size(256 << 10)
            .initial_connection_window_size(1 << 20);
        let requests = Requests::new(self.router.clone(), Peer(peer.ip()), &place);
        let connection = server.serve_connection(TokioIo::new(stream), requests);
        tokio::pin!(connection);
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!("a connection ended: {error}");
                    }
                    return;
                }
                () = place.evicted() => return,
                () = place.overdue() => return,
                () = self.stopping.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
