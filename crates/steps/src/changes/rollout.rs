//! Rollouts: the ReplicaSets of a Deployment in their order, and what differs between two pod templates.

use std::collections::BTreeMap;

use diagnosis::Change;
use report::Subject;
use serde_json::Value;

use super::object::Changed;

const REVISION: &str = "deployment.kubernetes.io/revision";
/// Differences named with one rollout.
const MOST: usize = 8;
/// Of one value that is shown.
const LONGEST: usize = 80;

pub(super) fn changes(replica_sets: &[Changed], changes: &mut Vec<Change>) {
    let mut by_deployment: BTreeMap<(&str, &str), Vec<(u64, &Changed)>> = BTreeMap::new();
    for set in replica_sets {
        let owner = set.metadata.owner_references.iter().find(|owner| owner.kind == "Deployment");
        let revision = set.metadata.annotations.as_ref().and_then(|it| it.get(REVISION)?.parse().ok());
        if let (Some(owner), Some(revision)) = (owner, revision) {
            let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
            by_deployment.entry((namespace, &owner.name)).or_default().push((revision, set));
        }
    }
    for ((namespace, name), mut sets) in by_deployment {
        sets.sort_by_key(|(revision, _)| *revision);
        for pair in sets.windows(2) {
            let ((_, before), (revision, after)) = (pair[0], pair[1]);
            let Some(at) = &after.metadata.creation_timestamp else { continue };
            let mut fields = vec![format!("revision {revision}")];
            differences("template", &before.spec.template, &after.spec.template, &mut fields);
            fields.truncate(MOST);
            let subject = Subject::namespaced("Deployment", namespace, name);
            changes.push(Change { at: at.clone(), subject, what: "rolled out".to_owned(), by: String::new(), fields });
        }
    }
}

/// Where two templates differ. Items of lists are known by their name, where they have one.
fn differences(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after || found.len() >= MOST || path.ends_with(".pod-template-hash") {
        return;
    }
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            for name in names {
                let part = |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or(Value::Null);
                differences(&format!("{path}.{name}"), &part(a), &part(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.iter().chain(b).all(|item| item["name"].is_string()) => {
            let names =
                a.iter().chain(b).filter_map(|item| item["name"].as_str()).collect::<std::collections::BTreeSet<_>>();
            for name in names {
                let part = |of: &[Value]| of.iter().find(|item| item["name"] == name).cloned().unwrap_or(Value::Null);
                differences(&format!("{path}[{name}]"), &part(a), &part(b), found);
            }
        }
        _ => found.push(format!("{path}: {} → {}", shown(path, before), shown(path, after))),
    }
}

/// A value in short. Settings of applications may hold secrets, so only what decides over the pod itself is shown.
fn shown(path: &str, value: &Value) -> String {
    let is_plain = value.is_number() || value.is_boolean() || value.is_null();
    let is_shown = path.ends_with(".image")
        || path.contains(".resources")
        || path.contains(".labels")
        || path.contains("istio.io/");
    match value {
        Value::String(text) if is_shown => text.chars().take(LONGEST).collect(),
        _ if is_plain && !path.contains(".env") => value.to_string(),
        _ => "…".to_owned(),
    }
}
