//! The service against real API servers: who calls and what he may do, what is read, and the steps. `tests/run.sh` starts
//! the servers; without them these tests are not run.

mod access;
mod bug_report;
mod deploy;
mod discovery;
mod identity;
mod reading;
mod restart;
mod steps;

use serde_json::Value;

/// An object without what a server sets on its own: a recording has neither.
fn as_recorded(mut object: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !matches!(name.as_str(), "managedFields" | "resourceVersion"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut object);
    object
}

/// Where what the folder gave and what came live first differ.
fn difference(folder: &Value, live: &Value) -> Option<String> {
    fn at(path: &str, folder: &Value, live: &Value) -> Option<String> {
        match (folder, live) {
            _ if folder == live => None,
            (Value::Object(a), Value::Object(b)) if a.len() == b.len() && a.keys().all(|name| b.contains_key(name)) => {
                a.iter().find_map(|(name, value)| at(&format!("{path}/{name}"), value, &b[name]))
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).enumerate().find_map(|(i, (a, b))| at(&format!("{path}/{i}"), a, b))
            }
            _ => {
                let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
                Some(format!("{path}: {} from the folder, {} live", short(folder), short(live)))
            }
        }
    }
    at("", folder, live)
}
