//! One HTTP exchange with a port of a pod, through the Kubernetes API's port-forward, under a deadline: the stream is
//! never closed by the far end, so the answer is read by its framing. It is written to disk as it comes.

use std::io::Write;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::Portforwarder;
use tempfile::SpooledTempFile;
use tokio_util::task::AbortOnDropHandle;

use super::budget::Section;
use super::places::Place;
use super::recording::Recording;
use cluster::chain;

/// A page of a pod.
pub(super) struct Page<'a> {
    pub(super) namespace: &'a str,
    pub(super) pod: &'a str,
    pub(super) port: u16,
    pub(super) target: &'a str,
    /// Whose budget it is taken from.
    pub(super) section: Section,
}

pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: SpooledTempFile,
    /// To be held until the body is in the archive, so that answers do not pile up before it.
    pub(super) place: Place<'a>,
}

/// Why a page could not be fetched.
pub(super) enum Failure {
    /// Nothing answers on this port: the other pages need not be tried.
    Port(String),
    /// No answer in time.
    Late(String),
    Page(String),
}

impl Failure {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Port(why) | Self::Late(why) | Self::Page(why) => why,
        }
    }
}

/// A port-forward with the answer that has begun to come through it.
struct Begun {
    forward: Portforwarder,
    connection: AbortOnDropHandle<Result<(), hyper::Error>>,
    answer: Response<Incoming>,
}

pub(super) async fn fetch<'a>(recording: &'a Recording, page: &Page<'_>) -> Result<Answer<'a>, Failure> {
    let places = &recording.places;
    let late = || Failure::Late(places.too_late());
    let answer = async {
        // Asked when there is a place, so that not all who wait for one are allowed at once.
        recording.spent.allows(page.section).map_err(Failure::Page)?;
        begin(&recording.client, page).await
    };
    let (begun, place) = places.begin(answer).await.ok_or_else(late)?;
    let Begun { forward, connection, answer } = begun?;
    let (head, body) = answer.into_parts();
    let spool = recording.spool();
    let read = places.end(keep(body, spool, recording.options.page_bytes)).await;
    drop(connection);
    forward.abort();
    let body = read.ok_or_else(late)?.map_err(Failure::Page)?;
    if head.status == 404 && head.headers.contains_key(header::WARNING) {
        return Err(Failure::Page(super::super::store::NOT_RECORDED.to_owned()));
    }
    Ok(Answer { status: head.status.as_u16(), body, place })
}

async fn begin(client: &kube::Client, page: &Page<'_>) -> Result<Begun, Failure> {
    let pods = Api::<Pod>::namespaced(client.clone(), page.namespace);
    let mut forward = pods.portforward(page.pod, &[page.port]).await.map_err(|error| Failure::Port(chain(&error)))?;
    let stream = forward.take_stream(page.port).ok_or_else(|| Failure::Port("the port has no stream".into()))?;
    let refused = forward.take_error(page.port);
    // Envoy lists its log levels on POST alone, and changes none without a query.
    let method = if page.target == "/logging" { Method::POST } else { Method::GET };
    let request = Request::builder()
        .method(method)
        .uri(page.target)
        .header(header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Page(chain(&error)))?;
    let answer = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let answer = sender.send_request(request).await;
        Ok::<_, hyper::Error>((answer?, connection))
    };
    let refused = async {
        match refused {
            Some(refused) => refused.await,
            None => None,
        }
    };
    // A closed port shows on the error channel, and the exchange fails or hangs.
    tokio::select! {
        biased;
        Some(error) = refused => Err(Failure::Port(error.trim().to_owned())),
        answer = answer => {
            let (answer, connection) = answer.map_err(|error| Failure::Page(chain(&error)))?;
            Ok(Begun { forward, connection, answer })
        }
    }
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn keep<B>(mut body: B, mut spool: SpooledTempFile, limit: usize) -> Result<SpooledTempFile, String>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if length > limit {
            return Err(format!("larger than {limit} bytes"));
        }
        // At most some hundred KiB, and mostly into the page cache.
        spool.write_all(data).map_err(|error| format!("cannot be kept: {error}"))?;
    }
    Ok(spool)
}
