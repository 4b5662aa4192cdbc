//! Recordings: opened, served as a Kubernetes API, written and read again, and refused when they are broken.

mod bug_report;
mod hostile;
mod redacted;
mod round_trip;
mod served;
mod yaml;

use std::path::Path;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use meshtriage::capture::{Capture, Limits};
use serde_json::Value;

use crate::support::recording_path;

/// Opening blocks, which a test may.
fn open(path: &Path) -> Capture {
    Capture::open(path, &Limits::default()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn recording(name: &str) -> Capture {
    open(&recording_path(name))
}

/// A file of a recording.
pub(crate) fn recorded(path: &str) -> Vec<u8> {
    std::fs::read(recording_path(path)).unwrap()
}

/// The status and the JSON of a GET.
async fn get(client: &Client, path: &str, accept: &str) -> (u16, Value) {
    let request = http::Request::get(path).header("accept", accept).body(kube::client::Body::empty()).unwrap();
    let answer = client.send(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into())))
}

async fn json(client: &Client, path: &str) -> Value {
    let (status, body) = get(client, path, "application/json").await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

/// One GET over a port-forward.
async fn page(client: &Client, namespace: &str, pod: &str, port: u16, path: &str) -> Result<(u16, String), String> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let mut forward = pods.portforward(pod, &[port]).await.map_err(|error| error.to_string())?;
    let stream = forward.take_stream(port).unwrap();
    let failure = forward.take_error(port).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(path).header("host", "pod").body(Empty::<bytes::Bytes>::new()).unwrap();
    tokio::select! {
        biased;
        Some(error) = failure => Err(error),
        answer = sender.send_request(request) => {
            let answer = answer.map_err(|error| error.to_string())?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        }
    }
}
