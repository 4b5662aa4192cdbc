//! What a cut-down recording leaves out: large parts that no step reads.

use serde_json::Value;

use report::yaml;

/// From an object of a list.
pub(super) fn object(object: &mut Value, plural: &str) {
    match plural {
        "customresourcedefinitions" => {
            let versions = object.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
            for version in versions.into_iter().flatten().filter_map(Value::as_object_mut) {
                version.shift_remove("schema");
            }
        }
        "configmaps" => {
            let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
            if name.starts_with("istio-sidecar-injector")
                && let Some(config) = object.pointer_mut("/data/config")
            {
                *config = without_templates(config.as_str().unwrap_or_default()).into();
            }
            // What Helm was given, and what it made of it: nothing that a step reads.
            if name.starts_with("values")
                && let Some(data) = object.get_mut("data").and_then(Value::as_object_mut)
            {
                data.retain(|key, _| key != "merged-values" && key != "original-values");
            }
        }
        _ => {}
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// The injector's configuration with its policy and selectors, which decide who is injected, but without the templates.
fn without_templates(config: &str) -> String {
    let Ok(mut parsed) = serde_saphyr::from_str::<Value>(config) else { return String::new() };
    if let Some(fields) = parsed.as_object_mut() {
        fields.retain(|name, _| name != "templates" && name != "template");
    }
    yaml::to_string(&parsed)
}

/// A page of istiod's that holds nothing but templates.
pub(super) fn is_templates(file: &str) -> bool {
    file.ends_with("/debug/inject")
}

/// From a page of Envoy: the list of the extensions that it was built with, which is most of a small dump.
pub(super) fn page(file: &str, content: Vec<u8>) -> Vec<u8> {
    if !matches!(file, "config_dump.json" | "config_dump_include_eds.json" | "server_info.json") {
        return content;
    }
    let Ok(mut page) = serde_json::from_slice::<Value>(&content) else { return content };
    let configs = page.get_mut("configs").and_then(Value::as_array_mut);
    for config in configs.into_iter().flatten() {
        remove_extensions(config.pointer_mut("/bootstrap/node"));
    }
    remove_extensions(page.get_mut("node"));
    page.to_string().into_bytes()
}

fn remove_extensions(node: Option<&mut Value>) {
    if let Some(node) = node.and_then(Value::as_object_mut) {
        node.shift_remove("extensions");
    }
}
