//! Requests of one connection on their way to the router.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{Router, body::Body};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use tower::ServiceExt as _;

use super::{
    super::error::{ApiError, OVERLOADED},
    body::Paced,
    places::{Connection, Place},
};

/// The address that a request came from; that of a proxy, where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

/// What answers the requests of one connection.
pub(super) struct Requests {
    router: Router,
    peer: Peer,
    connection: Arc<Connection>,
    only_probes: bool,
}

impl Requests {
    pub(super) fn new(router: Router, peer: Peer, place: &Place) -> Self {
        Self { router, peer, connection: Arc::clone(place.connection()), only_probes: place.only_probes }
    }
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<Paced>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut noted = self.connection.request();
        let (router, peer) = (self.router.clone(), self.peer);
        let refused = self.only_probes && !matches!(request.uri().path(), "/livez" | "/readyz");
        Box::pin(async move {
            let response = if refused {
                no_place(request.uri().path())
            } else {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(peer);
                router.oneshot(request).await?
            };
            noted.answered();
            Ok(response.map(|body| Paced::new(body, noted)))
        })
    }
}

/// Says that there are too many connections; the client had better come back with a new one.
fn no_place(path: &str) -> Response<Body> {
    let error = ApiError::new(OVERLOADED, "as many connections as may be are being answered");
    let problem = error.problem(path, &uuid::Uuid::now_v7().to_string());
    let mut response = Response::new(Body::from(serde_json::to_vec(&problem).expect("a problem is JSON")));
    *response.status_mut() = error.kind.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from(error.retry_after.unwrap_or(1)));
    response
}
