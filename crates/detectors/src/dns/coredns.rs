//! The pods that answer for DNS.

use mesh::{Kind, Mesh, Object, View, is_finished, is_ready};

/// Where Kubernetes runs DNS.
pub(super) const NAMESPACE: &str = "kube-system";

/// `CoreDNS`, by the label that every distribution gives it
/// (<https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/>).
pub(super) struct CoreDns<'m> {
    /// The Deployment, or one of the pods where there is none.
    pub(super) object: &'m Object,
    pub(super) pods: Vec<&'m Object>,
}

impl<'m> CoreDns<'m> {
    /// None where no pod of it can be seen.
    pub(super) fn of(mesh: &'m Mesh) -> Option<Self> {
        let is_ours = |object: &&Object| object.label("k8s-app") == Some("kube-dns");
        let pods = mesh.in_namespace(Kind::Pod, NAMESPACE).filter(is_ours);
        let pods: Vec<&Object> = pods.filter(|pod| !is_finished(pod)).collect();
        let deployment = mesh.in_namespace(Kind::Deployment, NAMESPACE).find(is_ours);
        let object = deployment.or_else(|| pods.first().copied())?;
        (!pods.is_empty()).then_some(Self { object, pods })
    }

    pub(super) fn ready(&self) -> Vec<&'m Object> {
        self.pods.iter().copied().filter(|pod| is_ready(pod)).collect()
    }
}

/// The states of a pod's containers.
pub(super) fn states(pod: &Object) -> impl Iterator<Item = View<'_>> {
    pod.status().field("containerStatuses").items()
}
