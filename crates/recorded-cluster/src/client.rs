//! A `kube::Client` whose cluster is a router of this process, over an in-memory stream, so that upgraded connections
//! (port-forward) work as over a socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use kube::client::middleware::BaseUriLayer;
use tokio::io::DuplexStream;
use tower::ServiceBuilder;

const BUFFER: usize = 256 * 1024;

/// A client of `router`. Each connection is served by a task that ends with the connection.
pub(super) fn client(router: Router) -> kube::Client {
    // A ready future, because hyper's client wants one that may be moved.
    let connector =
        tower::service_fn(move |_: Uri| std::future::ready(Ok::<_, io::Error>(Pipe(TokioIo::new(connect(&router))))));
    let http = Client::builder(TokioExecutor::new()).build::<_, kube::client::Body>(connector);
    let service = ServiceBuilder::new()
        .layer(BaseUriLayer::new(Uri::from_static("http://capture")))
        .map_err(tower::BoxError::from)
        .service(http);
    kube::Client::new(service, "default")
}

fn connect(router: &Router) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    let service = TowerToHyperService::new(router.clone());
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(theirs), service).with_upgrades());
    ours
}

/// The client's end of a connection.
struct Pipe(TokioIo<DuplexStream>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
