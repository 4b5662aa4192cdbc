//! Writes an object as people and `kubectl` write YAML: in blocks, with quotes only where they are needed.

use serde_json::Value;

pub(super) fn write(object: &Value, text: &mut String) {
    block(object, 0, text);
}

fn block(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) => {
            for (index, (key, value)) in fields.iter().enumerate() {
                // The first entry of a map in a list stands behind the dash.
                if index > 0 || text.ends_with('\n') {
                    text.push_str(&"  ".repeat(depth));
                }
                scalar(key, text);
                text.push(':');
                below(value, depth, matches!(value, Value::Object(_)), text);
            }
        }
        Value::Array(items) => {
            for item in items {
                text.push_str(&"  ".repeat(depth));
                text.push('-');
                if matches!(item, Value::Object(fields) if !fields.is_empty()) {
                    text.push(' ');
                    block(item, depth + 1, text);
                } else {
                    below(item, depth, true, text);
                }
            }
        }
        _ => below(value, depth, false, text),
    }
}

/// A value behind its key or dash: on the same line, or as a block below.
fn below(value: &Value, depth: usize, deeper: bool, text: &mut String) {
    match value {
        Value::Object(fields) if fields.is_empty() => text.push_str(" {}\n"),
        Value::Array(items) if items.is_empty() => text.push_str(" []\n"),
        Value::Object(_) | Value::Array(_) => {
            text.push('\n');
            block(value, depth + usize::from(deeper), text);
        }
        Value::String(content) => {
            text.push(' ');
            scalar(content, text);
            text.push('\n');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            text.push(' ');
            text.push_str(&value.to_string());
            text.push('\n');
        }
    }
}

/// Plain where nobody could read it as anything else than a string.
fn scalar(content: &str, text: &mut String) {
    let is_plain = content.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && content.chars().all(|each| each.is_ascii_alphanumeric() || "-_./".contains(each))
        && !matches!(content, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    if is_plain {
        text.push_str(content);
    } else {
        text.push_str(&Value::from(content).to_string());
    }
}
