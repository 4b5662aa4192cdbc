//! What replicas of istiod answer on `/debug/syncz` in a large mesh, and its pods.

use std::fmt::Write as _;

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use meshtriage::cluster::Istiod;
use serde_json::{Value, json};

/// What a sidecar asks for.
const TYPES: [&str; 7] = [
    "envoy.config.cluster.v3.Cluster",
    "envoy.config.listener.v3.Listener",
    "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "envoy.config.route.v3.RouteConfiguration",
    "envoy.extensions.transport_sockets.tls.v3.Secret",
    "istio.networking.nds.v1.NameTable",
    "istio.mesh.v1alpha1.ProxyConfig",
];

/// Each replica with its page: `proxies` in all, one of a hundred with something that it has not acknowledged.
pub(crate) fn pages(replicas: usize, proxies: usize) -> Vec<(Istiod, Bytes)> {
    let page = |replica: usize| {
        let own = (replica..proxies).step_by(replicas).map(client).collect::<Vec<_>>().join(",\n");
        Bytes::from(format!("[\n{own}\n]\n"))
    };
    let istiod = |replica: usize| {
        let metadata = json!({"namespace": "istio-system", "name": format!("istiod-{replica}")});
        Istiod { revision: "default".to_owned(), pod: pod(&metadata, &Value::Null) }
    };
    (0..replicas).map(|replica| (istiod(replica), page(replica))).collect()
}

/// The pods of those proxies.
pub(crate) fn pods(proxies: usize) -> Vec<Pod> {
    let running = json!({"phase": "Running", "containerStatuses": [{"name": "istio-proxy", "ready": true, "restartCount": 0,
        "image": "", "imageID": "", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]});
    let metadata = |index: usize| {
        let annotations = json!({"istio.io/rev": "default"});
        json!({"namespace": namespace(index), "name": name(index), "annotations": annotations})
    };
    (0..proxies).map(|index| pod(&metadata(index), &running)).collect()
}

fn pod(metadata: &Value, status: &Value) -> Pod {
    let spec = json!({"containers": [{"name": "istio-proxy"}]});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).expect("a pod")
}

fn namespace(index: usize) -> String {
    format!("team-{}", index % 200)
}

fn name(index: usize) -> String {
    format!("service-{}-7c9d8f6b5d-{index:05}", index / 3)
}

fn client(index: usize) -> String {
    let (name, namespace) = (name(index), namespace(index));
    let mut resources = String::new();
    for (at, kind) in TYPES.iter().enumerate() {
        let nonce = |push: usize| format!("2026-01-01T09:0{at}:11Z/{push}-1d9f6a5e-3a0c-4c1e-9f2e-5b7a{index:08}");
        let (sent, acked) = (nonce(2), nonce(if index.is_multiple_of(100) { 1 } else { 2 }));
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(
            resources,
            r#"{comma}
      "type.googleapis.com/{kind}": {{
        "sent": "{sent}",
        "acked": "{acked}",
        "sentTime": "2026-01-01T09:0{at}:11.123456789Z"
      }}"#
        );
    }
    format!(
        r#"  {{
    "cluster_id": "Kubernetes",
    "proxy": "{name}.{namespace}",
    "proxy_type": "sidecar",
    "proxy_version": "1.30.3",
    "istio_version": "1.30.3",
    "resources": {{{resources}
    }}
  }}"#
    )
}
