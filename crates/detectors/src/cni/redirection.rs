//! How the traffic of pods is redirected: by the init container `istio-init`, or by the CNI plug-in, which
//! `istio-validation` only checks.

use mesh::{Mesh, Object};

pub(super) const BY_CONTAINER: &str = "istio-init";
pub(super) const BY_PLUGIN: &str = "istio-validation";

/// The workloads of which a pod has this init container, by namespace.
pub(super) fn workloads_with<'m>(mesh: &'m Mesh, container: &str) -> Vec<&'m Object> {
    let has = |pod: &&Object| pod.spec().get("initContainers").items().any(|it| it.get("name").text() == container);
    let workloads = mesh.workloads().into_iter();
    workloads.filter(|(_, pods)| pods.iter().any(has)).map(|(workload, _)| workload).collect()
}

/// Their names with the namespace.
pub(super) fn names(workloads: &[&Object]) -> Vec<String> {
    workloads.iter().map(|workload| workload.full_name()).collect()
}
