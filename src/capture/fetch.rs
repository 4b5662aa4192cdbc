//! One HTTP exchange with a port of a pod, through the Kubernetes API's port-forward, under a deadline: the stream is
//! never closed by the far end, so the answer is read by its framing.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use crate::cluster::chain;

/// A page of a pod.
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    pub(super) pod: &'a str,
    pub(super) port: u16,
    pub(super) target: &'a str,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Why a page could not be fetched.
pub(super) enum Failure {
    /// Nothing answers on this port: the other pages need not be tried.
    Port(String),
    Page(String),
}

pub(super) async fn fetch(
    client: &kube::Client,
    place: &Place<'_>,
    method: Method,
    limit: usize,
    timeout: Duration,
) -> Result<Answer, Failure> {
    let exchange = exchange(client, place, method, limit);
    match tokio::time::timeout(timeout, exchange).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Page(format!("no answer within {} s", timeout.as_secs()))),
    }
}

async fn exchange(client: &kube::Client, place: &Place<'_>, method: Method, limit: usize) -> Result<Answer, Failure> {
    let pods = Api::<Pod>::namespaced(client.clone(), place.namespace);
    let mut forward = pods.portforward(place.pod, &[place.port]).await.map_err(|error| Failure::Port(chain(&error)))?;
    let stream = forward.take_stream(place.port).ok_or_else(|| Failure::Port("the port has no stream".into()))?;
    let refused = forward.take_error(place.port);
    let request = Request::builder()
        .method(method)
        .uri(place.target)
        .header(header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Page(chain(&error)))?;
    let answer = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
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
    let (answer, connection) = tokio::select! {
        biased;
        Some(error) = refused => return Err(Failure::Port(error.trim().to_owned())),
        answer = answer => answer.map_err(|error| Failure::Page(chain(&error)))?,
    };
    let (head, body) = answer.into_parts();
    let read = Limited::new(body, limit).collect().await;
    connection.abort();
    forward.abort();
    let body = read.map_err(|error| Failure::Page(error.to_string()))?.to_bytes();
    if head.status == 404 && head.headers.contains_key(header::WARNING) {
        return Err(Failure::Page(super::store::NOT_RECORDED.to_owned()));
    }
    Ok(Answer { status: head.status.as_u16(), body })
}
