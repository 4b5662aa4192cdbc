//! The changes that an object tells of itself.

use diagnosis::Change;
use report::Subject;
use serde_json::Value;

use super::object::{Changed, ManagedFields};

/// Who writes all the time, without anybody having asked for a change.
const CONTROLLERS: &[&str] = &[
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "pilot-discovery",
    "istio-operator",
    "cloud-controller-manager",
    "coredns",
    "eno-reconciler",
];
/// Fields named with one change.
const FIELDS: usize = 8;

/// Adds those of one object.
pub(super) fn changes(kind: &str, object: &Changed, changes: &mut Vec<Change>) {
    let metadata = &object.metadata;
    let subject = match &metadata.namespace {
        Some(namespace) => Subject::namespaced(kind, namespace, &metadata.name),
        None => Subject::cluster_wide(kind, &metadata.name),
    };
    let mut add = |at: &str, what: &str, by: &str, fields: Vec<String>| {
        let (at, what, by) = (at.to_owned(), what.to_owned(), by.to_owned());
        changes.push(Change { at, subject: subject.clone(), what, by, fields });
    };
    if let Some(at) = &metadata.deletion_timestamp {
        add(at, "deleted", "", Vec::new());
    }
    let created = metadata.creation_timestamp.as_deref().unwrap_or_default();
    // Pods come and go with their workload, whose rollout says it.
    if kind == "Pod" && !metadata.owner_references.is_empty() {
        let statuses = object.status.container_statuses.iter().chain(&object.status.init_container_statuses);
        for status in statuses {
            let Some(ended) = &status.last_state.terminated else { continue };
            if let Some(at) = &ended.finished_at {
                add(at, "restarted", "", vec![format!("{}: {}", status.name, ended.reason)]);
            }
        }
        return;
    }
    let creator = metadata.managed_fields.iter().find(|it| it.time.as_deref() == Some(created));
    if !created.is_empty() {
        add(created, "created", creator.map_or("", |it| it.manager.as_str()), Vec::new());
    }
    for managed in &metadata.managed_fields {
        let Some(at) = managed.time.as_deref().filter(|at| *at != created) else { continue };
        let is_noise = managed.subresource == "status" || CONTROLLERS.contains(&managed.manager.as_str());
        let scaled = managed.subresource == "scale";
        if is_noise && !scaled {
            continue;
        }
        let fields = fields(managed);
        if !fields.is_empty() {
            add(at, if scaled { "scaled" } else { "changed" }, &managed.manager, fields);
        }
    }
}

/// The fields that a manager owns, two levels deep: `spec.http`, `metadata.labels`.
fn fields(managed: &ManagedFields) -> Vec<String> {
    let mut fields = Vec::new();
    for (outer, inner) in entries(&managed.fields_v1) {
        let deeper: Vec<&str> = entries(inner).map(|(name, _)| name).collect();
        match (outer, deeper.as_slice()) {
            ("status", _) => {}
            (outer, []) => fields.push(outer.to_owned()),
            (outer, names) => {
                let kept =
                    names.iter().filter(|name| outer != "metadata" || matches!(**name, "labels" | "annotations"));
                fields.extend(kept.map(|name| format!("{outer}.{name}")));
            }
        }
    }
    fields.truncate(FIELDS);
    fields
}

/// Members of a field set, whose names begin with `f:`.
fn entries(fields: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = fields.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.strip_prefix("f:")?, value)))
}
