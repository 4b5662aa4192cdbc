//! A Kubernetes API of a generated mesh, whose pods answer Envoy's and istiod's pages through port-forward.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde_json::{Value, json};

/// What the cluster has, by place in the API (`api/v1/pods`), and what its pods answer.
pub(crate) struct Mesh {
    pub(crate) lists: BTreeMap<String, Value>,
    /// The page behind a port and a target such as `/stats`; `None` is "not found".
    pub(crate) page: fn(&Pages, u16, &str) -> Option<Bytes>,
    pub(crate) pages: Pages,
    pub(crate) log: Bytes,
}

/// Every proxy answers the same.
pub(crate) struct Pages {
    pub(crate) dump: Bytes,
    pub(crate) text: Bytes,
    pub(crate) syncz: Bytes,
}

/// Serves until the process ends; the answer is the URL.
pub(crate) async fn serve(mesh: Mesh) -> String {
    let router = Router::new().fallback(answer).with_state(Arc::new(mesh));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn answer(State(mesh): State<Arc<Mesh>>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    if path.ends_with("/portforward") {
        let port = query["ports"].parse().expect("a port");
        let (mut head, _) = request.into_parts();
        let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await.expect("a WebSocket");
        return upgrade.protocols(["v4.channel.k8s.io"]).on_upgrade(move |socket| forward(socket, mesh, port));
    }
    if path.ends_with("/log") {
        return mesh.log.clone().into_response();
    }
    let Some(found) = document(&mesh, &path).or_else(|| list(&mesh, &path, &query)) else {
        let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
        return (http::StatusCode::NOT_FOUND, axum::Json(status)).into_response();
    };
    axum::Json(found).into_response()
}

/// Versions and discovery.
fn document(mesh: &Mesh, path: &str) -> Option<Value> {
    let places = || mesh.lists.iter().filter_map(|(place, list)| Some((place.rsplit_once('/')?, list)));
    Some(match path {
        "version" => json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3"}),
        "api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
        "apis" => {
            let versions: std::collections::BTreeSet<_> =
                places().filter_map(|((version, _), _)| version.strip_prefix("apis/")).collect();
            let groups = versions.into_iter().map(|version| {
                let entry = json!({"groupVersion": version, "version": version.rsplit('/').next()});
                json!({"name": version.split('/').next(), "versions": [entry], "preferredVersion": entry})
            });
            json!({"kind": "APIGroupList", "groups": groups.collect::<Vec<_>>()})
        }
        _ => {
            let here = places().filter(|((version, _), _)| *version == path);
            let entries = here.map(|((_, plural), list)| {
                let kind = list["kind"].as_str().unwrap_or_default().trim_end_matches("List");
                let namespaced = list["items"][0]["metadata"].get("namespace").is_some();
                json!({"name": plural, "singularName": kind.to_lowercase(), "namespaced": namespaced, "kind": kind,
                    "verbs": ["get", "list"]})
            });
            let entries = entries.collect::<Vec<_>>();
            if entries.is_empty() {
                return None;
            }
            json!({"kind": "APIResourceList", "groupVersion": path.split_once('/')?.1, "resources": entries})
        }
    })
}

/// A list, in pages, or one object.
fn list(mesh: &Mesh, path: &str, query: &BTreeMap<String, String>) -> Option<Value> {
    let parts = path.split('/').collect::<Vec<_>>();
    let (place, namespace, name) = match parts.iter().position(|part| *part == "namespaces") {
        Some(at) if parts.len() > at + 2 => {
            (format!("{}/{}", parts[..at].join("/"), parts[at + 2]), Some(parts[at + 1]), parts.get(at + 3))
        }
        _ if mesh.lists.contains_key(path) => (path.to_owned(), None, None),
        _ => (path.rsplit_once('/')?.0.to_owned(), None, parts.last()),
    };
    let list = mesh.lists.get(&place)?;
    let items = list["items"].as_array()?.iter();
    let mut items = items.filter(|item| namespace.is_none_or(|namespace| item["metadata"]["namespace"] == namespace));
    if let Some(name) = name {
        return items.find(|item| item["metadata"]["name"] == **name).cloned();
    }
    let selector = query.get("labelSelector").map(String::as_str).unwrap_or_default();
    let wanted =
        selector.split(',').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")));
    let wanted = wanted.collect::<Vec<_>>();
    let labels_match =
        |item: &&Value| wanted.iter().all(|(key, value)| item["metadata"]["labels"][*key].as_str() == Some(value));
    let items = items.filter(labels_match).collect::<Vec<_>>();
    let number = |name: &str| query.get(name).and_then(|number| number.parse::<usize>().ok());
    let start = number("continue").unwrap_or_default().min(items.len());
    let end = number("limit").map_or(items.len(), |limit| items.len().min(start + limit));
    let token = if end < items.len() { end.to_string() } else { String::new() };
    Some(json!({
        "kind": list["kind"], "apiVersion": list["apiVersion"],
        "metadata": {"resourceVersion": "1", "continue": token}, "items": &items[start..end],
    }))
}

/// Channel 0 is data, channel 1 errors; each begins with the port.
async fn forward(mut socket: WebSocket, mesh: Arc<Mesh>, port: u16) {
    const CHUNK: usize = 32 << 10;
    for channel in [0, 1] {
        let mut hello = vec![channel];
        hello.extend(port.to_le_bytes());
        if socket.send(Message::Binary(hello.into())).await.is_err() {
            return;
        }
    }
    let mut head = Vec::new();
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Binary(bytes) = message else { continue };
        head.extend_from_slice(&bytes[1..]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let request = String::from_utf8_lossy(&std::mem::take(&mut head)).into_owned();
        let found = (mesh.page)(&mesh.pages, port, request.split(' ').nth(1).unwrap_or_default());
        let (status, body) = found.map_or(("404 Not Found", Bytes::new()), |body| ("200 OK", body));
        let start = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        for chunk in std::iter::once(start.as_bytes()).chain(body.chunks(CHUNK)) {
            let mut framed = vec![0];
            framed.extend_from_slice(chunk);
            if socket.send(Message::Binary(framed.into())).await.is_err() {
                return;
            }
        }
    }
}
