//! From a target to its pod: reads the object that was named, and takes of its pods the one that kubectl would take for
//! its logs, as istioctl does.

use std::cmp::Reverse;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::Value;

use super::{PROXY, PodTarget, container, is_ready, name};
use cluster::{Cluster, Error, Resource, Scope};

/// The label that Istio puts on the pods of a Gateway of the Gateway API
/// (<https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#automated-deployment>).
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// The pod that `[<type>/]<name>[.<namespace>]` means; of several the first in kubectl's order.
pub(crate) async fn find_pod(cluster: &Cluster, namespace: Option<&str>, argument: &str) -> Result<Pod, Error> {
    find_named(cluster, "pod", namespace, argument).await
}

/// The same, for an input of another name.
pub(crate) async fn find_named(
    cluster: &Cluster,
    field: &'static str,
    namespace: Option<&str>,
    argument: &str,
) -> Result<Pod, Error> {
    let mut missing = Vec::new();
    for target in PodTarget::readings(argument, namespace) {
        match target.pods(cluster, field).await {
            Ok(mut pods) => return Ok(pods.swap_remove(0)),
            Err(Error::NotFound { .. }) => missing.push(target),
            Err(error) => return Err(error),
        }
    }
    Err(no_such(cluster, field, &missing).await)
}

/// That there is none of these, with the names that may have been meant.
pub(crate) async fn no_such(cluster: &Cluster, field: &'static str, missing: &[PodTarget]) -> Error {
    let words: Vec<_> = missing
        .iter()
        .map(|target| format!("{} {:?} in namespace {}", target.kind_word(), target.name, target.namespace))
        .collect();
    let Some(first) = missing.first() else { return Error::NotFound { what: field.to_owned() } };
    let known = names_beside(cluster, first).await;
    Error::no_such(field, words.join(", nor "), &first.name, known.iter().map(String::as_str))
}

/// The names of the objects of the same type in the namespace, as far as they may be read.
async fn names_beside(cluster: &Cluster, target: &PodTarget) -> Vec<String> {
    let resource = match &target.kind {
        None => Resource::pods(),
        Some(kind) => match resource(cluster, "pod", kind).await {
            Ok(resource) => resource,
            Err(_) => return Vec::new(),
        },
    };
    let scope = Scope::Namespaces(vec![target.namespace.clone()]);
    let listed = cluster.list::<Value>(&resource, &scope, None).await.map(|listed| listed.items).unwrap_or_default();
    let name = |object: &Value| object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    listed.iter().filter_map(name).collect()
}

/// The first ready pod with a proxy that the selector matches, as
/// `$(kubectl get pods --selector … --output jsonpath='{.items[0]…}')` would take it.
pub(crate) async fn first_ready(cluster: &Cluster, namespace: &str, selector: &str) -> Result<Pod, Error> {
    let scope = Scope::Namespaces(vec![namespace.to_owned()]);
    let pods = cluster.list::<Pod>(&Resource::pods(), &scope, Some(selector)).await?.items;
    let count = pods.len();
    let mut pods = pods.into_iter();
    pods.find(|pod| is_ready(pod) && container(pod, PROXY).is_some()).ok_or_else(|| Error::NotFound {
        what: match count {
            0 => format!("a pod for selector {selector:?} in namespace {namespace}"),
            _ => {
                format!("a ready pod with a proxy among the {count} for selector {selector:?} in namespace {namespace}")
            }
        },
    })
}

impl PodTarget {
    /// The pods of the target, in kubectl's order for logs; at least one. `field` is the input that named it.
    pub(crate) async fn pods(&self, cluster: &Cluster, field: &'static str) -> Result<Vec<Pod>, Error> {
        let (namespace, name) = (Some(self.namespace.as_str()), self.name.as_str());
        let Some(kind) = &self.kind else {
            return Ok(vec![cluster.get(&Resource::pods(), namespace, name).await?]);
        };
        let resource = resource(cluster, field, kind).await?;
        if resource.kind == "Pod" && resource.group.is_empty() {
            return Ok(vec![cluster.get(&resource, namespace, name).await?]);
        }
        let object: Value = cluster.get(&resource, namespace, name).await?;
        let selector = selector(&resource, name, &object)
            .map_err(|why| Error::Input { field, why: format!("\"{self}\" does not refer to a pod: {why}") })?;
        let scope = Scope::Namespaces(vec![self.namespace.clone()]);
        let mut pods = cluster.list::<Pod>(&Resource::pods(), &scope, Some(&selector)).await?.items;
        if pods.is_empty() {
            let what = format!("pod of {self} ({selector}) in namespace {}", self.namespace);
            return Err(Error::NoSuch { field, what, nearest: Vec::new() });
        }
        pods.sort_by_cached_key(order);
        Ok(pods)
    }
}

/// The resource type of that name; of several the first that has pods, as Istio's own Gateway has the name of the
/// Gateway API's.
async fn resource(cluster: &Cluster, field: &'static str, kind: &str) -> Result<Resource, Error> {
    let (first, others) = cluster.resource(kind).await.map_err(|error| match error {
        Error::Input { why, .. } => Error::Input { field, why },
        other => other,
    })?;
    let has_pods = |resource: &&Resource| match resource.group.as_str() {
        "" => matches!(resource.kind.as_str(), "Pod" | "Service" | "ReplicationController"),
        GATEWAY_API => resource.kind == "Gateway",
        group => matches!(group, "apps" | "batch"),
    };
    let found = others.iter().find(has_pods).filter(|_| !has_pods(&&first)).cloned();
    Ok(found.unwrap_or(first))
}

/// The label selector of an object's pods, or why it has none.
fn selector(resource: &Resource, name: &str, object: &Value) -> Result<String, String> {
    if resource.kind == "Gateway" && resource.group == GATEWAY_API {
        return if is_managed(object) {
            Ok(format!("{GATEWAY_NAME}={name}"))
        } else {
            Err("the gateway is not a managed gateway: its spec.addresses name a Service of somebody else".to_owned())
        };
    }
    let none = || match resource.kind.as_str() {
        "Service" => "the Service has no selector".to_owned(),
        kind => format!("a {kind} selects no pods"),
    };
    let selector = object.pointer("/spec/selector").and_then(Value::as_object).ok_or_else(none)?;
    let is_map = matches!(resource.kind.as_str(), "Service" | "ReplicationController");
    let labels = if is_map { Some(selector) } else { selector.get("matchLabels").and_then(Value::as_object) };
    let mut terms: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| value.as_str().map(|value| format!("{key}={value}")))
        .collect();
    let expressions = selector.get("matchExpressions").filter(|_| !is_map).and_then(Value::as_array);
    terms.extend(expressions.into_iter().flatten().filter_map(term));
    if terms.is_empty() { Err(none()) } else { Ok(terms.join(",")) }
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

/// Whether Istio deploys the pods of a Gateway: not where its address is the host name of a Service
/// (<https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#manual-deployment>).
fn is_managed(gateway: &Value) -> bool {
    match gateway.pointer("/spec/addresses").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        [] => true,
        [one] => one.get("type").and_then(Value::as_str).is_none_or(|kind| kind == "IPAddress"),
        _ => false,
    }
}

/// kubectl's order of pods for logs: on a node, running or ended, ready, ready for longer, restarted more, older; a time
/// that is missing comes last
/// (<https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/kubectl/pkg/util/podutils/podutils.go>).
fn order(pod: &Pod) -> impl Ord + use<> {
    let status = pod.status.as_ref();
    let assigned = pod.spec.as_ref().is_some_and(|spec| spec.node_name.as_deref().is_some_and(|name| !name.is_empty()));
    let phase = match status.and_then(|status| status.phase.as_deref()) {
        Some("Pending") => 2,
        Some("Unknown") => 1,
        _ => 0,
    };
    let ready = is_ready(pod);
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let ready_condition = conditions.into_iter().find(|condition| ready && condition.type_ == "Ready");
    let ready_since = last_if_none(ready_condition.and_then(|condition| condition.last_transition_time.as_ref()));
    let restarts = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    let restarts = restarts.map(|container| container.restart_count).max().unwrap_or_default();
    let created = last_if_none(pod.metadata.creation_timestamp.as_ref());
    (!assigned, phase, !ready, ready_since, Reverse(restarts), created, name(pod).to_owned())
}

fn last_if_none(time: Option<&Time>) -> i64 {
    time.map_or(i64::MAX, |time| time.0.as_second())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_selector(kind: &str, spec: &Value, expected: Result<&str, &str>) {
        let group = if kind == "Gateway" { GATEWAY_API } else { "" };
        let resource = Resource::known(group, "v1", "things", kind, true);
        let selector = selector(&resource, "cart", &json!({ "spec": spec }));
        match expected {
            Ok(expected) => assert_eq!(selector.as_deref(), Ok(expected)),
            Err(part) => assert!(selector.as_ref().is_err_and(|why| why.contains(part)), "{selector:?}"),
        }
    }

    #[test]
    fn objects_with_pods_have_a_selector() {
        check_selector("Service", &json!({"selector": {"app": "cart", "tier": "web"}}), Ok("app=cart,tier=web"));
        check_selector("Service", &json!({}), Err("the Service has no selector"));
        check_selector("ServiceAccount", &json!(null), Err("a ServiceAccount selects no pods"));
        let expressions = json!([
            {"key": "a", "operator": "In", "values": ["x", "y"]}, {"key": "b", "operator": "Exists"},
            {"key": "c", "operator": "DoesNotExist"}, {"key": 7}
        ]);
        check_selector(
            "Deployment",
            &json!({"selector": {"matchLabels": {"app": "cart"}, "matchExpressions": expressions}}),
            Ok("app=cart,a in (x,y),b,!c"),
        );
    }

    #[test]
    fn only_gateways_that_istio_deploys_have_pods() {
        let own = Ok("gateway.networking.k8s.io/gateway-name=cart");
        let addresses = |list: Value| json!({ "addresses": list });
        check_selector("Gateway", &json!({}), own);
        check_selector("Gateway", &addresses(json!([{"value": "10.0.0.1"}])), own);
        check_selector("Gateway", &addresses(json!([{"type": "IPAddress", "value": "10.0.0.1"}])), own);
        let elsewhere = Err("not a managed gateway");
        check_selector("Gateway", &addresses(json!([{"type": "Hostname", "value": "ingress.istio"}])), elsewhere);
        check_selector("Gateway", &addresses(json!([{"value": "10.0.0.1"}, {"value": "10.0.0.2"}])), elsewhere);
    }

    /// Each pod is before the next for one reason of kubectl's.
    #[test]
    fn pods_come_in_kubectls_order() {
        let pod =
            |name: &str, node: &str, phase: &str, ready: Option<&str>, restarts: u32, created: Option<&str>| -> Pod {
                let condition = json!({"type": "Ready", "status": if ready.is_some() { "True" } else { "False" },
                "lastTransitionTime": ready.filter(|since| !since.is_empty())});
                let container =
                    json!({"name": "c", "ready": true, "restartCount": restarts, "image": "", "imageID": ""});
                serde_json::from_value(json!({
                "metadata": {"name": name, "creationTimestamp": created}, "spec": {"nodeName": node, "containers": []},
                "status": {"phase": phase, "conditions": [condition], "containerStatuses": [container]}
            }))
            .expect("a pod")
            };
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        let expected = vec![
            pod("j", "n", "Running", Some(early), 0, Some(late)),
            pod("i", "n", "Running", Some(late), 5, Some(late)),
            pod("h", "n", "Running", Some(late), 0, Some(early)),
            pod("g", "n", "Running", Some(late), 0, Some(late)),
            pod("f", "n", "Running", Some(late), 0, None),
            pod("e", "n", "Running", Some(""), 9, Some(early)),
            pod("d", "n", "Running", None, 9, Some(early)),
            pod("c", "n", "Unknown", None, 9, Some(early)),
            pod("b", "n", "Pending", None, 9, Some(early)),
            pod("a", "", "Running", Some(early), 9, Some(early)),
        ];
        let mut pods: Vec<Pod> = expected.iter().rev().cloned().collect();
        pods.sort_by_cached_key(order);
        assert_eq!(pods.iter().map(name).collect::<String>(), "jihgfedcba");
    }
}
