//! Port-forward: HTTP/1.1 over the channels of a websocket, answered with recorded pages.
//!
//! The protocol is `v4.channel.k8s.io`: for the n-th port, channel 2n is data and 2n+1 errors. The server first writes
//! the port, two bytes little endian, on both; then each message is one channel byte and the data.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use http::{Method, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, WriteHalf};
use tokio::sync::mpsc;

use super::super::store::{Gvr, NOT_RECORDED, Store, text};
use super::path::Query;
use super::status::Status;

const PROTOCOL: &str = "v4.channel.k8s.io";
const BUFFER: usize = 64 * 1024;
/// Messages under way to a client that reads slowly.
const QUEUE: usize = 16;

/// A pod in a recording.
#[derive(Clone)]
struct Pod {
    store: Arc<Store>,
    namespace: String,
    name: String,
}

pub(super) async fn forward(
    store: Arc<Store>,
    namespace: String,
    pod: String,
    query: &Query,
    request: Request,
) -> Result<Response, Status> {
    let pods = Gvr::new("", "v1", "pods");
    if !store.resources.contains_key(&pods) {
        return Err(Status::not_recorded(NOT_RECORDED));
    }
    let object = store.pod(&namespace, &pod)?.ok_or_else(|| Status::not_found(&pods, &pod))?;
    if super::logs::is_unscheduled(&object) {
        return Err(Status::bad_request(format!("pod {pod} does not have a host assigned")));
    }
    let ports = query.all("ports").flat_map(|list| list.split(',')).map(str::parse).collect::<Result<Vec<u16>, _>>();
    let ports = ports.map_err(|_| Status::bad_request("invalid value for ports"))?;
    if ports.is_empty() || ports.len() > usize::from(u8::MAX / 2) {
        return Err(Status::bad_request("ports must name at least one port and no more than 127"));
    }
    let (mut head, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
    let upgrade = upgrade.map_err(|error| Status::bad_request(format!("port-forward needs a websocket: {error}")))?;
    let pod = Pod { store, namespace, name: pod };
    Ok(upgrade.protocols([PROTOCOL]).on_upgrade(move |socket| serve(socket, pod, ports)))
}

/// Carries the channels until the client leaves.
async fn serve(socket: WebSocket, pod: Pod, ports: Vec<u16>) {
    let (mut to_client, mut from_client) = socket.split();
    let (sender, mut messages) = mpsc::channel::<Bytes>(QUEUE);
    let mut inputs = BTreeMap::new();
    let mut tasks = tokio::task::JoinSet::new();
    for (index, port) in (0_u8..).zip(ports) {
        if let Some(input) = open(index, port, &pod, &sender, &mut tasks) {
            inputs.insert(index * 2, input);
        }
    }
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else { break };
                if to_client.send(Message::Binary(message)).await.is_err() {
                    break;
                }
            }
            message = from_client.next() => match message {
                Some(Ok(Message::Binary(data))) => take(&mut inputs, &data).await,
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
}

/// Begins the two channels of a port. Returns where the client's bytes go, when something answers there.
fn open(
    index: u8,
    port: u16,
    pod: &Pod,
    sender: &mpsc::Sender<Bytes>,
    tasks: &mut tokio::task::JoinSet<()>,
) -> Option<WriteHalf<DuplexStream>> {
    let [data, errors] = [index * 2, index * 2 + 1];
    let [low, high] = port.to_le_bytes();
    let (stream, server) = tokio::io::duplex(BUFFER);
    let (mut output, input) = tokio::io::split(stream);
    let refusal = refusal(pod, port);
    let answers = refusal.is_none();
    let sender = sender.clone();
    tasks.spawn(async move {
        for channel in [data, errors] {
            let _ = sender.send(Bytes::copy_from_slice(&[channel, low, high])).await;
        }
        if let Some(refusal) = refusal {
            let _ = sender.send(message(errors, refusal.as_bytes())).await;
            return;
        }
        let mut buffer = vec![0; BUFFER];
        while let Ok(length @ 1..) = output.read(&mut buffer).await {
            if sender.send(message(data, &buffer[..length])).await.is_err() {
                return;
            }
        }
    });
    if !answers {
        return None;
    }
    let pod = pod.clone();
    tasks.spawn(async move {
        let service = service_fn(move |request| page(pod.clone(), port, request));
        // An error here is a client that left in the middle.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(server), service).await;
    });
    Some(input)
}

fn message(channel: u8, data: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(data.len() + 1);
    message.put_u8(channel);
    message.put_slice(data);
    message.freeze()
}

async fn take(inputs: &mut BTreeMap<u8, WriteHalf<DuplexStream>>, data: &[u8]) {
    let Some((channel, data)) = data.split_first() else { return };
    if let Some(input) = inputs.get_mut(channel)
        && input.write_all(data).await.is_err()
    {
        inputs.remove(channel);
    }
}

/// Why nothing answers on this port. Where the containers run, the port may have answered in the cluster, so that only
/// the recording lacks it.
fn refusal(pod: &Pod, port: u16) -> Option<String> {
    let object = pod.store.pod(&pod.namespace, &pod.name).ok()??;
    let running = text(&object, &["status", "phase"]) == "Running";
    if running && pod.store.has_port(&pod.namespace, &pod.name, port) {
        return None;
    }
    let statuses = object.pointer("/status/containerStatuses").and_then(Value::as_array);
    let all_run = statuses.is_none_or(|list| list.iter().all(|status| status.pointer("/state/running").is_some()));
    let why = if running && all_run { NOT_RECORDED } else { "connection refused" };
    let uid = text(&object, &["metadata", "uid"]);
    Some(format!("error forwarding port {port} to pod {uid}, uid : {why}"))
}

/// The recorded answer to one request.
async fn page(
    pod: Pod,
    port: u16,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<Response, std::convert::Infallible> {
    let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
    // Envoy shows its log levels on POST alone; with a query it would set them.
    let reads = match *request.method() {
        Method::GET | Method::HEAD => true,
        Method::POST => target == "/logging",
        _ => false,
    };
    if !reads {
        return Ok(Status::read_only(&format!("{} {target}", request.method())).into_response());
    }
    let found = tokio::task::spawn_blocking(move || pod.store.page(&pod.namespace, &pod.name, port, &target)).await;
    let Ok(Some(page)) = found else {
        let headers = [(header::CONTENT_TYPE, "text/plain"), (header::WARNING, "199 - \"not recorded\"")];
        return Ok((StatusCode::NOT_FOUND, headers, "not recorded\n").into_response());
    };
    let kind = if matches!(page.body.first(), Some(b'{' | b'[')) { "application/json" } else { "text/plain" };
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::BAD_GATEWAY);
    Ok((status, [(header::CONTENT_TYPE, kind)], Body::from(page.body)).into_response())
}
