//! The proxy that a pod has now.

use serde_json::Value;

use super::REVISION;
use crate::{
    resource_status::object::{Object, text},
    target::PROXY,
};
use report::Subject;

/// What was injected into a pod, or what runs in a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// The revision that put it there; empty where the pod does not say.
    pub(crate) revision: String,
    /// It came from the injection webhook, rather than with the Deployment of a gateway.
    pub(crate) injected: bool,
    /// It is an init container that runs on
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>).
    pub(crate) native: bool,
    pub(crate) image: String,
}

impl Proxy {
    pub(crate) fn of(pod: &Object) -> Option<Self> {
        let named = |containers: &str| pod.list(containers).iter().find(|container| text(container, "/name") == PROXY);
        let init = named("/spec/initContainers");
        let container = named("/spec/containers").or(init)?;
        let status: Option<Value> =
            pod.annotation("sidecar.istio.io/status").and_then(|status| serde_json::from_str(status).ok());
        let stated = status.as_ref().and_then(|status| status.get("revision")).and_then(Value::as_str);
        let revision = stated.or_else(|| pod.annotation(REVISION)).or_else(|| pod.label(REVISION)).unwrap_or_default();
        Some(Self {
            revision: revision.to_owned(),
            injected: status.is_some(),
            native: init.is_some(),
            image: text(container, "/image").to_owned(),
        })
    }
}

/// The pod as the subject of a finding, with the workload that it belongs to: the Deployment is told by the `ReplicaSet`'s
/// name without the hash that the pod carries as a label.
pub(crate) fn subject(pod: &Object) -> Subject {
    let Some(owner) = pod.owner() else { return pod.subject() };
    let hash = pod.label("pod-template-hash");
    let deployment = hash.and_then(|hash| owner.name.strip_suffix(hash)?.strip_suffix('-'));
    match deployment {
        Some(deployment) if owner.kind == "ReplicaSet" => pod.subject().owned_by("Deployment", deployment),
        _ => pod.subject().owned_by(owner.kind, owner.name),
    }
}
