//! What an injector's `ConfigMap` says: the image of the proxies, and whether all namespaces take part.

use std::collections::BTreeMap;

use serde_json::Value;

use super::revisions::INJECTOR;
use mesh::{Kind, Mesh};

/// The settings of one injector, from the JSON that its installation left in the key `values`.
#[derive(Debug, Default)]
pub(super) struct InjectorSettings {
    /// Empty if the values do not tell it.
    pub(super) image: String,
    pub(super) enables_namespaces_by_default: bool,
}

/// The injectors by the name of their `ConfigMap`.
pub(super) fn of_all(mesh: &Mesh) -> BTreeMap<&str, InjectorSettings> {
    let maps = mesh.each(Kind::ConfigMap).filter(|map| map.name().starts_with(INJECTOR));
    maps.map(|map| (map.name(), InjectorSettings::read(map.root().get("data").get("values").text()))).collect()
}

/// The name of the `ConfigMap` of a revision's injector.
pub(super) fn map_name(revision: &str) -> String {
    match revision {
        "" | "default" => INJECTOR.to_owned(),
        revision => format!("{INJECTOR}-{revision}"),
    }
}

impl InjectorSettings {
    fn read(values: &str) -> Self {
        let values: Value = serde_json::from_str(values).unwrap_or_default();
        let enabled = values.pointer("/sidecarInjectorWebhook/enableNamespacesByDefault");
        Self {
            image: image(&values).unwrap_or_default(),
            enables_namespaces_by_default: enabled.and_then(Value::as_bool).unwrap_or_default(),
        }
    }
}

/// The image, which is named whole or by its parts.
fn image(values: &Value) -> Option<String> {
    let text = |pointer: &str| match values.pointer(pointer) {
        None | Some(Value::Null) => Some(""),
        Some(value) => value.as_str(),
    };
    let (image, hub, tag) = (text("/global/proxy/image")?, text("/global/hub")?, text("/global/tag")?);
    if !values.is_object() {
        return None;
    }
    Some(if image.contains('/') { image.to_owned() } else { format!("{hub}/{image}:{tag}") })
}
