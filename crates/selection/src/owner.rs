//! The workload that a pod belongs to: its owner, and for a ReplicaSet the owner of that
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/>).

use std::collections::BTreeMap;

use serde_json::Value;

/// The label by which a Deployment tells its ReplicaSets apart; a ReplicaSet's name ends with it.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label>
const TEMPLATE_HASH: &str = "pod-template-hash";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    pub kind: String,
    pub name: String,
}

/// Which Deployment owns which ReplicaSet, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Owners(BTreeMap<(String, String), String>);

impl Owners {
    /// Notes the owner of a ReplicaSet.
    pub fn learn(&mut self, replica_set: &Value) {
        if let Some(owner) = owner(replica_set).filter(|owner| owner.kind == "Deployment") {
            self.0.insert((metadata(replica_set, "namespace"), metadata(replica_set, "name")), owner.name);
        }
    }

    /// The workload of a pod, of whatever kind. A ReplicaSet that is not known is taken for that of a Deployment when its
    /// name says so.
    pub fn workload(&self, pod: &Value) -> Option<Workload> {
        let owner = owner(pod)?;
        if owner.kind != "ReplicaSet" {
            return Some(owner);
        }
        let key = (metadata(pod, "namespace"), owner.name.clone());
        let hash = pod.get("metadata").and_then(|metadata| metadata.get("labels")?.get(TEMPLATE_HASH)?.as_str());
        let named = || Some(owner.name.strip_suffix(hash?)?.strip_suffix('-')?.to_owned());
        match self.0.get(&key).cloned().or_else(named) {
            Some(name) => Some(Workload { kind: "Deployment".to_owned(), name }),
            None => Some(owner),
        }
    }
}

/// The owner that controls the object, else its first.
fn owner(object: &Value) -> Option<Workload> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let controls = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
    let owner = owners.iter().find(controls).or_else(|| owners.first())?;
    let text = |name: &str| owner.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Workload { kind: text("kind")?, name: text("name")? })
}

fn metadata(object: &Value, field: &str) -> String {
    object.get("metadata").and_then(|metadata| metadata.get(field)?.as_str()).unwrap_or_default().to_owned()
}
