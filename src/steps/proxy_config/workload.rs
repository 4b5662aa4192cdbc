//! Which pod an input means: a pod's name, or `deployment/cart` and any other object that has pods, as istioctl takes it
//! (<https://istio.io/latest/docs/reference/commands/istioctl/#istioctl-proxy-config>).

use std::cmp::Reverse;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::Value;

use super::super::{Invalid, input::check, target};
use crate::cluster::{Cluster, Error, Resource, Scope};

/// The label that Istio puts on the pods of a Gateway of the Gateway API
/// (<https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#automated-deployment>).
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A name, or a type and a name.
pub(in crate::steps) fn check(field: &str, pod: &str) -> Vec<Invalid> {
    match pod.split_once('/') {
        Some((kind, name)) => {
            let mut invalid = check::name(field, Some(kind));
            invalid.extend(check::name(field, Some(name)));
            invalid
        }
        None => check::name(field, Some(pod)),
    }
}

/// The pod; of several the one that kubectl would take for its logs.
pub(in crate::steps) async fn find_pod(cluster: &Cluster, namespace: &str, pod: &str) -> Result<Pod, Error> {
    let Some((kind, name)) = pod.split_once('/') else {
        return cluster.get(&Resource::pods(), Some(namespace), pod).await;
    };
    let (resource, _) = cluster.resource(kind).await.map_err(|error| match error {
        Error::Input { why, .. } => Error::Input { field: "pod", why },
        other => other,
    })?;
    if resource.kind == "Pod" && resource.group.is_empty() {
        return cluster.get(&resource, Some(namespace), name).await;
    }
    let object: Value = cluster.get(&resource, Some(namespace), name).await?;
    let Some(selector) = selector(&resource, name, &object) else {
        let why = format!("{kind}/{name} does not refer to a pod: a {} has no selector", resource.kind);
        return Err(Error::Input { field: "pod", why });
    };
    let scope = Scope::Namespaces(vec![namespace.to_owned()]);
    let pods = cluster.list::<Pod>(&Resource::pods(), &scope, Some(&selector)).await?.items;
    pods.into_iter().min_by_key(order).ok_or_else(|| Error::NotFound {
        what: format!("a pod of {kind}/{name} ({selector}) in namespace {namespace}"),
    })
}

/// The label selector of an object's pods; `None` where it has none, such as a Service for addresses from elsewhere.
fn selector(resource: &Resource, name: &str, object: &Value) -> Option<String> {
    if resource.kind == "Gateway" && resource.group == "gateway.networking.k8s.io" {
        return Some(format!("{GATEWAY_NAME}={name}"));
    }
    let selector = object.pointer("/spec/selector").and_then(Value::as_object)?;
    let is_map = matches!(resource.kind.as_str(), "Service" | "ReplicationController");
    let labels = if is_map { Some(selector) } else { selector.get("matchLabels").and_then(Value::as_object) };
    let mut terms: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| value.as_str().map(|value| format!("{key}={value}")))
        .collect();
    let expressions = selector.get("matchExpressions").filter(|_| !is_map).and_then(Value::as_array);
    terms.extend(expressions.into_iter().flatten().filter_map(term));
    (!terms.is_empty()).then(|| terms.join(","))
}

fn term(expression: &Value) -> Option<String> {
    let key = expression["key"].as_str()?;
    let values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let values = values.collect::<Vec<_>>().join(",");
    match expression["operator"].as_str()? {
        "In" => Some(format!("{key} in ({values})")),
        "NotIn" => Some(format!("{key} notin ({values})")),
        "Exists" => Some(key.to_owned()),
        "DoesNotExist" => Some(format!("!{key}")),
        _ => None,
    }
}

/// kubectl's order of pods for logs: on a node, running, ready, ready for longer, restarted more, older.
fn order(pod: &Pod) -> impl Ord + use<> {
    let status = pod.status.as_ref();
    let assigned = pod.spec.as_ref().is_some_and(|spec| spec.node_name.as_deref().is_some_and(|name| !name.is_empty()));
    let phase = match status.and_then(|status| status.phase.as_deref()) {
        Some("Pending") => 2,
        None | Some("Unknown") => 1,
        Some(_) => 0,
    };
    let ready = target::is_ready(pod);
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let ready_since =
        conditions.into_iter().find(|c| c.type_ == "Ready").and_then(|c| seconds(c.last_transition_time.as_ref()));
    let restarts = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    let restarts = restarts.map(|container| container.restart_count).max().unwrap_or_default();
    let created = seconds(pod.metadata.creation_timestamp.as_ref());
    (!assigned, phase, !ready, ready_since.filter(|_| ready), Reverse(restarts), created, target::name(pod).to_owned())
}

fn seconds(time: Option<&Time>) -> Option<i64> {
    time.map(|time| time.0.as_second())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_selector(kind: &str, spec: &Value, expected: Option<&str>) {
        let group = if kind == "Gateway" { "gateway.networking.k8s.io" } else { "" };
        let resource = Resource::known(group, "v1", "things", kind, true);
        assert_eq!(selector(&resource, "cart", &json!({ "spec": spec })).as_deref(), expected);
    }

    #[test]
    fn objects_with_pods_have_a_selector() {
        check_selector("Service", &json!({"selector": {"app": "cart", "tier": "web"}}), Some("app=cart,tier=web"));
        check_selector("Service", &json!({}), None);
        check_selector("ServiceAccount", &json!(null), None);
        check_selector("Gateway", &json!({}), Some("gateway.networking.k8s.io/gateway-name=cart"));
        let expressions = json!([
            {"key": "a", "operator": "In", "values": ["x", "y"]}, {"key": "b", "operator": "Exists"},
            {"key": "c", "operator": "DoesNotExist"}, {"key": 7}
        ]);
        check_selector(
            "Deployment",
            &json!({"selector": {"matchLabels": {"app": "cart"}, "matchExpressions": expressions}}),
            Some("app=cart,a in (x,y),b,!c"),
        );
    }

    #[test]
    fn ready_pods_come_first() {
        let pod = |name: &str, phase: &str, ready: &str| -> Pod {
            let condition = json!({"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"});
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"nodeName": "n", "containers": []},
                "status": {"phase": phase, "conditions": [condition]}}))
            .expect("a pod")
        };
        let mut pods = [pod("a", "Pending", "False"), pod("b", "Running", "False"), pod("c", "Running", "True")];
        pods.sort_by_key(order);
        assert_eq!(pods.each_ref().map(target::name), ["c", "b", "a"]);
    }
}
