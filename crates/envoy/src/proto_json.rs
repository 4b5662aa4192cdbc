//! Envoy's JSON as istioctl prints it: field names in lowerCamelCase, maps sorted by key.
//!
//! Envoy keeps the names of the `.proto` files, protobuf's JSON has lowerCamelCase, and older programs mix both. Keys that
//! are data stay as they are: those of maps, and all within a `google.protobuf.Struct`.
//! See <https://protobuf.dev/programming-guides/json/>.

use serde_json::ser::PrettyFormatter;
use serde_json::value::RawValue;
use serde_json::{Map, Serializer, Value};

use super::Error;
use super::config_dump::read;
use super::{field_order, yaml};

/// How a dump is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
}

/// A resource in lowerCamelCase. Its own `@type` goes, as istioctl prints a message of known type.
pub(super) fn resource(raw: &RawValue) -> Result<Value, Error> {
    let mut value = message(raw)?;
    if let Value::Object(fields) = &mut value {
        fields.shift_remove("@type");
    }
    Ok(value)
}

/// A message in lowerCamelCase.
pub(super) fn message(raw: &RawValue) -> Result<Value, Error> {
    let value: Value = read(raw, "a resource")?;
    // The type of a resource stands for the field that would hold it.
    let name = value.get("@type").and_then(Value::as_str).and_then(|url| url.rsplit('.').next());
    let mut path: Vec<String> = name.map(str::to_owned).into_iter().collect();
    Ok(renamed(value, Within::Message, &mut path))
}

/// The list of resources as text.
pub(super) fn list(resources: &[&RawValue], format: Format) -> Result<String, Error> {
    let values = resources.iter().map(|raw| resource(raw)).collect::<Result<_, _>>()?;
    Ok(written(&Value::Array(values), format))
}

pub(super) fn written(value: &Value, format: Format) -> String {
    match format {
        Format::Json => indented(value),
        // istioctl ends YAML with an empty line.
        Format::Yaml => yaml::written(value) + "\n",
    }
}

fn indented(value: &Value) -> String {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    "));
    serde::Serialize::serialize(value, &mut serializer).expect("a value can be written to memory");
    text.push(b'\n');
    String::from_utf8(text).expect("serde_json writes UTF-8")
}

/// What an object's keys are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Names of fields.
    Message,
    /// Keys of a map from text to messages.
    Map,
    /// Keys of a `Struct`, at any depth.
    Struct,
}

/// Fields that are maps from text to messages or text.
const MAPS: [&str; 18] = [
    "typedPerFilterConfig",
    "typedExtensionProtocolOptions",
    "typedFilterMetadata",
    "policies",
    "providers",
    "requirementMap",
    "dimensions",
    "namedEndpoints",
    "namedFilterChains",
    "sourceCodes",
    "secretConfigs",
    "contextExtensions",
    "customTags",
    "keyValues",
    "requestHeaders",
    "responseHeaders",
    "responseTrailers",
    "map",
];

/// Fields that are a `Struct`, or a map from text to one.
const STRUCTS: [&str; 13] = [
    "filterMetadata",
    "filterContext",
    "jsonFormat",
    "typedJsonFormat",
    "staticLayer",
    "defaultSubset",
    "transportSocketMatchCriteria",
    "structValue",
    "record",
    "aws",
    "perFilterConfig",
    "extensionProtocolOptions",
    "untypedConfig",
];

/// What the object in this field of a message holds. Some names mean different things in different messages.
fn within(field: &str, message: &Map<String, Value>, parent: &str) -> Within {
    match field {
        _ if MAPS.contains(&field) => Within::Map,
        _ if STRUCTS.contains(&field) => Within::Struct,
        // Of a node, and of the build of Envoy; the `metadata` of resources is a message.
        "metadata" if matches!(parent, "node" | "userAgentBuildVersion" | "version") => Within::Struct,
        "requires" if parent == "filterStateRules" => Within::Map,
        "match" if parent == "transportSocketMatches" => Within::Struct,
        // A Struct that is the value of an Any, or of an entry of metadata.
        "value" if message.get("@type").and_then(Value::as_str).is_some_and(is_struct) => Within::Struct,
        "value" if message.contains_key("metadata_namespace") || message.contains_key("metadataNamespace") => {
            Within::Struct
        }
        "config" if parent == "googleGrpc" => Within::Struct,
        // Before xDS v3 a filter, transport socket or access logger had its configuration as a Struct.
        "config" if message.contains_key("name") && !message.contains_key("@type") => Within::Struct,
        _ => Within::Message,
    }
}

fn is_struct(type_url: &str) -> bool {
    let name = type_url.rsplit('/').next().unwrap_or(type_url);
    name.ends_with(".TypedStruct") || name == "google.protobuf.Struct" || name == "google.protobuf.Value"
}

/// `path` has the fields around the value, the nearest last.
fn renamed(value: Value, within: Within, path: &mut Vec<String>) -> Value {
    match value {
        Value::Object(fields) if within == Within::Message => Value::Object(renamed_message(fields, path)),
        Value::Object(fields) => {
            let inner = if within == Within::Map { Within::Message } else { Within::Struct };
            let entries = fields.into_iter().map(|(key, value)| (key, renamed(value, inner, path)));
            let mut entries: Map<String, Value> = entries.collect();
            entries.sort_keys();
            Value::Object(entries)
        }
        Value::Array(items) => {
            // A map is no list, so where there is one the field is another of the same name.
            let within = if within == Within::Map { Within::Message } else { within };
            items.into_iter().map(|item| renamed(item, within, path)).collect()
        }
        scalar => scalar,
    }
}

fn renamed_message(fields: Map<String, Value>, path: &mut Vec<String>) -> Map<String, Value> {
    let parent = path.last().map_or("", String::as_str);
    let names: Vec<String> = fields.keys().map(|name| camel_case(name)).collect();
    let contents: Vec<Within> = names.iter().map(|name| self::within(name, &fields, parent)).collect();
    let mut entries = Map::with_capacity(fields.len());
    for ((name, within), (_, value)) in names.into_iter().zip(contents).zip(fields) {
        path.push(name.clone());
        let value = renamed(value, within, path);
        path.pop();
        let value = if SECRETS.contains(&name.as_str()) { withheld(value) } else { value };
        entries.insert(name, value);
    }
    field_order::sort(entries, path)
}

/// Fields whose values are secret. Envoy has replaced them by this text already; should it miss one, it ends here.
const SECRETS: [&str; 5] = ["privateKey", "password", "sessionTicketKeys", "genericSecret", "hmacSecret"];

/// The value of a secret field without what it holds in line.
fn withheld(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let entries = fields.into_iter().map(|(name, value)| {
                let value = match name.as_str() {
                    "inlineBytes" => Value::from("W3JlZGFjdGVkXQ=="),
                    "inlineString" => Value::from("[redacted]"),
                    _ => withheld(value),
                };
                (name, value)
            });
            Value::Object(entries.collect())
        }
        Value::Array(items) => items.into_iter().map(withheld).collect(),
        scalar => scalar,
    }
}

/// `load_assignment` becomes `loadAssignment`. What is no name of a field, such as `@type`, stays.
fn camel_case(name: &str) -> String {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return name.to_owned();
    }
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else {
            camel.push(if upper { letter.to_ascii_uppercase() } else { letter });
            upper = false;
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(input: &Value, expected: &Value) {
        let raw = serde_json::value::to_raw_value(input).expect("JSON");
        assert_eq!(message(&raw).expect("message"), *expected);
    }

    #[test]
    fn names_of_fields_are_changed() {
        check(
            &json!({"proxy_100_continue": true, "port_value": 1}),
            &json!({"proxy100Continue": true, "portValue": 1}),
        );
    }

    #[test]
    fn secrets_are_withheld() {
        check(
            &json!({"tls_certificate": {"certificate_chain": {"inline_bytes": "YQ=="}, "private_key": {"inline_bytes": "YQ=="}}}),
            &json!({"tlsCertificate": {"certificateChain": {"inlineBytes": "YQ=="}, "privateKey": {"inlineBytes": "W3JlZGFjdGVkXQ=="}}}),
        );
    }

    #[test]
    fn keys_of_maps_and_structs_stay() {
        check(
            &json!({"filter_metadata": {"b_c": {"x_y": {"p_q": 1}}, "a": {}}}),
            &json!({"filterMetadata": {"a": {}, "b_c": {"x_y": {"p_q": 1}}}}),
        );
        check(
            &json!({"policies": {"my_policy": {"not_rule": {"any_of": 1}}}}),
            &json!({"policies": {"my_policy": {"notRule": {"anyOf": 1}}}}),
        );
        check(
            &json!({"@type": "type.googleapis.com/xds.type.v3.TypedStruct", "type_url": "t", "value": {"a_b": [{"c_d": 1}]}}),
            &json!({"@type": "type.googleapis.com/xds.type.v3.TypedStruct", "typeUrl": "t", "value": {"a_b": [{"c_d": 1}]}}),
        );
        check(
            &json!({"node": {"user_agent_name": "envoy", "metadata": {"a_b": 1}}, "cluster": {"metadata": {"filter_metadata": {}}}}),
            &json!({"node": {"userAgentName": "envoy", "metadata": {"a_b": 1}}, "cluster": {"metadata": {"filterMetadata": {}}}}),
        );
    }
}
