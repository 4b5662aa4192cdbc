//! Pods of a mesh: whether one is ready, and the workload that it belongs to.

use crate::{mesh::Object, report::Subject};

/// Whether the kubelet calls the pod ready
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions>).
pub(super) fn is_ready(pod: &Object) -> bool {
    let mut conditions = pod.status().get("conditions").items();
    conditions.any(|it| it.get("type").text() == "Ready" && it.get("status").text() == "True")
}

/// The pod with the workload that it belongs to: the Deployment behind a ReplicaSet is told by its name, without the hash
/// that the pod carries as a label.
pub(super) fn subject(pod: &Object) -> Subject {
    let subject = Subject::namespaced("Pod", pod.namespace(), pod.name());
    let mut owners = pod.metadata().get("ownerReferences").items();
    let Some(owner) = owners.find(|owner| owner.get("controller").truth()) else { return subject };
    let (kind, name) = (owner.get("kind").text(), owner.get("name").text());
    let hash = pod.label("pod-template-hash");
    match hash.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-')) {
        Some(deployment) if kind == "ReplicaSet" => subject.owned_by("Deployment", deployment),
        _ => subject.owned_by(kind, name),
    }
}
