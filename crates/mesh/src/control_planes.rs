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

/// The version of Istio that a revision of the AKS add-on is named for: `asm-1-29` is 1.29.
pub fn add_on_version(revision: &str) -> Option<(u32, u32)> {
    let (major, minor) = revision.strip_prefix("asm-")?.split_once('-')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

impl Mesh {
    /// Every istiod in Istio's namespace, with its revision: `default` where it names none.
    pub fn istiods(&self) -> impl Iterator<Item = ControlPlane<'_>> {
        let here = self.in_namespace(Kind::Deployment, self.istio_namespace());
        let istiods = here.filter(|deployment| deployment.label("app") == Some("istiod"));
        istiods.map(|deployment| ControlPlane { revision: deployment.label(REVISION).unwrap_or("default"), deployment })
    }

    /// The control planes in Istio's namespace, the newest last. On AKS those of the add-on: an istiod without a
    /// revision beside them is that of application routing
    /// (<https://learn.microsoft.com/azure/aks/app-routing-gateway-api>).
    pub fn control_planes(&self) -> Vec<ControlPlane<'_>> {
        let is_meant = |found: &ControlPlane<'_>| !self.is_aks() || found.revision.starts_with("asm-");
        let mut found: Vec<ControlPlane<'_>> = self.istiods().filter(is_meant).collect();
        found.sort_by_cached_key(|found| (numbers(found.revision), found.revision));
        found
    }

    /// The newest of the revisions that run.
    pub fn newest_revision(&self) -> Option<&str> {
        self.control_planes().last().map(|newest| newest.revision)
    }

    /// The node agents of Istio's CNI plug-in, which redirect traffic in place of init containers
    /// (<https://istio.io/latest/docs/setup/additional-setup/cni/>,
    /// <https://learn.microsoft.com/azure/aks/istio-cni>).
    pub fn cni_agents(&self) -> impl Iterator<Item = &Object> {
        self.each(Kind::DaemonSet).filter(|agent| agent.name().contains("istio-cni"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    #[test]
    fn newest_revision_is_by_number() {
        let mut builder = MeshBuilder::new(Settings {
            istio_namespace: "aks-istio-system".into(),
            ..Settings::new(jiff::Timestamp::UNIX_EPOCH)
        });
        let istiod = |revision: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: istiod-{revision}, namespace: aks-istio-system, \
                 labels: {{app: istiod, istio.io/rev: {revision}}}}}\n---\n"
            )
        };
        builder.add_files(&[("mesh.yaml".to_owned(), istiod("asm-1-9") + &istiod("asm-1-30"))]);
        assert_eq!(builder.build().newest_revision(), Some("asm-1-30"));
        assert_eq!(add_on_version("asm-1-x"), None);
    }
}
