//! An HTTP/1.1 connection over a port-forward of its own.
//!
//! The far end of a port-forward may be slow to tell that the pod has closed, or not tell it at all, so answers are read
//! by HTTP framing.

use std::time::Duration;

use bytes::Bytes;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Fuse},
};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::time::Instant;

use super::{Place, PodHttpError, PodHttpLimits, PodResponse};
use crate::{
    budget::{Claim, NoRoom, Page},
    error::{Error, chain},
};

/// How long an unused connection is good for: websocket clients send no pings, so that an idle one may be cut unseen.
const IDLE: Duration = Duration::from_secs(5);
/// After an exchange of this length the connection is not kept: beside it a new forward (2 ms) costs nothing, and to wait
/// on a dead one would.
const SLOW: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// The forward's error channel: why it cannot be used.
    refusal: Fuse<BoxFuture<'static, Option<String>>>,
    _task: AbortOnDrop,
    used_at: Instant,
    took: Duration,
}

/// An exchange that ended early.
pub(super) enum Ended {
    /// With what stands on the error channel.
    Refused(String),
    After {
        received_bytes: usize,
    },
    TooLarge,
    NoRoom(NoRoom),
}

impl Connection {
    pub(super) async fn open(client: &Client, place: &Place) -> Result<Self, Error> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &place.namespace);
        let forward = pods.portforward(&place.pod, &[place.port]).await;
        let mut forward = forward.map_err(|error| forward_error(&place.to_string(), error))?;
        let stream = forward.take_stream(place.port).expect("the port was asked for");
        let refusal = forward.take_error(place.port).expect("the port was asked for");
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) =
            handshake.map_err(|error| PodHttpError::CannotForward { what: place.to_string(), why: chain(&error) })?;
        let task = AbortOnDrop(tokio::spawn(connection).abort_handle());
        let refusal = refusal.boxed().fuse();
        Ok(Self { sender, refusal, _task: task, used_at: Instant::now(), took: Duration::ZERO })
    }

    /// Whether another request may be sent over it. It may still turn out to be dead.
    pub(super) fn is_good(&self) -> bool {
        !self.sender.is_closed() && self.used_at.elapsed() < IDLE && self.took < SLOW
    }

    /// Sends a request, and waits for the head of the answer.
    pub(super) async fn send(&mut self, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, Ended> {
        self.used_at = Instant::now();
        let sender = &mut self.sender;
        let answer = async move {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            Some(why) = &mut self.refusal => return Err(Ended::Refused(why)),
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.ended(0).await),
        }
    }

    /// Reads the rest of the answer.
    pub(super) async fn read(
        &mut self,
        answer: Response<Incoming>,
        limits: &PodHttpLimits,
        claim: Option<&Claim>,
    ) -> Result<PodResponse, Ended> {
        let (parts, mut body) = answer.into_parts();
        let mut page = Page::new(claim);
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                Some(why) = &mut self.refusal => return Err(Ended::Refused(why)),
            };
            match frame {
                None => break,
                Some(Err(_)) => return Err(self.ended(page.len()).await),
                Some(Ok(frame)) => {
                    let data = frame.data_ref().map_or(&[][..], |data| data);
                    if page.len() + data.len() > limits.max_bytes {
                        return Err(Ended::TooLarge);
                    }
                    page.push(data).await.map_err(Ended::NoRoom)?;
                }
            }
        }
        self.took = self.used_at.elapsed();
        self.used_at = Instant::now();
        Ok(PodResponse::new(&parts, page.finish()))
    }

    /// The reason for an early end stands on the error channel, which may be a moment behind.
    async fn ended(&mut self, received_bytes: usize) -> Ended {
        match tokio::time::timeout(Duration::from_millis(200), &mut self.refusal).await {
            Ok(Some(why)) => Ended::Refused(why),
            _ => Ended::After { received_bytes },
        }
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
