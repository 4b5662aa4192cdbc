//! Sends one message: to a public address only, without following redirects, and under a deadline.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use tower::Service;

use super::{
    address::{Allowed, Refused, check, is_public},
    target::Target,
};

/// For a message as a whole.
const TIME: Duration = Duration::from_secs(10);
/// What a receiver says is of no interest beyond its status.
const MOST_BYTES: usize = 16 << 10;

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("a header cannot be sent")]
    Header,
    #[error("no connection")]
    Connection(#[source] hyper_util::client::legacy::Error),
    #[error("no answer within {} s", TIME.as_secs())]
    TimedOut,
}

/// Sends messages.
#[derive(Clone)]
pub struct Sender {
    client: Client<HttpsConnector<HttpConnector<Lookup>>, Full<Bytes>>,
    allowed: Arc<Allowed>,
}

impl Sender {
    pub fn new(allowed: Allowed) -> io::Result<Self> {
        let allowed = Arc::new(allowed);
        let mut http = HttpConnector::new_with_resolver(Lookup(Arc::clone(&allowed)));
        http.enforce_http(false);
        http.set_connect_timeout(Some(TIME));
        let provider = rustls::crypto::ring::default_provider();
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        // A connection is not kept: what its name leads to is looked up, and checked, each time.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https);
        Ok(Self { client, allowed })
    }

    pub fn check(&self, url: &str) -> Result<url::Url, Refused> {
        check(url, &self.allowed)
    }

    /// Sends a body, and answers the receiver's status.
    pub async fn send(
        &self,
        target: &Target,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<StatusCode, Error> {
        let url = self.check(&target.url)?;
        let mut request = Request::builder().method(Method::POST).uri(url.as_str());
        request = request.header(header::USER_AGENT, concat!("meshtriage/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers.iter().chain(&target.headers) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::Header)?;
            let mut value = HeaderValue::from_str(value).map_err(|_| Error::Header)?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|_| Error::Header)?;
        let sent = async {
            let response = self.client.request(request).await.map_err(Error::Connection)?;
            let status = response.status();
            // So that the receiver is not cut off in the middle of its answer.
            let _ = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            Ok(status)
        };
        tokio::time::timeout(TIME, sent).await.map_err(|_| Error::TimedOut)?
    }
}

/// Looks up names, and leaves out addresses that are not public. The connection goes to what is answered here, so that a
/// name cannot lead elsewhere a moment later.
#[derive(Clone)]
pub(super) struct Lookup(Arc<Allowed>);

impl Service<Name> for Lookup {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allowed = self.0.has_name(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<_> = found.filter(|address| allowed || is_public(address.ip())).collect();
            if usable.is_empty() {
                return Err(io::Error::other(Refused::NotPublic));
            }
            Ok(usable.into_iter())
        })
    }
}
