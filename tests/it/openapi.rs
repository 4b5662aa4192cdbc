//! The OpenAPI document: kept in the repository, and fit for other people's tools.

use std::{collections::BTreeSet, path::Path};

use meshtriage::api;
use serde_json::Value;

#[test]
fn document_in_the_repository_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let generated = format!("{:#}\n", api::openapi());
    assert!(kept == generated, "openapi/openapi.json is out of date: cargo run -- openapi > openapi/openapi.json");
}

#[test]
fn every_operation_has_an_id_a_summary_and_errors() {
    let document = serde_json::to_value(api::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(_, o)| o["operationId"].is_string()) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} stands twice");
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            assert!(operation["tags"].is_array(), "{method} {path} has no tag");
            let health = ["/livez", "/readyz", "/metrics"].contains(&path.as_str());
            assert!(health || operation["responses"]["422"].is_object(), "{method} {path} tells no errors");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                // Examples are answers, some of which hold schemas of their own.
                let others = map.iter().filter(|(name, _)| !matches!(name.as_str(), "example" | "examples"));
                others.for_each(|(_, value)| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = serde_json::to_value(api::openapi()).unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn formats_of_steps_are_documented() {
    let document = serde_json::to_value(api::openapi()).unwrap();
    for path in ["/v1/kubectl/crds", "/v1/istioctl/analyze"] {
        let content = &document["paths"][path]["get"]["responses"]["200"]["content"];
        for media in ["application/json", "text/plain", "application/yaml", "text/markdown", "application/xml"] {
            assert!(content[media].is_object(), "{path} {media}");
        }
    }
    let codes = &document["paths"]["/v1/codes"]["get"]["responses"]["200"]["content"];
    assert_eq!(codes.as_object().unwrap().len(), 1);
}
