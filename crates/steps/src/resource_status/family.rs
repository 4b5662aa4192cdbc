//! What belongs together: pods of a `ReplicaSet` of a Deployment, its autoscaler, its budget, and their events. Built
//! once from a few lists, so that no object costs a request of its own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    events::Events,
    labels,
    object::{Object, OwnerReference},
};
use report::Subject;

/// The last lines of a container's log.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogTail {
    /// Of the run before the present one.
    pub(crate) previous: bool,
    pub(crate) lines: Vec<String>,
}

/// Namespace, pod and container.
pub(crate) type LogKey = (String, String, String);

/// What was read around the objects that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// By kind. A kind that could not be read is absent, which is not the same as empty.
    objects: BTreeMap<String, Vec<Object>>,
    /// Place in the list of its kind, by kind, namespace and name.
    places: BTreeMap<(String, String, String), usize>,
    /// Kind and place in its list, by the owner's kind, namespace and name.
    children: BTreeMap<(String, String, String), Vec<(String, usize)>>,
    /// Ready pods by their workload's kind, namespace and name.
    ready: BTreeMap<(String, String, String), BTreeSet<String>>,
    pub(crate) events: Events,
    pub(crate) logs: BTreeMap<LogKey, LogTail>,
    /// What the metrics API says of itself; `None` where nobody asked.
    pub(crate) metrics_api: Option<String>,
    pub(crate) now: Timestamp,
}

impl Family {
    pub(crate) fn new(objects: BTreeMap<String, Vec<Object>>, now: Timestamp) -> Self {
        let mut family = Self { now, ..Self::default() };
        for (kind, list) in &objects {
            for (index, object) in list.iter().enumerate() {
                let namespace = object.namespace().unwrap_or_default().to_owned();
                family.places.insert((kind.clone(), namespace, object.name().to_owned()), index);
                if let Some(owner) = object.owner() {
                    let key = (owner.kind, object.namespace().unwrap_or_default().to_owned(), owner.name);
                    family.children.entry(key).or_default().push((kind.clone(), index));
                }
            }
        }
        family.events = Events::of(objects.get("Event").map_or(&[], Vec::as_slice));
        family.objects = objects;
        let pods = family.objects.get("Pod").into_iter().flatten();
        let ready =
            pods.filter(|pod| is_ready(pod)).filter_map(|pod| Some((family.workload_key(pod)?, pod.name().to_owned())));
        let ready: Vec<_> = ready.collect();
        for (key, pod) in ready {
            family.ready.entry(key).or_default().insert(pod);
        }
        family
    }

    /// The objects of a kind; `None` where they could not be read.
    pub(crate) fn all(&self, kind: &str) -> Option<&[Object]> {
        self.objects.get(kind).map(Vec::as_slice)
    }

    /// The objects of that kind which this one owns.
    pub(crate) fn children(&self, object: &Object, kind: &str) -> Vec<&Object> {
        let namespace = object.namespace().unwrap_or_default().to_owned();
        let key = (object.kind.clone(), namespace, object.name().to_owned());
        let found = self.children.get(&key).into_iter().flatten();
        let found =
            found.filter(|(child, _)| child == kind).filter_map(|(child, at)| self.objects.get(child)?.get(*at));
        // An object of the same name may have owned them before.
        let same = |child: &&Object| {
            child.owner().is_some_and(|o| o.uid.is_empty() || object.uid().is_empty() || o.uid == object.uid())
        };
        found.filter(same).collect()
    }

    fn find(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<&Object> {
        let key = (kind.to_owned(), namespace.unwrap_or_default().to_owned(), name.to_owned());
        self.objects.get(kind)?.get(*self.places.get(&key)?)
    }

    /// The owner, its owner and so on, nearest first.
    pub(crate) fn owners(&self, object: &Object) -> Vec<OwnerReference> {
        let mut owners: Vec<OwnerReference> = Vec::new();
        let mut next = object.owner();
        // A chain has two or three links; a ring of owners must not hold us.
        while let Some(owner) = next.take().filter(|_| owners.len() < 5) {
            next = match self.find(&owner.kind, object.namespace(), &owner.name) {
                Some(found) => found.owner(),
                None => deployment_of(&owner, object),
            };
            owners.push(owner);
        }
        owners
    }

    /// The object as a subject, with the workload at the top of its chain.
    pub(crate) fn subject(&self, object: &Object) -> Subject {
        match self.owners(object).pop() {
            Some(owner) => object.subject().owned_by(owner.kind, owner.name),
            None => object.subject(),
        }
    }

    fn workload_key(&self, pod: &Object) -> Option<(String, String, String)> {
        let owner = self.owners(pod).pop()?;
        Some((owner.kind, pod.namespace().unwrap_or_default().to_owned(), owner.name))
    }

    /// Whether another pod of the same workload is ready.
    pub(crate) fn another_is_ready(&self, pod: &Object) -> bool {
        let ready = self.workload_key(pod).and_then(|key| self.ready.get(&key));
        ready.is_some_and(|pods| pods.iter().any(|name| name != pod.name()))
    }

    /// The pods that a label map selects in a namespace; `None` where pods could not be read.
    pub(crate) fn pods_with(&self, namespace: Option<&str>, labels: &serde_json::Value) -> Option<Vec<&Object>> {
        let pods = self.all("Pod")?.iter().filter(|pod| pod.namespace() == namespace);
        Some(pods.filter(|pod| labels::map_selects(labels, pod)).collect())
    }

    /// The workload whose pods, when it has any, a label map selects.
    pub(crate) fn workload_making(&self, namespace: Option<&str>, labels: &serde_json::Value) -> Option<&Object> {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        let mut workloads = kinds.into_iter().flat_map(|kind| self.all(kind).unwrap_or_default());
        workloads.find(|workload| {
            let template =
                serde_json::json!({"metadata": {"labels": workload.value.pointer("/spec/template/metadata/labels")}});
            workload.namespace() == namespace && labels::map_selects(labels, &Object::new("Pod", template))
        })
    }

    /// The autoscalers that scale this workload.
    pub(crate) fn autoscalers(&self, workload: &Object) -> Vec<&Object> {
        let scales = |autoscaler: &&Object| {
            autoscaler.namespace() == workload.namespace()
                && autoscaler.text("/spec/scaleTargetRef/kind") == workload.kind
                && autoscaler.text("/spec/scaleTargetRef/name") == workload.name()
        };
        self.all("HorizontalPodAutoscaler").unwrap_or_default().iter().filter(scales).collect()
    }

    /// The budgets over the pods that this workload makes.
    pub(crate) fn budgets(&self, workload: &Object) -> Vec<&Object> {
        let template =
            serde_json::json!({"metadata": {"labels": workload.value.pointer("/spec/template/metadata/labels")}});
        let template = Object::new("Pod", template);
        let none = serde_json::Value::Null;
        let covers = |budget: &&Object| {
            let selector = budget.value.pointer("/spec/selector").unwrap_or(&none);
            budget.namespace() == workload.namespace() && labels::selector_selects(selector, &template)
        };
        self.all("PodDisruptionBudget").unwrap_or_default().iter().filter(covers).collect()
    }

    /// The `EndpointSlice`s of a Service; `None` where they could not be read.
    pub(crate) fn slices(&self, service: &Object) -> Option<Vec<&Object>> {
        let of_it = |slice: &&Object| {
            slice.namespace() == service.namespace()
                && slice.label("kubernetes.io/service-name") == Some(service.name())
        };
        Some(self.all("EndpointSlice")?.iter().filter(of_it).collect())
    }
}

pub(crate) fn is_ready(pod: &Object) -> bool {
    !pod.has("/metadata/deletionTimestamp") && pod.condition("Ready").is_some_and(|ready| ready.is("True"))
}

/// A `ReplicaSet` that could not be read still names its Deployment: it is called after it and the hash of its template.
fn deployment_of(owner: &OwnerReference, pod: &Object) -> Option<OwnerReference> {
    let hash = pod.label("pod-template-hash").filter(|_| owner.kind == "ReplicaSet")?;
    let name = owner.name.strip_suffix(hash)?.strip_suffix('-')?;
    Some(OwnerReference { kind: "Deployment".to_owned(), name: name.to_owned(), uid: String::new() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, ready: &str) -> Object {
        Object::new(
            "Pod",
            json!({
            "metadata": {"namespace": "shop", "name": name, "labels": {"pod-template-hash": "abc"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-abc", "controller": true}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}}),
        )
    }

    #[test]
    fn chain_is_known_even_without_replica_sets() {
        let family = Family::new(
            BTreeMap::from([("Pod".to_owned(), vec![pod("a", "True"), pod("b", "False")])]),
            Timestamp::UNIX_EPOCH,
        );
        let subject = family.subject(&pod("b", "False"));
        assert_eq!(subject.owner.unwrap().name, "cart");
        assert!(family.another_is_ready(&pod("b", "False")));
        assert!(!family.another_is_ready(&pod("a", "True")));
    }

    #[test]
    fn a_ring_of_owners_ends() {
        let ring = |name: &str, owner: &str| {
            Object::new(
                "ReplicaSet",
                json!({"metadata": {"namespace": "shop", "name": name,
            "ownerReferences": [{"kind": "ReplicaSet", "name": owner}]}}),
            )
        };
        let sets = vec![ring("a", "b"), ring("b", "a")];
        let family = Family::new(BTreeMap::from([("ReplicaSet".to_owned(), sets)]), Timestamp::UNIX_EPOCH);
        assert_eq!(family.owners(&ring("a", "b")).len(), 5);
    }
}
