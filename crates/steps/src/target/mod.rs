//! Which pod is meant, by its name, by another object that has pods, or by a selector; and which of its containers is
//! the proxy.

mod argument;
mod resolve;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};

pub use argument::PodTarget;
pub(crate) use argument::check;
pub(crate) use resolve::{find_pod, first_ready, no_such};

use cluster::Error;
use report::Subject;

/// Container of Istio's proxy, in sidecars and gateways.
pub(crate) const PROXY: &str = "istio-proxy";

/// The container of that name, which for a native sidecar is an init container.
pub(crate) fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let spec = pod.spec.as_ref()?;
    let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    all.into_iter().find(|container| container.name == name)
}

/// Status of the container of that name.
pub(crate) fn container_status<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let all = status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten());
    all.into_iter().find(|container| container.name == name)
}

/// Refuses a pod without a proxy.
pub(crate) fn must_have_proxy(pod: &Pod) -> Result<(), Error> {
    if container(pod, PROXY).is_some() {
        return Ok(());
    }
    let why = format!("pod {}/{} has no container {PROXY:?}, so it has no Envoy", namespace(pod), name(pod));
    Err(Error::Input { field: "pod", why })
}

/// Whether the kubelet calls the pod ready
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions>).
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
        && pod.metadata.deletion_timestamp.is_none()
}

pub(crate) fn namespace(pod: &Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or_default()
}

pub(crate) fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// The workload behind the owner of a pod. The Deployment behind a ReplicaSet is told by its name: the ReplicaSet's without
/// the hash that the pod carries as a label
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label>).
pub(crate) fn workload<'a>(kind: &'a str, name: &'a str, hash: Option<&str>) -> (&'a str, &'a str) {
    match hash.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-')) {
        Some(deployment) if kind == "ReplicaSet" => ("Deployment", deployment),
        _ => (kind, name),
    }
}

/// The pod as the subject of a finding, with the workload it belongs to.
pub(crate) fn subject(pod: &Pod) -> Subject {
    let subject = Subject::namespaced("Pod", namespace(pod), name(pod));
    let owners = pod.metadata.owner_references.iter().flatten();
    let Some(owner) = owners.into_iter().find(|owner| owner.controller == Some(true)) else { return subject };
    let hash = pod.metadata.labels.as_ref().and_then(|labels| labels.get("pod-template-hash"));
    let (kind, name) = workload(&owner.kind, &owner.name, hash.map(String::as_str));
    subject.owned_by(kind, name)
}
