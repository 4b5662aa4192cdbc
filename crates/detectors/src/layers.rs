//! Messages about the mesh configuration, at the `ConfigMap` that says it.

use analyzers::{Message, Path};
use mesh::{Kind, Mesh, MeshConfig, Setting};
use report::Code;

/// The configurations in force, each with its revision; one without a name where no revision can be told.
pub(super) fn configs(mesh: &Mesh) -> Vec<(&str, &MeshConfig)> {
    if mesh.configs().is_empty() {
        return vec![("", mesh.config())];
    }
    mesh.configs().iter().map(|(revision, config)| (revision.as_str(), config)).collect()
}

/// A message about a setting, at the layer that set it. The configuration may also come from a file, which is no object.
pub(super) fn about<'m>(mesh: &'m Mesh, code: &'static Code, setting: &Setting<'_>, text: String) -> Message<'m> {
    let map = setting.from.and_then(|name| mesh.find(Kind::ConfigMap, mesh.istio_namespace(), name));
    match map {
        Some(map) => Message::new(code, map, text).at(Path::data("mesh")),
        None => Message::without_object(code, text),
    }
}

/// The `ConfigMap` to edit: on AKS the shared one, since the add-on resets its own
/// (<https://learn.microsoft.com/azure/aks/istio-meshconfig>).
pub(super) fn to_edit(mesh: &Mesh, revision: &str) -> String {
    let name = match revision {
        revision if mesh.is_aks() => format!("istio-shared-configmap-{revision}"),
        "" | "default" => "istio".to_owned(),
        revision => format!("istio-{revision}"),
    };
    format!("ConfigMap {}/{name}", mesh.istio_namespace())
}
