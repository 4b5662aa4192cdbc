//! `ConfigMaps` with settings for what Istio makes for a Gateway: those of one Gateway, and those of a class.

use mesh::{CLASS_DEFAULTS, Kind, Mesh, Object, Tree, yaml};

/// The class that Istio serves at the edge of a mesh.
pub(super) const CLASS: &str = "istio";

/// The `ConfigMaps` that are meant for all Gateways of Istio's class.
pub(super) fn class_defaults(mesh: &Mesh) -> impl Iterator<Item = &Object> {
    mesh.each(Kind::ConfigMap).filter(|map| map.label(CLASS_DEFAULTS) == Some(CLASS))
}

/// The name of the `ConfigMap` with a Gateway's settings, which is in its namespace.
pub(super) fn named_by(gateway: &Object) -> Option<&str> {
    let reference = gateway.spec().get("infrastructure").get("parametersRef");
    reference.get("name").text_if_any().filter(|_| reference.get("kind").text() == "ConfigMap")
}

/// Whether a `ConfigMap` has settings for Gateways that Istio serves.
pub(super) fn is_for_istio(mesh: &Mesh, map: &Object) -> bool {
    let mut gateways = mesh.in_namespace(Kind::KubernetesGateway, map.namespace());
    map.label(CLASS_DEFAULTS) == Some(CLASS)
        || gateways.any(|gateway| named_by(gateway) == Some(map.name()) && mesh.is_istio_gateway(gateway))
}

/// The object that one key of them describes.
pub(super) fn setting(text: &str) -> Result<Tree, String> {
    Ok(yaml::first_document(text)?.unwrap_or_else(Tree::null))
}
