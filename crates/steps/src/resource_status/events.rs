//! Events of objects, gathered by object, newest last.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::object::{Object, shortened};
use report::Evidence;

/// One event, or several that the API server counts as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ObjectEvent {
    /// The object it is about, for example `Pod/cart-1`.
    pub object: String,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    pub reason: String,
    pub message: String,
    pub count: u64,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    #[serde(skip)]
    last: Option<jiff::Timestamp>,
}

impl ObjectEvent {
    fn of(event: &Object) -> Self {
        // Events of the newer kind have `eventTime` and `series` in place of the older fields.
        let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        let last = times.iter().map(|at| event.text(at)).find(|time| !time.is_empty());
        let first = ["/firstTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        let first = first.iter().map(|at| event.text(at)).find(|time| !time.is_empty());
        let count = event.number("/series/count").or_else(|| event.number("/count")).unwrap_or(1);
        Self {
            object: format!("{}/{}", event.text("/involvedObject/kind"), event.text("/involvedObject/name")),
            kind: event.text("/type").to_owned(),
            reason: event.text("/reason").to_owned(),
            message: shortened(event.text("/message")),
            count: u64::try_from(count).unwrap_or(1),
            first_seen: first.map(str::to_owned),
            last_seen: last.map(str::to_owned),
            last: last.and_then(|time| time.parse().ok()),
        }
    }

    pub(crate) fn evidence(&self) -> Evidence {
        let mut evidence = Evidence::new(format!("event {} of {}", self.reason, self.object), &self.message);
        evidence.count = Some(self.count);
        evidence.last_seen.clone_from(&self.last_seen);
        evidence
    }

    pub(crate) fn is_newer_than(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| self.last >= other.last)
    }

    pub(crate) fn last(&self) -> Option<jiff::Timestamp> {
        self.last
    }
}

/// Events by the object that they are about.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// By kind, namespace, name and uid: an object of the same name may have been there before.
    by_object: BTreeMap<(String, String, String), Vec<(String, ObjectEvent)>>,
}

impl Events {
    pub(crate) fn of(events: &[Object]) -> Self {
        let mut by_object: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in events {
            let part = |pointer: &str| event.text(pointer).to_owned();
            let key = (part("/involvedObject/kind"), part("/involvedObject/namespace"), part("/involvedObject/name"));
            by_object.entry(key).or_default().push((part("/involvedObject/uid"), ObjectEvent::of(event)));
        }
        for events in by_object.values_mut() {
            events.sort_by(|a, b| a.1.last.cmp(&b.1.last).then_with(|| a.1.reason.cmp(&b.1.reason)));
        }
        Self { by_object }
    }

    /// The events of this object, oldest first; those of an earlier object of its name are left out.
    pub(crate) fn about(&self, object: &Object) -> Vec<&ObjectEvent> {
        let key = (object.kind.clone(), object.namespace().unwrap_or_default().to_owned(), object.name().to_owned());
        let uid = object.uid();
        // Events of a node carry its name as uid.
        let same = |about: &str| about.is_empty() || uid.is_empty() || about == uid || about == object.name();
        let events = self.by_object.get(&key).into_iter().flatten();
        events.filter(|(about, _)| same(about)).map(|(_, event)| event).collect()
    }

    /// The newest event of one of these reasons.
    pub(crate) fn newest(&self, object: &Object, reasons: &[&str]) -> Option<&ObjectEvent> {
        self.about(object).into_iter().rfind(|event| reasons.contains(&event.reason.as_str()))
    }

    /// The newest event of this reason whose message holds one of these texts.
    pub(crate) fn newest_saying(&self, object: &Object, reason: &str, texts: &[&str]) -> Option<&ObjectEvent> {
        let says =
            |event: &&ObjectEvent| event.reason == reason && texts.iter().any(|text| event.message.contains(text));
        self.about(object).into_iter().rfind(says)
    }
}

/// Whether the value is an event about something in particular; lists of events may hold others.
pub(super) fn is_event(value: &Value) -> bool {
    value.get("involvedObject").is_some_and(Value::is_object)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(uid: &str, reason: &str, at: &str) -> Object {
        Object::new(
            "Event",
            json!({"involvedObject": {"kind": "Pod", "namespace": "shop", "name": "cart", "uid": uid},
            "type": "Warning", "reason": reason, "message": reason, "count": 3, "lastTimestamp": at}),
        )
    }

    #[test]
    fn events_of_an_earlier_pod_of_that_name_are_left_out() {
        let events = Events::of(&[
            event("new", "Failed", "2026-11-25T10:50:00Z"),
            event("old", "Unhealthy", "2026-11-25T10:40:00Z"),
            event("new", "BackOff", "2026-11-25T10:45:00Z"),
        ]);
        let pod = Object::new("Pod", json!({"metadata": {"namespace": "shop", "name": "cart", "uid": "new"}}));
        let reasons: Vec<_> = events.about(&pod).iter().map(|event| event.reason.clone()).collect();
        assert_eq!(reasons, ["BackOff", "Failed"]);
        assert_eq!(events.newest(&pod, &["BackOff", "Failed"]).unwrap().reason, "Failed");
    }

    #[test]
    fn both_kinds_of_event_have_times() {
        let newer = Object::new(
            "Event",
            json!({"eventTime": "2026-11-25T10:49:21.140382Z", "lastTimestamp": null,
            "series": {"count": 2, "lastObservedTime": "2026-11-25T10:49:21.168452Z"}}),
        );
        let event = ObjectEvent::of(&newer);
        assert_eq!(event.count, 2);
        assert_eq!(event.last_seen.as_deref(), Some("2026-11-25T10:49:21.168452Z"));
        assert_eq!(event.first_seen.as_deref(), Some("2026-11-25T10:49:21.140382Z"));
    }
}
