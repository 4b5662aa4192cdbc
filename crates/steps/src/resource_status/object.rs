//! An object of any kind, read field by field: what is missing or of a wrong type is absent, never an error.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

use report::{Evidence, Subject};

/// An object with the kind that it was listed as (the items of a list do not name it themselves).
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) kind: String,
    /// Shared, since an object stands by itself and among those around others.
    pub(crate) value: Arc<Value>,
    /// All of it as JSON, where `value` is only what is judged.
    whole: Option<Arc<RawValue>>,
}

/// A pod of a long list. What nobody judges of many pods is most of each, and stays JSON: that takes a fifth of the memory.
pub(crate) struct OneOfMany {
    value: Value,
    whole: Box<RawValue>,
}

impl<'de> Deserialize<'de> for OneOfMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const LARGE: [&str; 4] = ["env", "envFrom", "volumeMounts", "securityContext"];
        let mut value = Value::deserialize(deserializer)?;
        without_managed_fields(&mut value);
        let whole = serde_json::value::to_raw_value(&value).map_err(D::Error::custom)?;
        let spec = value.get_mut("spec").and_then(Value::as_object_mut);
        let lists = spec.into_iter().flatten().filter(|(field, _)| field.ends_with("ontainers"));
        for container in lists.filter_map(|(_, list)| list.as_array_mut()).flatten().filter_map(Value::as_object_mut) {
            container.retain(|field, _| !LARGE.contains(&field.as_str()));
        }
        Ok(Self { value, whole })
    }
}

/// Who set which field when: kubectl does not show it either.
pub(super) fn without_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
}

/// The object that another belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct OwnerReference {
    pub kind: String,
    pub name: String,
    #[serde(skip)]
    pub(crate) uid: String,
}

/// One condition of an object's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ObjectCondition {
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when it is so (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

impl ObjectCondition {
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = text("type");
        (!kind.is_empty()).then(|| Self {
            kind,
            status: text("status"),
            reason: text("reason"),
            message: shortened(&text("message")),
            since: value.get("lastTransitionTime").and_then(Value::as_str).map(str::to_owned),
        })
    }

    pub(crate) fn is(&self, status: &str) -> bool {
        self.status == status
    }

    /// The condition as it stands, to be quoted.
    pub(crate) fn evidence(&self) -> Evidence {
        let mut text = format!("{}={}", self.kind, self.status);
        for part in [&self.reason, &self.message] {
            if !part.is_empty() {
                text = format!("{text}: {part}");
            }
        }
        let mut evidence = Evidence::new(format!("condition {}", self.kind), text);
        evidence.last_seen.clone_from(&self.since);
        evidence
    }
}

/// Items of a list do not say what they are.
pub(super) fn typed(object: &mut Value, kind: &str, api_version: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert("kind".to_owned(), Value::from(kind));
        fields.insert("apiVersion".to_owned(), Value::from(api_version));
    }
}

impl Object {
    pub(crate) fn new(kind: &str, value: Value) -> Self {
        Self { kind: kind.to_owned(), value: Arc::new(value), whole: None }
    }

    pub(crate) fn of_pod(mut pod: OneOfMany) -> Self {
        typed(&mut pod.value, "Pod", "v1");
        Self { kind: "Pod".to_owned(), value: Arc::new(pod.value), whole: Some(pod.whole.into()) }
    }

    /// All of the object.
    pub(crate) fn manifest(&self) -> Value {
        let Some(whole) = &self.whole else { return Value::clone(&self.value) };
        let mut value = serde_json::from_str(whole.get()).unwrap_or_default();
        typed(&mut value, &self.kind, self.text("/apiVersion"));
        value
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        Some(self.text("/metadata/namespace")).filter(|namespace| !namespace.is_empty())
    }

    pub(crate) fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// A text; empty where there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        text(&self.value, pointer)
    }

    pub(crate) fn number(&self, pointer: &str) -> Option<i64> {
        self.value.pointer(pointer).and_then(Value::as_i64)
    }

    pub(crate) fn flag(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        list(&self.value, pointer)
    }

    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn time(&self, pointer: &str) -> Option<Timestamp> {
        self.text(pointer).parse().ok()
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.value.pointer("/metadata/labels")?.get(name)?.as_str()
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.value.pointer("/metadata/annotations")?.get(name)?.as_str()
    }

    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.time("/metadata/creationTimestamp")
    }

    pub(crate) fn conditions(&self) -> Vec<ObjectCondition> {
        self.list("/status/conditions").iter().filter_map(ObjectCondition::of).collect()
    }

    pub(crate) fn condition(&self, kind: &str) -> Option<ObjectCondition> {
        self.conditions().into_iter().find(|condition| condition.kind == kind)
    }

    /// The owner that controls it, else the first.
    pub(crate) fn owner(&self) -> Option<OwnerReference> {
        let owners = self.list("/metadata/ownerReferences");
        let controls = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
        let owner = owners.iter().find(controls).or_else(|| owners.first())?;
        let kind = text(owner, "/kind");
        (!kind.is_empty()).then(|| OwnerReference {
            kind: kind.to_owned(),
            name: text(owner, "/name").to_owned(),
            uid: text(owner, "/uid").to_owned(),
        })
    }

    pub(crate) fn subject(&self) -> Subject {
        match self.namespace() {
            Some(namespace) => Subject::namespaced(&self.kind, namespace, self.name()),
            None => Subject::cluster_wide(&self.kind, self.name()),
        }
    }

    /// `shop/cart`, or `cart` for what has no namespace.
    pub(crate) fn place(&self) -> String {
        self.namespace().map_or_else(|| self.name().to_owned(), |namespace| format!("{namespace}/{}", self.name()))
    }

    /// Replicas that are wanted; Kubernetes takes one where nothing is said.
    pub(crate) fn wanted(&self) -> i64 {
        self.number("/spec/replicas").unwrap_or(1)
    }
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// At most 1,000 characters: messages of admission webhooks can hold whole objects.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(1000) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// `2h5m` as kubectl writes an age: the two largest units that matter.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60);
    let with = |first: String, second: i64, unit: &str| match second {
        0 => first,
        second => format!("{first}{second}{unit}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => with(format!("{minutes}m"), seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => with(format!("{hours}h"), minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => with(format!("{days}d"), hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_types_are_absent() {
        let object = Object::new(
            "Pod",
            json!({"metadata": {"name": 3, "labels": [], "ownerReferences": {"a": 1}},
            "status": {"conditions": [null, 1, {"type": 2}, {"type": "Ready", "status": null}]}, "spec": null}),
        );
        assert_eq!(object.name(), "");
        assert_eq!(object.label("app"), None);
        assert_eq!(object.owner(), None);
        assert_eq!(object.wanted(), 1);
        assert_eq!(object.conditions().len(), 1);
        assert!(object.created().is_none());
    }

    #[test]
    fn the_controlling_owner_counts() {
        let object = Object::new(
            "Pod",
            json!({"metadata": {"ownerReferences": [
            {"kind": "Node", "name": "n"}, {"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": true}]}}),
        );
        assert_eq!(object.owner().unwrap().kind, "ReplicaSet");
    }

    #[test]
    fn ages_are_written_as_kubectl_does() {
        let now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let at = |seconds: i64| ago(Timestamp::from_second(now.as_second() - seconds).unwrap(), now);
        let ages = [at(5), at(119), at(140), at(599), at(900), at(11_000), at(30_000), at(180_000), at(900_000)];
        assert_eq!(ages, ["5s", "119s", "2m20s", "9m59s", "15m", "3h3m", "8h", "2d2h", "10d"]);
    }
}
