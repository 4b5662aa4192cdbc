use serde_json::{Value, json};

use super::{revision::revision_of, rollout};
use crate::resource_status::object::Object;

fn daemon_set(strategy: &str, status: &Value) -> Option<String> {
    let value = json!({"spec": {"updateStrategy": {"type": strategy}}, "status": status});
    rollout::daemon_set(&Object::new("DaemonSet", value))
}

#[test]
fn daemon_sets_must_be_ready_on_every_node() {
    let status = |scheduled: i32, updated: i32, ready: i32| {
        json!({"desiredNumberScheduled": 3, "currentNumberScheduled": scheduled, "updatedNumberScheduled": updated,
            "numberReady": ready})
    };
    assert_eq!(daemon_set("RollingUpdate", &status(3, 3, 3)), None);
    assert_eq!(daemon_set("RollingUpdate", &status(2, 3, 3)).unwrap(), "2 of 3 pods are scheduled");
    assert_eq!(daemon_set("RollingUpdate", &status(3, 3, 1)).unwrap(), "1 of 3 pods are ready");
    assert_eq!(daemon_set("OnDelete", &status(3, 1, 3)).unwrap(), "1 of 3 pods are updated");
    assert!(daemon_set("RollingUpdate", &json!({})).is_some());
}

#[test]
fn an_object_without_revision_is_of_the_default_one() {
    assert_eq!(revision_of(&Object::new("Deployment", json!({"metadata": {}}))), "default");
}
