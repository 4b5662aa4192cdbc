//! The `ConfigMaps` in which users of a mesh configure it.
//!
//! On AKS that is the shared one of each revision; the one beside it is the add-on's own. Elsewhere both are the
//! user's. See [AKS](https://learn.microsoft.com/azure/aks/istio-meshconfig).

use mesh::{ControlPlane, Kind, Mesh, MeshConfig, Object, View};

/// How the names of shared maps begin.
pub(super) const SHARED: &str = "istio-shared-configmap";

/// What other tools wrap the mesh configuration in: Helm values, `IstioOperator`, a whole `ConfigMap` in the text.
pub(super) const WRAPPERS: [&str; 4] = ["meshConfig", "mesh", "data", "spec"];

/// A map that a control plane reads.
pub(super) struct UserMap<'m> {
    pub(super) revision: &'m str,
    pub(super) map: &'m Object,
}

impl<'m> UserMap<'m> {
    /// The text of the mesh configuration.
    pub(crate) fn text(&self) -> &'m str {
        self.map.root().get("data").get("mesh").text()
    }

    /// The mesh configuration, if it could be read.
    pub(super) fn config(&self, mesh: &'m Mesh) -> View<'m> {
        let layers = mesh.configs().get(self.revision).map_or(&[][..], |config| &config.layers);
        layers.iter().find(|layer| layer.name == self.map.name()).map_or(View::MISSING, |layer| layer.config())
    }
}

/// Every map that a user writes for an installed revision.
pub(super) fn of_users(mesh: &Mesh) -> Vec<UserMap<'_>> {
    let mut maps = Vec::new();
    for control_plane in mesh.control_planes() {
        let names = [Some(shared_name(&control_plane)), (!mesh.is_aks()).then(|| own_name(control_plane.revision))];
        for name in names.into_iter().flatten() {
            if let Some(map) = mesh.find(Kind::ConfigMap, mesh.istio_namespace(), &name) {
                maps.push(UserMap { revision: control_plane.revision, map });
            }
        }
    }
    maps
}

/// The shared map of a control plane, if there is one.
pub(super) fn shared<'m>(mesh: &'m Mesh, control_plane: &ControlPlane<'_>) -> Option<&'m Object> {
    mesh.find(Kind::ConfigMap, mesh.istio_namespace(), &shared_name(control_plane))
}

/// istiod is told the name of the shared map; the add-on makes it of the revision.
pub(super) fn shared_name(control_plane: &ControlPlane<'_>) -> String {
    let told = control_plane.variable("SHARED_MESH_CONFIG").filter(|name| !name.is_empty());
    told.map_or_else(|| format!("{SHARED}-{}", control_plane.revision), str::to_owned)
}

/// The map that belongs to the installation.
pub(super) fn own_name(revision: &str) -> String {
    if matches!(revision, "" | "default") { "istio".to_owned() } else { format!("istio-{revision}") }
}

/// The configuration of each control plane, where any of it was read.
pub(super) fn configs(mesh: &Mesh) -> Vec<(ControlPlane<'_>, &MeshConfig)> {
    let found = mesh.control_planes().into_iter();
    found
        .filter_map(|it| Some((it, mesh.configs().get(it.revision).filter(|config| !config.layers.is_empty())?)))
        .collect()
}
