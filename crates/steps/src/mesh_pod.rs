//! Pods of a mesh: which workload it belongs to, and what injected it.

use std::collections::BTreeMap;

use cluster::pod_http::{ENVOY_ADMIN, Place};
use mesh::{Kind, Mesh, Object, REVISION, Workload, application_containers, is_finished, is_ready};
use report::Subject;

/// Pods with a proxy that have an owner and a revision in common.
#[derive(Debug, Clone)]
pub(super) struct MeshWorkload {
    pub(super) namespace: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) revision: String,
    /// Its proxy is the application.
    pub(super) is_gateway: bool,
    /// One of its pods, which stands for the others.
    pub(super) pod: String,
    /// One whose proxy can be asked.
    pub(super) ready_pod: Option<String>,
    pub(super) pods: usize,
    /// Labels by which its pods are told from others.
    pub(super) selector: Vec<(String, String)>,
}

impl MeshWorkload {
    /// Where the Envoy of its ready pod answers.
    pub(super) fn envoy(&self, mesh: &Mesh) -> Option<Place> {
        let pod = mesh.find(Kind::Pod, &self.namespace, self.ready_pod.as_ref()?)?;
        let node = pod.spec().get("nodeName").text_if_any().map(str::to_owned);
        Some(Place { namespace: self.namespace.clone(), pod: pod.name().to_owned(), node, port: ENVOY_ADMIN })
    }
}

/// The workloads of some namespaces (of all where none is named), and of a revision or of the one that a tag stands for.
pub(super) fn workloads(mesh: &Mesh, namespaces: &[String], revision: Option<&str>) -> Vec<MeshWorkload> {
    let tags = mesh.tags();
    let wanted = revision.map(|name| tags.get(name).copied().unwrap_or(name));
    let mut found: BTreeMap<(String, String, String, String), MeshWorkload> = BTreeMap::new();
    let covers = |pod: &&Object| namespaces.is_empty() || namespaces.iter().any(|covered| covered == pod.namespace());
    for pod in mesh.each(Kind::Pod).filter(covers).filter(|pod| Workload::of_pod(pod).has_proxy()) {
        let revision = revision_of(pod);
        if wanted.is_some_and(|wanted| wanted != revision) || is_finished(pod) {
            continue;
        }
        let (kind, name) = owner(pod);
        let key = (pod.namespace().to_owned(), kind.clone(), name.clone(), revision.clone());
        let workload = found.entry(key).or_insert_with(|| MeshWorkload {
            namespace: pod.namespace().to_owned(),
            kind,
            name,
            revision,
            is_gateway: !has_application(pod),
            pod: pod.name().to_owned(),
            ready_pod: None,
            pods: 0,
            selector: telling_labels(pod),
        });
        workload.pods += 1;
        if workload.ready_pod.is_none() && is_ready(pod) {
            workload.ready_pod = Some(pod.name().to_owned());
        }
    }
    found.into_values().collect()
}

/// The revision that injected a pod, or that its gateway was made for.
pub(super) fn revision_of(pod: &Object) -> String {
    let status = pod.annotation("sidecar.istio.io/status").unwrap_or_default();
    let status: serde_json::Value = serde_json::from_str(status).unwrap_or_default();
    let stated = status.get("revision").and_then(serde_json::Value::as_str);
    let stated = stated.or_else(|| pod.annotation(REVISION)).or_else(|| pod.label(REVISION));
    stated.filter(|revision| !revision.is_empty()).unwrap_or("default").to_owned()
}

/// Kind and name of what owns a pod; the pod itself where nothing does.
pub(super) fn owner(pod: &Object) -> (String, String) {
    let owner = mesh::owner(pod);
    (owner.kind.to_owned(), owner.name.to_owned())
}

/// Whether there is something beside the proxy, as opposed to a gateway.
pub(super) fn has_application(pod: &Object) -> bool {
    application_containers(pod.spec()).next().is_some()
}

/// The labels that people select pods by, without those that Kubernetes and Istio add.
fn telling_labels(pod: &Object) -> Vec<(String, String)> {
    const USUAL: [&str; 4] = ["app", "app.kubernetes.io/name", "k8s-app", "istio"];
    let usual = USUAL.into_iter().find_map(|key| Some((key.to_owned(), pod.label(key)?.to_owned())));
    usual.into_iter().collect()
}

/// The pod with the workload that it belongs to.
pub(super) fn subject(pod: &Object) -> Subject {
    let subject = Subject::namespaced("Pod", pod.namespace(), pod.name());
    let owner = mesh::owner(pod);
    if owner.kind == "Pod" { subject } else { subject.owned_by(owner.kind, owner.name) }
}
