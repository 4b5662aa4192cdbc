//! HTTP to a port of a pod, through the API server's port-forward.
//!
//! A port-forward stream is not closed by the far end, so answers are read by HTTP framing, under a deadline and a
//! size cap. Envoy's admin port serves one request at a time for us: it runs on Envoy's main thread, and a second dump
//! would only wait there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use http::Method;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{Error, chain};
use crate::report::Skipped;

/// Envoy's admin interface, bound to the pod's loopback
/// (<https://www.envoyproxy.io/docs/envoy/latest/operations/admin>).
pub const ENVOY_ADMIN: u16 = 15000;
/// istiod's monitoring and debug interface.
pub const ISTIOD_DEBUG: u16 = 15014;

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct PodHttpLimits {
    /// For everything: forwarding, the request, and the whole answer.
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

/// How many exchanges may run at once: in total, and one per port of a pod.
#[derive(Debug)]
pub(super) struct Gates {
    total: Arc<Semaphore>,
    ports: Mutex<HashMap<(String, String, u16), Arc<Semaphore>>>,
}

impl Gates {
    pub(super) fn new(total: usize) -> Self {
        Self { total: Arc::new(Semaphore::new(total)), ports: Mutex::default() }
    }

    async fn enter(&self, namespace: &str, pod: &str, port: u16) -> (OwnedSemaphorePermit, OwnedSemaphorePermit) {
        let gate = {
            let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
            // A gate that nobody holds is that of a pod nobody asks any more.
            ports.retain(|_, gate| Arc::strong_count(gate) > 1);
            let key = (namespace.to_owned(), pod.to_owned(), port);
            Arc::clone(ports.entry(key).or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        // The pod's own gate first: who waits for a slow pod must not take a place from the others.
        let own = gate.acquire_owned().await.expect("the gate is never closed");
        let total = Arc::clone(&self.total).acquire_owned().await.expect("the gate is never closed");
        (own, total)
    }
}

impl super::Cluster {
    /// A request to a port of a pod; any status is an answer.
    pub async fn pod_request(
        &self,
        method: Method,
        namespace: &str,
        pod: &str,
        port: u16,
        path: &str,
        limits: PodHttpLimits,
    ) -> Result<PodResponse, Error> {
        super::check_name("namespace", namespace)?;
        super::check_name("pod name", pod)?;
        let what = || format!("port {port} of {namespace}/{pod}");
        let exchange = async {
            let _permits = self.gates().enter(namespace, pod, port).await;
            exchange(self.client(), method, namespace, pod, port, path, &limits).await
        };
        match tokio::time::timeout(limits.deadline, exchange).await {
            Ok(result) => result,
            Err(_) => Err(PodHttpError::TimedOut { what: what(), after: limits.deadline }.into()),
        }
    }

    /// `GET path` on a port of a pod, where only 200 will do.
    pub async fn pod_page(&self, namespace: &str, pod: &str, port: u16, path: &str) -> Result<Bytes, Error> {
        let limits = PodHttpLimits::default();
        self.pod_request(Method::GET, namespace, pod, port, path, limits).await?.page(namespace, pod, port, path)
    }
}

impl PodResponse {
    /// The body, where only 200 will do.
    pub fn page(self, namespace: &str, pod: &str, port: u16, path: &str) -> Result<Bytes, Error> {
        if self.status == 200 {
            return Ok(self.body);
        }
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]).trim().to_owned();
        let what = format!("{path} on port {port} of {namespace}/{pod}");
        Err(PodHttpError::Status { what, status: self.status, body }.into())
    }
}

/// One exchange over a port-forward of its own (2 ms; websocket clients send no pings, so an idle one may be cut).
async fn exchange(
    client: &Client,
    method: Method,
    namespace: &str,
    pod: &str,
    port: u16,
    path: &str,
    limits: &PodHttpLimits,
) -> Result<PodResponse, Error> {
    let what = || format!("port {port} of {namespace}/{pod}");
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut forward = pods.portforward(pod, &[port]).await.map_err(|error| forward_error(&what(), error))?;
    let stream = forward.take_stream(port).expect("the port was asked for");
    let refusal = forward.take_error(port).expect("the port was asked for");
    let failed = |why: String| PodHttpError::CannotForward { what: what(), why };

    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(chain(&error)))?;
    let connection = tokio::spawn(connection);
    let _close = AbortOnDrop(connection.abort_handle());
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(error.to_string()))?;

    let mut refusal = Box::pin(refusal.fuse());
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|_| 0_usize)?;
        let (parts, mut body) = response.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| bytes.len())?;
            if let Some(data) = frame.data_ref() {
                if bytes.len() + data.len() > limits.max_bytes {
                    return Ok(None);
                }
                bytes.extend_from_slice(data);
            }
        }
        Ok(Some((parts, bytes.freeze())))
    };
    tokio::pin!(exchange);
    let result = tokio::select! {
        biased;
        result = &mut exchange => result,
        Some(why) = &mut refusal => return Err(refused(what(), why).into()),
    };
    match result {
        Ok(Some((parts, body))) => Ok(PodResponse {
            status: parts.status.as_u16(),
            content_type: parts
                .headers
                .get(http::header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            body,
        }),
        Ok(None) => Err(PodHttpError::TooLarge { what: what(), limit_bytes: limits.max_bytes }.into()),
        Err(received_bytes) => {
            // The reason for an early end stands on the error channel, which may be a moment behind.
            match tokio::time::timeout(Duration::from_millis(200), refusal).await {
                Ok(Some(why)) => Err(refused(what(), why).into()),
                _ => Err(PodHttpError::CutOff { what: what(), received_bytes }.into()),
            }
        }
    }
}

fn refused(what: String, why: String) -> PodHttpError {
    if why.contains("refused") {
        PodHttpError::Refused { what, why }
    } else {
        PodHttpError::CannotForward { what, why }
    }
}

fn forward_error(what: &str, error: kube::Error) -> Error {
    match Error::of(what, error) {
        Error::Api { what, message, .. } => PodHttpError::CannotForward { what, why: message }.into(),
        Error::Unreachable { source: source @ kube::Error::UpgradeConnection(_) } => {
            PodHttpError::CannotForward { what: what.to_owned(), why: chain(&source) }.into()
        }
        other => other,
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
