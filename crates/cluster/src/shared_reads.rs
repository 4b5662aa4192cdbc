//! Reads that several steps share: what one of them has got from the API server, the others get from memory. For one
//! run only, so that nothing is older than the run; whether the caller may read it is asked before, by each step.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use kube::{Client, client::Body};
use tokio::sync::Mutex;
use tower::BoxError;

/// Of one answer; a page of 500 objects has a few MB.
const MOST_BYTES: usize = 16 << 20;
/// Of all answers together. What is beyond is read again by each step.
const MOST_BYTES_TOGETHER: usize = 96 << 20;

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// The same client, whose answers are kept for as long as this one is used.
pub fn sharing_reads(inner: &Client) -> Client {
    let (inner, reads) = (inner.clone(), Arc::new(SharedReads::default()));
    let namespace = inner.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, reads) = (inner.clone(), Arc::clone(&reads));
        async move { reads.answer(&inner, request).await }
    });
    Client::new(service, namespace)
}

#[derive(Default)]
struct SharedReads {
    /// By path, query and form of the answer.
    entries: Lock<HashMap<(String, String), Arc<Mutex<Entry>>>>,
    bytes: AtomicUsize,
}

/// Whoever asks first holds it until there is an answer; the others wait.
#[derive(Default)]
enum Entry {
    #[default]
    Unasked,
    Kept {
        headers: HeaderMap,
        content: Bytes,
    },
    /// Too large, or no success.
    NotKept,
}

impl SharedReads {
    async fn answer(&self, inner: &Client, request: Request<Body>) -> Result<Answer, BoxError> {
        let Some(key) = key(&request) else { return Ok(boxed(inner.send(request).await?)) };
        let entry = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(entries.entry(key).or_default())
        };
        let mut entry = entry.lock().await;
        match &*entry {
            Entry::Kept { headers, content } => {
                let mut response = Response::new(Full::new(content.clone()).map_err(BoxError::from).boxed_unsync());
                response.headers_mut().clone_from(headers);
                return Ok(response);
            }
            Entry::NotKept => {
                drop(entry);
                return Ok(boxed(inner.send(request).await?));
            }
            Entry::Unasked => {}
        }
        let (parts, body) = inner.send(request).await?.into_parts();
        if parts.status != StatusCode::OK {
            // It may be another answer the next time.
            return Ok(boxed(Response::from_parts(parts, body)));
        }
        let mut frames = body.into_data_stream();
        let mut content = BytesMut::new();
        while let Some(chunk) = frames.next().await {
            content.extend_from_slice(&chunk?);
            if content.len() > MOST_BYTES || !self.has_room(content.len()) {
                *entry = Entry::NotKept;
                let begun = stream::iter([Ok(content.freeze())]);
                let whole = begun.chain(frames.map_err(BoxError::from)).map_ok(Frame::data);
                return Ok(Response::from_parts(parts, StreamBody::new(whole).boxed_unsync()));
            }
        }
        self.bytes.fetch_add(content.len(), Ordering::Relaxed);
        let content = content.freeze();
        *entry = Entry::Kept { headers: parts.headers.clone(), content: content.clone() };
        Ok(Response::from_parts(parts, Full::new(content).map_err(BoxError::from).boxed_unsync()))
    }

    fn has_room(&self, more: usize) -> bool {
        self.bytes.load(Ordering::Relaxed).saturating_add(more) <= MOST_BYTES_TOGETHER
    }
}

/// Under which name an answer is kept; `None` for what changes something, never ends, or becomes a connection.
fn key(request: &Request<Body>) -> Option<(String, String)> {
    let endless = |pair: &str| matches!(pair, "watch=true" | "watch=1" | "follow=true");
    let query = request.uri().query().unwrap_or_default();
    if request.method() != Method::GET
        || request.headers().contains_key(header::UPGRADE)
        || query.split('&').any(endless)
    {
        return None;
    }
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Some((request.uri().to_string(), accept.to_owned()))
}

fn boxed(response: Response<Body>) -> Answer {
    response.map(|body| body.map_err(BoxError::from).boxed_unsync())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{Cluster, Resource, Scope, Settings, Source};

    /// A cluster that counts what it is asked, with a list of pods of that many bytes.
    fn counting(size: usize) -> (Cluster, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let service = tower::service_fn(move |request: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let missing = request.uri().path().contains("missing");
            let pod = serde_json::json!({"metadata": {"name": "a", "annotations": {"a": "x".repeat(size)}}});
            let list = serde_json::json!({"kind": "PodList", "items": [pod]}).to_string();
            let status = if missing { StatusCode::NOT_FOUND } else { StatusCode::OK };
            let response = Response::builder().status(status).body(Full::new(Bytes::from(list))).unwrap();
            async move {
                tokio::task::yield_now().await;
                Ok::<_, BoxError>(response)
            }
        });
        let client = Client::new(service, "default");
        let cluster =
            Cluster::new(client, "c".to_owned(), Source::Live, crate::clock::Clock::System, Settings::default());
        (cluster, asked)
    }

    async fn pods(cluster: &Cluster) -> usize {
        let pods = cluster.list::<serde_json::Value>(&Resource::pods(), &Scope::All, None).await.unwrap();
        pods.items.len()
    }

    #[tokio::test]
    async fn one_listing_serves_all() {
        let (cluster, asked) = counting(10);
        let shared = cluster.through(sharing_reads(cluster.client()));
        let all = futures::future::join_all((0..20).map(|_| pods(&shared))).await;
        assert!(all.iter().all(|count| *count == 1));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(pods(&cluster.through(sharing_reads(cluster.client()))).await, 1, "another run reads anew");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn large_answers_and_failures_are_not_kept() {
        let (cluster, asked) = counting(MOST_BYTES);
        let shared = cluster.through(sharing_reads(cluster.client()));
        assert_eq!((pods(&shared).await, pods(&shared).await), (1, 1), "they arrive whole");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        for _ in 0..2 {
            let missing = shared.get::<serde_json::Value>(&Resource::pods(), Some("shop"), "missing").await;
            assert!(missing.is_err());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn what_changes_something_or_does_not_end_is_not_kept() {
        let request = |method: Method, path: &str| Request::builder().method(method).uri(path).body(Body::empty());
        assert!(key(&request(Method::GET, "/api/v1/pods?limit=500").unwrap()).is_some());
        for (method, path) in [
            (Method::POST, "/api/v1/pods"),
            (Method::DELETE, "/api/v1/namespaces/a/pods/b"),
            (Method::GET, "/api/v1/pods?watch=true"),
            (Method::GET, "/api/v1/namespaces/a/pods/b/log?follow=true"),
        ] {
            assert!(key(&request(method, path).unwrap()).is_none(), "{path}");
        }
        let upgrade = Request::get("/api/v1/namespaces/a/pods/b/portforward").header("upgrade", "websocket");
        assert!(key(&upgrade.body(Body::empty()).unwrap()).is_none());
    }
}
