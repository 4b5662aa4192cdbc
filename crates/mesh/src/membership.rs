//! Who is in the mesh: which workloads have a proxy or would get one.

use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// The label, and the older annotation, by which a pod asks for a proxy or declines it.
pub const INJECT: &str = "sidecar.istio.io/inject";
/// The label by which a namespace asks for proxies of the default revision.
pub const INJECTION: &str = "istio-injection";
/// The label by which a namespace or pod asks for proxies of a revision, and an object says which revision it is for.
pub const REVISION: &str = "istio.io/rev";
/// The label by which a namespace joins the ambient mesh.
pub const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";

/// What a Pod and the template of a Deployment have in common.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'m> {
    pub namespace: &'m str,
    pub labels: View<'m>,
    pub annotations: View<'m>,
    /// The spec of the pod.
    pub spec: View<'m>,
    counts_init_containers: bool,
}

impl<'m> Workload<'m> {
    pub fn of_pod(pod: &'m Object) -> Self {
        Self {
            namespace: pod.namespace(),
            labels: pod.labels(),
            annotations: pod.annotations(),
            spec: pod.spec(),
            counts_init_containers: true,
        }
    }

    pub fn of_deployment(deployment: &'m Object) -> Self {
        let template = deployment.spec().get("template");
        let metadata = template.get("metadata");
        Self {
            namespace: deployment.namespace(),
            labels: metadata.get("labels"),
            annotations: metadata.get("annotations"),
            spec: template.get("spec"),
            counts_init_containers: false,
        }
    }

    /// Its containers; of a Pod, the init containers after them.
    pub fn containers(self) -> impl Iterator<Item = View<'m>> {
        let init = self.counts_init_containers.then(|| self.spec.get("initContainers").items());
        self.spec.get("containers").items().chain(init.into_iter().flatten())
    }

    /// Whether it has a proxy with an image, as a container or as an init container (a native sidecar).
    pub fn has_proxy(self) -> bool {
        let mut proxies = self.containers().filter(|container| container.get("name").text() == "istio-proxy");
        proxies.next().is_some_and(|proxy| !proxy.get("image").text().is_empty())
    }
}

/// Whether a pod is captured by the ambient mesh.
pub fn is_ambient_pod(pod: &Object) -> bool {
    pod.annotation("ambient.istio.io/redirection") == Some("enabled")
}

/// Whether an object is part of Istio itself. Ingress gateways usually count, as they carry a label `istio`.
pub fn is_control_plane(object: &Object) -> bool {
    object.label("istio").is_some() || object.label("release") == Some("istio")
}

impl Mesh {
    /// Whether this is the Istio add-on of AKS, which has a namespace of its own
    /// (<https://learn.microsoft.com/azure/aks/istio-about>).
    pub fn is_aks(&self) -> bool {
        self.istio_namespace() == "aks-istio-system"
    }

    /// Whether a workload has a proxy, or would get one by the labels on it and its namespace.
    pub fn is_in_mesh(&self, workload: Workload<'_>) -> bool {
        if workload.has_proxy() {
            return true;
        }
        if let Some(wish) = workload.labels.get(INJECT).text_if_any() {
            return wish == "true";
        }
        if let Some(wish) = workload.annotations.get(INJECT).text_if_any() {
            return wish == "true";
        }
        self.namespace(workload.namespace).is_some_and(|namespace| self.is_injected(namespace))
    }

    /// Whether pods of a namespace get a proxy. `istioctl` does not know namespaces that name a revision.
    pub fn is_injected(&self, namespace: &Object) -> bool {
        match namespace.label(INJECTION) {
            Some(injection) => injection == "enabled",
            None => !self.is_compatible() && namespace.label(REVISION).is_some_and(|revision| !revision.is_empty()),
        }
    }

    /// Whether a namespace is part of the ambient mesh.
    pub fn is_ambient_namespace(&self, name: &str) -> bool {
        self.namespace(name).is_some_and(|namespace| {
            namespace.label(DATAPLANE_MODE) == Some("ambient")
                && namespace.label(INJECTION) != Some("enabled")
                && namespace.label(REVISION).is_none_or(str::is_empty)
        })
    }

    /// The `ConfigMap` with the injector's settings for a revision, wherever it was read.
    pub fn injector(&self, revision: &str) -> Option<&Object> {
        let name = match revision {
            "" | "default" => "istio-sidecar-injector".to_owned(),
            revision => format!("istio-sidecar-injector-{revision}"),
        };
        self.each(Kind::ConfigMap).find(|map| map.name() == name)
    }
}
