//! A pod of a long list: what steps ask of every pod is decoded, the rest (volumes, environment, probes, managed fields:
//! nine tenths of it) is skipped over.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, ContainerStatus, Pod, PodCondition, PodSpec, PodStatus},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time},
};
use serde::{Deserialize, Deserializer};

/// A pod with metadata, names of containers and the status, and nothing else.
pub(crate) struct LeanPod(pub(crate) Pod);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    containers: Option<Vec<Named>>,
    init_containers: Option<Vec<Named>>,
    host_network: Option<bool>,
    node_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    name: String,
    #[serde(default)]
    restart_policy: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    start_time: Option<Time>,
    conditions: Option<Vec<PodCondition>>,
    container_statuses: Option<Vec<ContainerStatus>>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
}

impl From<Named> for Container {
    fn from(named: Named) -> Self {
        Self { name: named.name, restart_policy: named.restart_policy, ..Self::default() }
    }
}

impl<'de> Deserialize<'de> for LeanPod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { metadata, spec, status } = Fields::deserialize(deserializer)?;
        let containers = |list: Vec<Named>| list.into_iter().map(Container::from).collect();
        Ok(Self(Pod {
            metadata: ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                uid: metadata.uid,
                labels: metadata.labels,
                annotations: metadata.annotations,
                owner_references: metadata.owner_references,
                creation_timestamp: metadata.creation_timestamp,
                deletion_timestamp: metadata.deletion_timestamp,
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                containers: spec.containers.map(containers).unwrap_or_default(),
                init_containers: spec.init_containers.map(containers),
                host_network: spec.host_network,
                node_name: spec.node_name,
                ..PodSpec::default()
            }),
            status: Some(PodStatus {
                phase: status.phase,
                pod_ip: status.pod_ip,
                start_time: status.start_time,
                conditions: status.conditions,
                container_statuses: status.container_statuses,
                init_container_statuses: status.init_container_statuses,
                ..PodStatus::default()
            }),
        }))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::target;

    #[test]
    fn lean_pod_answers_as_the_whole_one() {
        let value = json!({
            "metadata": {
                "name": "cart-5c4-x", "namespace": "shop", "labels": { "pod-template-hash": "5c4" },
                "annotations": null, "creationTimestamp": "2026-11-25T10:00:00Z",
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-5c4", "uid": "u", "controller": true,
                }],
                "managedFields": [{ "manager": "x", "fieldsV1": { "f:spec": {} } }],
            },
            "spec": {
                "containers": [{ "name": "cart", "image": "cart", "env": [{ "name": "A", "value": "b" }] }],
                "initContainers": [{ "name": "istio-proxy", "restartPolicy": "Always" }],
            },
            "status": {
                "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }],
                "initContainerStatuses": [{
                    "name": "istio-proxy", "image": "proxy", "imageID": "", "ready": true, "restartCount": 0,
                    "state": { "running": { "startedAt": "2026-11-25T10:00:01Z" } },
                }],
            },
        });
        let whole: Pod = serde_json::from_value(value.clone()).unwrap();
        let LeanPod(lean) = serde_json::from_value(value).unwrap();
        assert_eq!(target::subject(&lean), target::subject(&whole));
        assert_eq!(target::is_ready(&lean), target::is_ready(&whole));
        assert!(target::container(&lean, target::PROXY).is_some());
        assert_eq!(
            target::container_status(&lean, target::PROXY).map(|status| &status.state),
            target::container_status(&whole, target::PROXY).map(|status| &status.state)
        );
        assert_eq!(lean.metadata.creation_timestamp, whole.metadata.creation_timestamp);
    }

    #[test]
    fn pod_without_anything_is_no_error() {
        let LeanPod(pod) = serde_json::from_value(json!({})).unwrap();
        assert!(!target::is_ready(&pod));
    }
}
