//! What tests share: where the shared data lies.

pub(crate) mod app;
pub(crate) mod archives;
pub(crate) mod checklist;
pub(crate) mod fake;
pub(crate) mod lab;
mod outcome;

pub(crate) use outcome::Outcome;

use std::path::PathBuf;

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

/// A path below the `shared` folder that lies beside the project. A test that needs it fails when it is missing.
pub(crate) fn shared(path: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    assert!(path.exists(), "{} is missing: tests need the shared folder beside the project", path.display());
    path
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
