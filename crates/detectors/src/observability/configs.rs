//! The mesh configurations that there are, and where their settings are written.

use mesh::{Kind, Mesh, MeshConfig, Object};

/// Those of all revisions; the only one where there are none.
pub(super) fn all(mesh: &Mesh) -> Vec<&MeshConfig> {
    let of_revisions = mesh.configs();
    if of_revisions.is_empty() { vec![mesh.config()] } else { of_revisions.values().collect() }
}

/// Those that a Telemetry of this namespace is read with.
pub(super) fn of_telemetry<'m>(mesh: &'m Mesh, telemetry: &Object) -> Vec<&'m MeshConfig> {
    let namespace = telemetry.namespace();
    if mesh.is_root_namespace(namespace) { all(mesh) } else { vec![mesh.config_of(namespace)] }
}

/// The `ConfigMap` of a layer.
pub(super) fn map_of<'m>(mesh: &'m Mesh, layer: &str) -> Option<&'m Object> {
    mesh.find(Kind::ConfigMap, mesh.istio_namespace(), layer)
}

/// Where users write their settings, for remedies.
pub(super) fn place(mesh: &Mesh) -> String {
    let namespace = mesh.istio_namespace();
    if mesh.is_aks() {
        format!("under the key mesh of ConfigMap istio-shared-configmap-<revision> in namespace {namespace}")
    } else {
        format!("under meshConfig, ConfigMap istio in namespace {namespace}")
    }
}
