//! A Kubernetes API that forwards to ports of this machine: for what a real one will not do on request, such as pods that
//! hang, break off or flood, and for a real Envoy behind a port-forward.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{
        Path, Query, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{SinkExt as _, StreamExt as _};
use meshtriage::{
    clock::Clock,
    cluster::{Cluster, Settings, Source},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Pods by name, each with the port of this machine behind all of its ports.
pub(crate) type Pods = BTreeMap<String, u16>;

/// A cluster with these pods, all in the namespace `shop`.
pub(crate) async fn cluster(pods: Pods) -> Cluster {
    let router = Router::new()
        .route("/version", get(|| async { Json(json!({ "gitVersion": "v1.36.3" })) }))
        .route("/api", get(|| async { Json(json!({ "kind": "APIVersions", "versions": ["v1"] })) }))
        .route("/apis", get(|| async { Json(json!({ "kind": "APIGroupList", "groups": [] })) }))
        .route("/api/v1", get(resources))
        .route("/api/v1/pods", get(list))
        .route("/api/v1/namespaces/shop/pods/{pod}", get(pod))
        .route("/api/v1/namespaces/shop/pods/{pod}/log", get(|| async { "2026-11-25T10:00:00Z one line\n" }))
        .route("/api/v1/namespaces/shop/pods/{pod}/portforward", get(forward))
        .with_state(Arc::new(pods));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    Cluster::new(client, "fake".to_owned(), Source::Live, Clock::System, Settings::default())
}

async fn pod(State(pods): State<Arc<Pods>>, Path(name): Path<String>) -> Response {
    if !pods.contains_key(&name) {
        let status: Value = json!({ "kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound" });
        return (http::StatusCode::NOT_FOUND, Json(status)).into_response();
    }
    Json(object(&name)).into_response()
}

async fn resources() -> Json<Value> {
    Json(json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": [
        { "name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get", "list"],
          "categories": ["all"] },
    ] }))
}

/// A page of the list of pods.
async fn list(State(pods): State<Arc<Pods>>, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let (start, limit) = (number("continue").unwrap_or(0), number("limit").unwrap_or(usize::MAX));
    let of_istiod = query.get("labelSelector").is_some_and(|selector| selector == "app=istiod");
    let names = pods.keys().filter(|name| !of_istiod || name.starts_with("istiod")).skip(start).take(limit);
    let items: Vec<_> = names.map(|name| object(name)).collect();
    let end = start + items.len();
    let next = if end < pods.len() && !of_istiod && !items.is_empty() { end.to_string() } else { String::new() };
    let metadata = json!({ "resourceVersion": "1", "continue": next });
    Json(json!({ "kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items }))
}

/// Pods called `istiod…` are replicas of istiod, and those called `…-unready` are not ready.
fn object(name: &str) -> Value {
    let is_istiod = name.starts_with("istiod");
    let mut labels = json!({ "pod-template-hash": "1" });
    if is_istiod {
        labels["app"] = "istiod".into();
    }
    let container = if is_istiod { "discovery" } else { "istio-proxy" };
    let ready = if name.ends_with("-unready") { "False" } else { "True" };
    // Of a Deployment, as most pods are.
    let owner =
        json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{name}-1"), "controller": true });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "shop", "uid": format!("uid-of-{name}"),
            "labels": labels, "ownerReferences": [owner] },
        "spec": { "nodeName": "node", "containers": [{ "name": container, "image": "image" }] },
        "status": { "phase": "Running", "podIP": "127.0.0.1", "conditions": [{ "type": "Ready", "status": ready }] },
    })
}

async fn forward(
    State(pods): State<Arc<Pods>>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let port: u16 = query["ports"].parse().unwrap();
    let target = pods.get(&name).copied();
    upgrade.protocols(["v4.channel.k8s.io"]).on_upgrade(move |socket| relay(socket, port, target)).into_response()
}

/// Channel 0 is data, channel 1 errors; each begins with the port.
async fn relay(mut socket: WebSocket, port: u16, target: Option<u16>) {
    for channel in [0, 1] {
        let mut hello = vec![channel];
        hello.extend(port.to_le_bytes());
        socket.send(Message::Binary(hello.into())).await.unwrap();
    }
    let connected = match target {
        Some(target) => TcpStream::connect(("127.0.0.1", target)).await,
        None => Err(std::io::Error::other("no such pod")),
    };
    let stream = match connected {
        Ok(stream) => stream,
        Err(error) => {
            let text = format!("\u{1}error forwarding port {port} to pod: {error}").to_lowercase();
            let _ = socket.send(Message::Binary(text.into_bytes().into())).await;
            let _ = socket.send(Message::Close(None::<CloseFrame>)).await;
            return;
        }
    };
    let (mut from_pod, mut to_pod) = stream.into_split();
    let (mut to_client, mut from_client) = socket.split();
    let downstream = tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        // As with a real one, the client is not told that the pod has closed.
        while let Ok(count @ 1..) = from_pod.read(&mut buffer).await {
            let mut message = vec![0];
            message.extend(&buffer[..count]);
            if to_client.send(Message::Binary(message.into())).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    });
    while let Some(Ok(message)) = from_client.next().await {
        if let Message::Binary(bytes) = message
            && bytes.first() == Some(&0)
            && to_pod.write_all(&bytes[1..]).await.is_err()
        {
            break;
        }
    }
    downstream.abort();
}
