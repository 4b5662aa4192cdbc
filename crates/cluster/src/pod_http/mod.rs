//! HTTP to a port of a pod, through the API server's port-forward: under a deadline and a size cap, with bounds on what
//! runs at once, and over one connection for several requests. Envoy's admin port serves one request at a time for us:
//! it runs on Envoy's main thread, and a second dump would only wait there.

mod connection;
mod gates;

use std::{borrow::Cow, fmt, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header, response};
use http_body_util::Empty;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use tokio::time::Instant;

use self::connection::{Connection, Ended};
use super::error::{Error, UNRECORDED};
use crate::budget::Claim;
use report::Skipped;

pub use gates::Gates;

/// Envoy's admin interface, bound to the pod's loopback
/// (<https://www.envoyproxy.io/docs/envoy/latest/operations/admin>).
pub const ENVOY_ADMIN: u16 = 15000;
/// istiod's monitoring and debug interface.
pub const ISTIOD_DEBUG: u16 = 15014;

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct PodHttpLimits {
    /// For everything: waiting for a place, forwarding, the request, and the whole answer.
    pub deadline: Duration,
    /// Of the answer's body.
    pub max_bytes: usize,
}

impl Default for PodHttpLimits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(20), max_bytes: 256 * 1024 * 1024 }
    }
}

/// What the pod answered.
#[derive(Debug, Clone)]
pub struct PodResponse {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Bytes,
    /// A recording lacks the page, and says so with a warning.
    not_recorded: bool,
}

/// Why a pod did not answer. `what` reads like `port 15000 of shop/cart-1`.
#[derive(Debug, thiserror::Error)]
pub enum PodHttpError {
    #[error("{what}: {why}")]
    CannotForward { what: String, why: String },
    #[error("{what}: connection refused: {why}")]
    Refused { what: String, why: String },
    #[error("{what}: no answer within {} s", after.as_secs())]
    TimedOut { what: String, after: Duration },
    /// Not asked again so soon.
    #[error("{what}: no answer when it was last asked, {} s ago", ago.as_secs())]
    Silent { what: String, ago: Duration },
    #[error("{what}: not asked within {} s: requests to this port, its node or other pods went before", after.as_secs())]
    NotAsked { what: String, after: Duration },
    #[error("{what}: the connection was cut off after {received_bytes} bytes")]
    CutOff { what: String, received_bytes: usize },
    #[error("{what}: the answer is larger than {limit_bytes} bytes")]
    TooLarge { what: String, limit_bytes: usize },
    #[error("{what}: answered {status}: {body}")]
    Status { what: String, status: u16, body: String },
}

impl PodHttpError {
    /// The same as a part of the answer that is missing.
    pub fn skipped(&self) -> Skipped {
        let text = self.to_string();
        match text.split_once(": ") {
            Some((what, why)) => Skipped::new(what, why),
            None => Skipped::new("page of a pod", text),
        }
    }
}

/// A port of a pod, to be asked for one page after the other. The connection is kept in between.
pub struct PodPort {
    client: Client,
    gates: Gates,
    place: Place,
    claim: Option<Claim>,
    kept: Option<Connection>,
}

/// Where a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub namespace: String,
    pub pod: String,
    /// The node that the pod runs on, where it is known; others are not bounded by node.
    pub node: Option<String>,
    pub port: u16,
}

impl Place {
    pub fn of(pod: &Pod, port: u16) -> Self {
        Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            pod: pod.metadata.name.clone().unwrap_or_default(),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            port,
        }
    }
}

/// `port 15000 of shop/cart-1`, as errors begin.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} of {}/{}", self.port, self.namespace, self.pod)
    }
}

impl super::Cluster {
    /// A port of a pod; nothing is sent yet.
    pub fn pod_port(&self, pod: &Pod, port: u16) -> PodPort {
        self.port_at(Place::of(pod, port))
    }

    /// The same by its place.
    pub fn port_at(&self, place: Place) -> PodPort {
        let port = PodPort::new(self.client().clone(), self.gates().clone(), place);
        PodPort { claim: self.claim().cloned(), ..port }
    }
}

impl PodPort {
    pub fn new(client: Client, gates: Gates, place: Place) -> Self {
        Self { client, gates, place, claim: None, kept: None }
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// `GET path`, where only 200 will do.
    pub async fn page(&mut self, path: &str) -> Result<Bytes, Error> {
        self.page_within(path, PodHttpLimits::default()).await
    }

    /// The same with bounds of one's own.
    pub async fn page_within(&mut self, path: &str, limits: PodHttpLimits) -> Result<Bytes, Error> {
        let response = self.request(Method::GET, path, limits).await?;
        self.only_200(response, path)
    }

    /// The body of an answer, where only 200 will do.
    pub fn only_200(&self, response: PodResponse, path: &str) -> Result<Bytes, Error> {
        if response.status == 200 {
            return Ok(response.body);
        }
        let body = String::from_utf8_lossy(&response.body[..response.body.len().min(300)]).trim().to_owned();
        Err(PodHttpError::Status { what: self.page_words(path), status: response.status, body }.into())
    }

    fn page_words(&self, path: &str) -> String {
        format!("{path} on {}", self.place)
    }

    /// A request that changes nothing, as it may be sent twice; any status is an answer.
    pub async fn request(&mut self, method: Method, path: &str, limits: PodHttpLimits) -> Result<PodResponse, Error> {
        super::check_name("namespace", &self.place.namespace)?;
        super::check_name("pod name", &self.place.pod)?;
        let (by, after) = (Instant::now() + limits.deadline, limits.deadline);
        let Ok(_permits) = tokio::time::timeout_at(by, self.gates.enter(&self.place)).await else {
            return Err(PodHttpError::NotAsked { what: self.place.to_string(), after }.into());
        };
        match tokio::time::timeout_at(by, self.exchange(&method, path, &limits)).await {
            Ok(Ok(response)) if response.not_recorded => {
                Err(Error::NotRecorded { what: self.page_words(path), why: UNRECORDED.to_owned() })
            }
            Ok(result) => result,
            Err(_) => Err(PodHttpError::TimedOut { what: self.place.to_string(), after }.into()),
        }
    }

    async fn exchange(&mut self, method: &Method, path: &str, limits: &PodHttpLimits) -> Result<PodResponse, Error> {
        let request = || {
            let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
            request
                .body(Empty::<Bytes>::new())
                .map_err(|error| PodHttpError::CannotForward { what: self.place.to_string(), why: error.to_string() })
        };
        let (again, fresh) = (request()?, request()?);
        // A kept connection may have died in the meantime. As long as no answer has begun, a new one is as good, and one
        // that only seems to live leaves it half of the time.
        if let Some(mut kept) = self.kept.take().filter(Connection::is_good)
            && let Ok(Ok(answer)) = tokio::time::timeout(limits.deadline / 2, kept.send(again)).await
        {
            return self.finish(kept, answer, limits).await;
        }
        let mut connection = Connection::open(&self.client, &self.place).await?;
        let answer = connection.send(fresh).await.map_err(|ended| self.error(ended, limits))?;
        self.finish(connection, answer, limits).await
    }

    async fn finish(
        &mut self,
        mut connection: Connection,
        answer: http::Response<hyper::body::Incoming>,
        limits: &PodHttpLimits,
    ) -> Result<PodResponse, Error> {
        let mut response =
            connection.read(answer, limits, self.claim.as_ref()).await.map_err(|ended| self.error(ended, limits))?;
        // Secrets go before anything is made of the page, whatever form that has.
        let redacted = crate::aside(|| match str::from_utf8(&response.body).map(redact::redact_page) {
            Ok(Cow::Owned(redacted)) => Some(redacted),
            Ok(Cow::Borrowed(_)) | Err(_) => None,
        });
        if let Some(redacted) = redacted {
            response.body = redacted.into();
        }
        self.kept = Some(connection);
        Ok(response)
    }

    fn error(&self, ended: Ended, limits: &PodHttpLimits) -> Error {
        let what = self.place.to_string();
        let error = match ended {
            Ended::Refused(why) if why.contains("refused") => PodHttpError::Refused { what, why },
            Ended::Refused(why) => PodHttpError::CannotForward { what, why },
            Ended::After { received_bytes } => PodHttpError::CutOff { what, received_bytes },
            Ended::NoRoom(refused) => return refused.into(),
            Ended::TooLarge => PodHttpError::TooLarge { what, limit_bytes: limits.max_bytes },
        };
        error.into()
    }
}

impl PodResponse {
    fn new(head: &response::Parts, body: Bytes) -> Self {
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Self {
            status: head.status.as_u16(),
            content_type: content_type.map(str::to_owned),
            not_recorded: head.status == 404 && head.headers.contains_key(header::WARNING),
            body,
        }
    }
}
