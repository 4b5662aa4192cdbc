//! The resource types of the Gateway API, as they are installed.

use mesh::{Kind, Mesh, Object};

/// The end of their names.
pub(super) const GROUP: &str = "gateway.networking.k8s.io";

/// Those that are installed.
pub(super) fn definitions(mesh: &Mesh) -> impl Iterator<Item = &Object> {
    mesh.each(Kind::CustomResourceDefinition)
        .filter(|definition| definition.name().strip_suffix(GROUP).is_some_and(|plural| plural.ends_with('.')))
}

/// Whether AKS installed one, as opposed to a person.
pub(super) fn is_managed(definition: &Object) -> bool {
    const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    let said = definition.annotation(MANAGED_BY).or_else(|| definition.label(MANAGED_BY));
    said == Some("aks")
}
