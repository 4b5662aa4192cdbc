//! What tests share.

pub(crate) mod app;
pub(crate) mod archives;
pub(crate) mod checklist;
pub(crate) mod fake;
pub(crate) mod lab;
pub(crate) mod needs;
mod outcome;
mod recordings;

pub(crate) use needs::{corpus_path, needs};
pub(crate) use outcome::Outcome;
pub(crate) use recordings::recording_path;

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use meshtriage::cluster::{Cluster, Error, pod_http::PodPort};
use serde_json::{Value, json};

/// Prints a line of a test's table: shown with `--nocapture`, and when the test fails.
#[expect(clippy::print_stdout, reason = "the table is for whoever runs the tests")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Takes fields of these names out, wherever they stand.
pub(crate) fn forget(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|field| forget(field, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| forget(item, names)),
        _ => {}
    }
}

/// A port of the pod of that name, on a node where it matters.
pub(crate) fn port(cluster: &Cluster, namespace: &str, name: &str, node: Option<&str>, port: u16) -> PodPort {
    let metadata = json!({"namespace": namespace, "name": name});
    let pod = json!({"metadata": metadata, "spec": {"nodeName": node, "containers": []}});
    cluster.pod_port(&serde_json::from_value::<Pod>(pod).unwrap(), port)
}

/// One page of it.
pub(crate) async fn page(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    number: u16,
    path: &str,
) -> Result<Bytes, Error> {
    port(cluster, namespace, pod, None, number).page(path).await
}
