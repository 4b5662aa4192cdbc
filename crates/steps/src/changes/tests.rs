use serde_json::{Value, json};

use super::*;

fn object(value: Value) -> Changed {
    serde_json::from_value(value).unwrap()
}

#[test]
fn managers_and_their_fields_are_told_apart_from_controllers() {
    let managed = |manager: &str, subresource: &str, time: &str, fields: Value| json!({"manager": manager, "subresource": subresource, "operation": "Update", "time": time, "fieldsV1": fields});
    let service = object(json!({"metadata": {"name": "checkout", "namespace": "shop",
    "creationTimestamp": "2026-11-25T10:00:00Z", "managedFields": [
        managed("kubectl-client-side-apply", "", "2026-11-25T10:00:00Z", json!({"f:spec": {"f:hosts": {}}})),
        managed("kubectl-edit", "", "2026-11-25T10:41:07Z", json!({"f:spec": {"f:http": {}}, "f:metadata": {"f:annotations": {}}})),
        managed("pilot-discovery", "status", "2026-11-25T10:42:00Z", json!({"f:status": {}})),
    ]}}));
    let mut changes = Vec::new();
    managed::changes("VirtualService", &service, &mut changes);
    let told: Vec<_> = changes.iter().map(|it| (it.at.as_str(), it.what.as_str(), it.by.as_str())).collect();
    assert_eq!(
        told,
        [
            ("2026-11-25T10:00:00Z", "created", "kubectl-client-side-apply"),
            ("2026-11-25T10:41:07Z", "changed", "kubectl-edit")
        ]
    );
    assert_eq!(changes[1].fields, ["spec.http", "metadata.annotations"]);
}

#[test]
fn rollout_says_what_differs_and_shows_no_settings() {
    let set = |revision: &str, image: &str, password: &str| {
        object(json!({"metadata": {"name": format!("cart-{revision}"), "namespace": "shop",
            "creationTimestamp": format!("2026-11-25T10:0{revision}:00Z"),
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"kind": "Deployment", "name": "cart"}]},
            "spec": {"template": {"spec": {"containers": [
                {"name": "cart", "image": image, "env": [{"name": "PASSWORD", "value": password}]}]}}}}))
    };
    let mut changes = Vec::new();
    rollout::changes(&[set("2", "cart:2", "new"), set("1", "cart:1", "old")], &mut changes);
    assert_eq!(changes.len(), 1);
    let expected = [
        "revision 2",
        "template.spec.containers[cart].image: cart:1 → cart:2",
        "template.spec.containers[cart].env[PASSWORD].value: … → …",
    ];
    assert_eq!(changes[0].fields, expected);
    assert_eq!((changes[0].at.as_str(), changes[0].subject.name.as_str()), ("2026-11-25T10:02:00Z", "cart"));
}

#[test]
fn restarts_of_owned_pods_count_and_their_creation_does_not() {
    let pod =
        object(json!({"metadata": {"name": "cart-1", "namespace": "shop", "creationTimestamp": "2026-11-25T10:00:00Z",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "cart"}]},
        "status": {"containerStatuses": [{"name": "cart",
            "lastState": {"terminated": {"reason": "OOMKilled", "finishedAt": "2026-11-25T10:30:00Z"}}}]}}));
    let mut changes = Vec::new();
    managed::changes("Pod", &pod, &mut changes);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].what.as_str(), changes[0].fields[0].as_str()), ("restarted", "cart: OOMKilled"));
}
