//! Fields that a message does not have. The API server drops them without a word, whether they are misspelt or in the
//! wrong place (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning>).

use serde_json::Value;

use super::Type;

/// A field that its message does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownField {
    /// The keys and indexes that lead to it, itself included.
    pub way: Vec<String>,
    /// The fields that stand in its place.
    pub known: Vec<&'static str>,
}

/// The unknown fields of a value. Below one nothing more is looked for.
pub(in super::super) fn fields(value: &Value, of: &Type) -> Vec<UnknownField> {
    let mut found = Vec::new();
    collect(value, of, &[], &mut found);
    found
}

fn collect(value: &Value, of: &Type, way: &[String], found: &mut Vec<UnknownField>) {
    let below = |key: String| [way, &[key]].concat();
    match (of, value) {
        (Type::Message(fields), Value::Object(entries)) => {
            for (key, value) in entries {
                // The schema of the API server knows one spelling only.
                if let Some((_, of)) = fields.iter().find(|(name, _)| name == key) {
                    collect(value, of, &below(key.clone()), found);
                } else {
                    let known = fields.iter().map(|(name, _)| *name).collect();
                    found.push(UnknownField { way: below(key.clone()), known });
                }
            }
        }
        (Type::List(item), Value::Array(items)) => {
            for (index, value) in items.iter().enumerate() {
                collect(value, item, &below(index.to_string()), found);
            }
        }
        (Type::Map(item) | Type::NumberMap(item), Value::Object(entries)) => {
            for (key, value) in entries {
                collect(value, item, &below(key.clone()), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::unknown_fields;

    #[test]
    fn misspelt_and_misplaced_fields() {
        let spec = json!({
            "hosts": ["a"],
            "http": [{"retires": {"attempts": 1}, "route": [{"destination": {"host": "a"}, "weigth": 1}]}],
            "timeout": "1s",
        });
        let found = unknown_fields("networking.istio.io", "VirtualService", &spec);
        let ways: Vec<String> = found.iter().map(|field| field.way.join(".")).collect();
        assert_eq!(ways, ["http.0.retires", "http.0.route.0.weigth", "timeout"]);
        assert!(found[0].known.contains(&"retries"));
    }

    #[test]
    fn maps_have_any_key() {
        let spec = json!({"selector": {"matchLabels": {"any": "thing"}}, "portLevelMtls": {"80": {"mode": "STRICT"}}});
        assert!(unknown_fields("security.istio.io", "PeerAuthentication", &spec).is_empty());
    }
}
