//! The value of a patch of an `EnvoyFilter`. Upstream reads it as the Envoy message that is patched, which takes
//! the descriptors of some 1,500 messages; see `SKIPPED_CHECKS`. What can be told without them is checked here.

use serde_json::Value;

use super::fields::Choice;
use super::problem::Outcome;

pub(super) fn check(outcome: &mut Outcome, value: &Value, apply_to: Choice) {
    if apply_to.is("INVALID") || !(1..=11).contains(&apply_to.number) {
        return outcome.error(format!("Envoy filter: unknown object type for applyTo {}", apply_to.number));
    }
    // Of the messages that can be patched only the bootstrap has no name, and every name is a text.
    if !apply_to.is("BOOTSTRAP")
        && let Some(found) = value.get("name").and_then(not_a_text)
    {
        return outcome.error(format!("Envoy filter: json: cannot unmarshal {found} into Go value of type string"));
    }
    if let Some(type_url) = removed_type(value) {
        outcome.error(format!(
            "Envoy filter: referenced type unknown (hint: try using the v3 XDS API): could not resolve Any message \
             type: {type_url}"
        ));
    }
}

fn not_a_text(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null | Value::String(_) => None,
        Value::Bool(_) => Some("bool"),
        Value::Number(_) => Some("number"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

/// A configuration of the [v2 API](https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol), which Envoy
/// removed in 1.18, so that no version that Istio supports knows its types. The search keeps a list of what is left
/// to read, because a patch may nest as deep as it likes.
fn removed_type(value: &Value) -> Option<&str> {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items.iter().rev()),
            Value::Object(members) => {
                for (name, member) in members {
                    if matches!(name.as_str(), "typed_config" | "typedConfig")
                        && let Some(type_url) = member.get("@type").and_then(Value::as_str)
                        && type_url.rsplit('/').next().is_some_and(|name| name.starts_with("envoy."))
                        && type_url.contains(".v2.")
                    {
                        return Some(type_url);
                    }
                }
                left.extend(members.values());
            }
            _ => {}
        }
    }
    None
}
