//! Which control planes are installed.

use super::kind::Kind;
use super::membership::REVISION;
use super::object::Object;
use super::snapshot::Mesh;
use super::versions::numbers;

/// A control plane of this cluster.
#[derive(Debug, Clone, Copy)]
pub struct ControlPlane<'m> {
    pub revision: &'m str,
    /// Of istiod.
    pub deployment: &'m Object,
}

impl<'m> ControlPlane<'m> {
    /// A variable of istiod's environment.
    pub fn variable(&self, name: &str) -> Option<&'m str> {
        let containers = self.deployment.spec().path(&["template", "spec", "containers"]).items();
        let mut variables = containers.flat_map(|container| container.get("env").items());
        variables.find(|variable| variable.get("name").text() == name)?.get("value").text_if_any()
    }
}

impl Mesh {
    /// The control planes in Istio's namespace, the newest last. On AKS those of the add-on: an istiod without a
    /// revision beside them is that of application routing
    /// (<https://learn.microsoft.com/azure/aks/app-routing-gateway-api>).
    pub fn control_planes(&self) -> Vec<ControlPlane<'_>> {
        let here = self.in_namespace(Kind::Deployment, self.istio_namespace());
        let istiods = here.filter(|deployment| deployment.label("app") == Some("istiod"));
        let mut found: Vec<ControlPlane<'_>> = istiods
            .map(|deployment| ControlPlane { revision: deployment.label(REVISION).unwrap_or("default"), deployment })
            .filter(|found| !self.is_aks() || found.revision.starts_with("asm-"))
            .collect();
        found.sort_by_cached_key(|found| (numbers(found.revision), found.revision));
        found
    }

    /// The node agents of Istio's CNI plug-in, which redirect traffic in place of init containers
    /// (<https://istio.io/latest/docs/setup/additional-setup/cni/>,
    /// <https://learn.microsoft.com/azure/aks/istio-cni>).
    pub fn cni_agents(&self) -> impl Iterator<Item = &Object> {
        self.each(Kind::DaemonSet).filter(|agent| agent.name().contains("istio-cni"))
    }
}
