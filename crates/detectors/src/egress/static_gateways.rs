//! Workloads that leave the cluster through a static egress gateway of AKS.

use mesh::{Kind, Mesh, Object};

/// The annotation on pods that names their configuration, in their own namespace
/// (<https://learn.microsoft.com/azure/aks/configure-static-egress-gateway>).
pub(super) const CONFIGURATION: &str = "kubernetes.azure.com/static-gateway-configuration";

/// The label of the add-on on what belongs to an egress gateway.
const COMPONENT: &str = "azureservicemesh/istio.component";

/// The name of the configuration that a Deployment's pods use.
pub(super) fn configuration_of(deployment: &Object) -> Option<&str> {
    let annotations = deployment.spec().path(&["template", "metadata", "annotations"]);
    annotations.get(CONFIGURATION).text_if_any().filter(|name| !name.is_empty())
}

/// The Deployments whose pods use one, with its name.
pub(super) fn users(mesh: &Mesh) -> impl Iterator<Item = (&Object, &str)> {
    mesh.each(Kind::Deployment).filter_map(|deployment| Some((deployment, configuration_of(deployment)?)))
}

/// Whether a Deployment is an egress gateway of the mesh: the add-on's, or one with the labels of Istio's charts. An
/// application may use a static gateway as well, but its containers are others.
pub(super) fn is_egress_gateway(deployment: &Object) -> bool {
    let labels = deployment.spec().path(&["template", "metadata", "labels"]);
    let containers = || deployment.spec().path(&["template", "spec", "containers"]).items();
    let is_proxy_alone = || containers().count() == 1 && containers().all(|it| it.get("name").text() == "istio-proxy");
    let is_component = |value: Option<&str>| value == Some("egress-gateway");
    is_component(deployment.label(COMPONENT))
        || is_component(labels.get(COMPONENT).text_if_any())
        || labels.get("istio").text() == "egressgateway"
        || configuration_of(deployment).is_some() && is_proxy_alone()
}
