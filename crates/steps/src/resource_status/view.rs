//! What the answer shows of each object: conditions, owners, what belongs to it, events.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ObjectCondition, ObjectEvent, OwnerReference,
    family::{Family, is_ready},
    judge::{Container, containers},
    object::{Object, ago, list, shortened},
};

/// Events shown of each object and what belongs to it.
const MAX_EVENTS: usize = 50;
const MAX_RELATED: usize = 200;

/// An object's state, as `kubectl describe` has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObjectStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    /// In a few words: `1 of 2 replicas ready`, `Running, 0 of 1 containers ready`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ObjectCondition>,
    /// The owner, its owner and so on: a pod's `ReplicaSet` and Deployment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<OwnerReference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<RelatedObject>,
    /// Of the object and of what it owns, newest first. Events are kept for about an hour only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ObjectEvent>,
    /// The object itself, where it was named or asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub object: Option<serde_json::Value>,
}

/// An object that belongs to another.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelatedObject {
    /// `owned`, `autoscaler`, `disruption_budget`, `endpoints` or `selected`.
    pub relation: &'static str,
    pub kind: String,
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
}

impl ObjectStatus {
    pub(super) fn of(object: &Object, family: &Family, whole: bool) -> Self {
        let related = related(object, family);
        let owned = related.iter().filter(|(relation, _)| *relation != "selected").map(|(_, other)| *other);
        let mut events: Vec<ObjectEvent> =
            std::iter::once(object).chain(owned).flat_map(|one| family.events.about(one)).cloned().collect();
        events.sort_by(|a, b| b.last().cmp(&a.last()).then_with(|| a.object.cmp(&b.object)));
        events.truncate(MAX_EVENTS);
        let shown = related.into_iter().take(MAX_RELATED).map(|(relation, other)| RelatedObject {
            relation,
            kind: other.kind.clone(),
            name: other.name().to_owned(),
            state: state(other),
        });
        Self {
            namespace: object.namespace().map(str::to_owned),
            name: object.name().to_owned(),
            state: state(object),
            age: object.created().map(|created| ago(created, family.now)),
            conditions: object.conditions(),
            owners: family.owners(object),
            related: shown.collect(),
            events,
            object: whole.then(|| object.manifest()),
        }
    }
}

fn related<'a>(object: &'a Object, family: &'a Family) -> Vec<(&'static str, &'a Object)> {
    let mut related = Vec::new();
    let owned = |kind: &str| family.children(object, kind);
    match object.kind.as_str() {
        "Deployment" => {
            for set in owned("ReplicaSet") {
                related.push(("owned", set));
                related.extend(family.children(set, "Pod").into_iter().map(|pod| ("owned", pod)));
            }
        }
        "CronJob" => related.extend(owned("Job").into_iter().map(|job| ("owned", job))),
        "Service" => {
            related.extend(family.slices(object).into_iter().flatten().map(|slice| ("endpoints", slice)));
            if let Some(selector) = object.value.pointer("/spec/selector") {
                let pods = family.pods_with(object.namespace(), selector);
                related.extend(pods.into_iter().flatten().map(|pod| ("selected", pod)));
            }
        }
        _ => related.extend(owned("Pod").into_iter().map(|pod| ("owned", pod))),
    }
    if object.has("/spec/template") {
        related.extend(family.autoscalers(object).into_iter().map(|other| ("autoscaler", other)));
        related.extend(family.budgets(object).into_iter().map(|other| ("disruption_budget", other)));
    }
    related
}

/// An object's state in a few words; empty where the type has none that we know.
fn state(object: &Object) -> String {
    let count = |at: &str| object.number(at).unwrap_or(0);
    match object.kind.as_str() {
        "Pod" => {
            let all = containers(object);
            let ready = all.iter().filter(|container| !container.is_init && container.is_ready()).count();
            let of = all.iter().filter(|container| !container.is_init).count();
            let waits = all.iter().map(Container::waits_for).find(|reason| !reason.is_empty());
            let phase = match waits {
                _ if object.has("/metadata/deletionTimestamp") => "Terminating",
                Some(reason) if !is_ready(object) => reason,
                _ => object.text("/status/phase"),
            };
            format!("{phase}, {ready} of {of} containers ready")
        }
        "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController" => {
            format!("{} of {} replicas ready", count("/status/readyReplicas"), object.wanted())
        }
        "DaemonSet" => {
            format!("{} of {} ready", count("/status/numberReady"), count("/status/desiredNumberScheduled"))
        }
        "HorizontalPodAutoscaler" => format!(
            "{} replicas, {} to {} allowed",
            count("/status/currentReplicas"),
            object.number("/spec/minReplicas").unwrap_or(1),
            count("/spec/maxReplicas")
        ),
        "PodDisruptionBudget" => format!(
            "{} of {} healthy, {} may go",
            count("/status/currentHealthy"),
            count("/status/expectedPods"),
            count("/status/disruptionsAllowed")
        ),
        "Event" => {
            let part = |at: &str| object.text(at);
            format!("{} {}: {}", part("/type"), part("/reason"), shortened(part("/message")))
        }
        "EndpointSlice" => {
            let endpoints = list(&object.value, "/endpoints");
            let ready = |endpoint: &&serde_json::Value| {
                endpoint.pointer("/conditions/ready").and_then(serde_json::Value::as_bool).unwrap_or(true)
            };
            format!("{} of {} endpoints ready", endpoints.iter().filter(ready).count(), endpoints.len())
        }
        _ => object.text("/status/phase").to_owned(),
    }
}
