//! The columns of the kinds that people look at most, as the API server prints them, for recordings that have objects
//! and no tables. <https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::store::{Gvr, Store, text};
use super::table::age;

/// The columns of a kind (name and priority) and the cells of one of its objects.
pub(super) struct Usual {
    pub(super) columns: &'static [(&'static str, i64)],
    pub(super) cells: Cells,
}

type Cells = fn(&Store, &Value) -> Vec<Value>;

const NONE: &str = "<none>";

pub(super) fn usual(gvr: &Gvr) -> Option<Usual> {
    let found: (&[_], Cells) = match (gvr.group.as_str(), gvr.plural.as_str()) {
        ("", "pods") => (POD, pod),
        ("", "services") => (SERVICE, service),
        ("", "namespaces") => (&[("Name", 0), ("Status", 0), ("Age", 0)], namespace),
        ("", "configmaps") => (&[("Name", 0), ("Data", 0), ("Age", 0)], config_map),
        ("", "secrets") => (&[("Name", 0), ("Type", 0), ("Data", 0), ("Age", 0)], secret),
        ("", "events") => (EVENT, event),
        ("apps", "deployments") => (DEPLOYMENT, deployment),
        ("apps", "replicasets") => (REPLICA_SET, replica_set),
        ("apiextensions.k8s.io", "customresourcedefinitions") => (&[("Name", 0), ("Created At", 0)], definition),
        _ => return None,
    };
    Some(Usual { columns: found.0, cells: found.1 })
}

fn name(object: &Value) -> Value {
    json!(text(object, &["metadata", "name"]))
}

fn created(store: &Store, object: &Value) -> Value {
    age(store, text(object, &["metadata", "creationTimestamp"]))
}

/// A string, or `<none>`.
fn or_none(value: &str) -> Value {
    json!(if value.is_empty() { NONE } else { value })
}

fn list<'a>(object: &'a Value, path: &str) -> impl DoubleEndedIterator<Item = &'a Value> + use<'a> {
    object.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter()
}

fn number(object: &Value, path: &str) -> u64 {
    object.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

fn joined<'a>(values: impl Iterator<Item = &'a str>) -> String {
    values.collect::<Vec<_>>().join(",")
}

/// A selector's labels, in order.
fn labels(object: &Value, path: &str) -> Value {
    let labels = object.pointer(path).and_then(Value::as_object);
    let mut pairs: Vec<_> = labels.into_iter().flatten().collect();
    pairs.sort_by_key(|(key, _)| *key);
    let pairs = pairs.into_iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    or_none(&pairs.collect::<Vec<_>>().join(","))
}

fn namespace(store: &Store, object: &Value) -> Vec<Value> {
    vec![name(object), json!(text(object, &["status", "phase"])), created(store, object)]
}

fn config_map(store: &Store, object: &Value) -> Vec<Value> {
    let entries = |field: &str| object.get(field).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    vec![name(object), json!(entries("data") + entries("binaryData")), created(store, object)]
}

fn secret(store: &Store, object: &Value) -> Vec<Value> {
    let entries = object.get("data").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    vec![name(object), json!(text(object, &["type"])), json!(entries), created(store, object)]
}

fn definition(_: &Store, object: &Value) -> Vec<Value> {
    vec![name(object), json!(text(object, &["metadata", "creationTimestamp"]))]
}

const DEPLOYMENT: &[(&str, i64)] = &[
    ("Name", 0),
    ("Ready", 0),
    ("Up-to-date", 0),
    ("Available", 0),
    ("Age", 0),
    ("Containers", 1),
    ("Images", 1),
    ("Selector", 1),
];

fn deployment(store: &Store, object: &Value) -> Vec<Value> {
    let ready = format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas"));
    let mut cells = vec![
        name(object),
        json!(ready),
        json!(number(object, "/status/updatedReplicas")),
        json!(number(object, "/status/availableReplicas")),
        created(store, object),
    ];
    cells.extend(template(object));
    cells
}

const REPLICA_SET: &[(&str, i64)] = &[
    ("Name", 0),
    ("Desired", 0),
    ("Current", 0),
    ("Ready", 0),
    ("Age", 0),
    ("Containers", 1),
    ("Images", 1),
    ("Selector", 1),
];

fn replica_set(store: &Store, object: &Value) -> Vec<Value> {
    let mut cells = vec![
        name(object),
        json!(number(object, "/spec/replicas")),
        json!(number(object, "/status/replicas")),
        json!(number(object, "/status/readyReplicas")),
        created(store, object),
    ];
    cells.extend(template(object));
    cells
}

fn template(object: &Value) -> [Value; 3] {
    let of_containers =
        |field: &str| joined(list(object, "/spec/template/spec/containers").map(|container| text(container, &[field])));
    [json!(of_containers("name")), json!(of_containers("image")), labels(object, "/spec/selector/matchLabels")]
}

const SERVICE: &[(&str, i64)] =
    &[("Name", 0), ("Type", 0), ("Cluster-IP", 0), ("External-IP", 0), ("Port(s)", 0), ("Age", 0), ("Selector", 1)];

fn service(store: &Store, object: &Value) -> Vec<Value> {
    let ports = list(object, "/spec/ports").map(|port| {
        let protocol = Some(text(port, &["protocol"])).filter(|name| !name.is_empty()).unwrap_or("TCP");
        match number(port, "/nodePort") {
            0 => format!("{}/{protocol}", number(port, "/port")),
            node_port => format!("{}:{node_port}/{protocol}", number(port, "/port")),
        }
    });
    let ports = ports.collect::<Vec<_>>().join(",");
    vec![
        name(object),
        json!(text(object, &["spec", "type"])),
        or_none(text(object, &["spec", "clusterIP"])),
        external(object),
        or_none(&ports),
        created(store, object),
        labels(object, "/spec/selector"),
    ]
}

fn external(object: &Value) -> Value {
    let fixed = joined(list(object, "/spec/externalIPs").filter_map(Value::as_str));
    match text(object, &["spec", "type"]) {
        "ExternalName" => json!(text(object, &["spec", "externalName"])),
        "LoadBalancer" => {
            let given = list(object, "/status/loadBalancer/ingress").map(|ingress| {
                let address = text(ingress, &["ip"]);
                if address.is_empty() { text(ingress, &["hostname"]) } else { address }
            });
            let all = joined(given.chain([fixed.as_str()]).filter(|address| !address.is_empty()));
            json!(if all.is_empty() { "<pending>" } else { &all })
        }
        _ => or_none(&fixed),
    }
}

const EVENT: &[(&str, i64)] = &[
    ("Last Seen", 0),
    ("Type", 0),
    ("Reason", 0),
    ("Object", 0),
    ("Subobject", 1),
    ("Source", 1),
    ("Message", 0),
    ("First Seen", 1),
    ("Count", 1),
    ("Name", 1),
];

fn event(store: &Store, object: &Value) -> Vec<Value> {
    let first_of = |paths: &[&str]| {
        let mut values = paths.iter().filter_map(|path| object.pointer(path).and_then(Value::as_str));
        values.find(|value| !value.is_empty()).unwrap_or_default().to_owned()
    };
    let first = first_of(&["/firstTimestamp", "/eventTime"]);
    let last = first_of(&["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"]);
    let involved = |field: &str| text(object, &["involvedObject", field]);
    let component = first_of(&["/source/component", "/reportingComponent"]);
    let instance = first_of(&["/source/host", "/reportingInstance"]);
    let source = if instance.is_empty() { component } else { format!("{component}, {instance}") };
    let count = [number(object, "/series/count"), number(object, "/count"), 1].into_iter().find(|count| *count > 0);
    vec![
        age(store, &last),
        json!(text(object, &["type"])),
        json!(text(object, &["reason"])),
        json!(format!("{}/{}", involved("kind").to_lowercase(), involved("name"))),
        json!(involved("fieldPath")),
        json!(source),
        json!(text(object, &["message"]).trim()),
        age(store, &first),
        json!(count),
        name(object),
    ]
}

const POD: &[(&str, i64)] = &[
    ("Name", 0),
    ("Ready", 0),
    ("Status", 0),
    ("Restarts", 0),
    ("Age", 0),
    ("IP", 1),
    ("Node", 1),
    ("Nominated Node", 1),
    ("Readiness Gates", 1),
];

fn pod(store: &Store, object: &Value) -> Vec<Value> {
    let state = State::of(object);
    let restarts = match state.restarted {
        Some(time) if state.restarts > 0 => {
            format!("{} ({} ago)", state.restarts, age(store, &time.to_string()).as_str().unwrap_or_default())
        }
        _ => state.restarts.to_string(),
    };
    let gates = list(object, "/spec/readinessGates").count();
    let met = list(object, "/spec/readinessGates").filter(|gate| condition(object, text(gate, &["conditionType"])));
    let gates = if gates == 0 { NONE.to_owned() } else { format!("{}/{gates}", met.count()) };
    vec![
        name(object),
        json!(format!("{}/{}", state.ready, state.containers)),
        json!(state.reason),
        json!(restarts),
        created(store, object),
        or_none(text(object, &["status", "podIP"])),
        or_none(text(object, &["spec", "nodeName"])),
        or_none(text(object, &["status", "nominatedNodeName"])),
        json!(gates),
    ]
}

fn condition(pod: &Value, name: &str) -> bool {
    list(pod, "/status/conditions").any(|found| text(found, &["type"]) == name && text(found, &["status"]) == "True")
}

/// What a pod is doing, in one word, and how far it is.
struct State {
    reason: String,
    ready: usize,
    containers: usize,
    restarts: u64,
    restarted: Option<Timestamp>,
}

impl State {
    fn of(pod: &Value) -> Self {
        let reason = Some(text(pod, &["status", "reason"])).filter(|reason| !reason.is_empty());
        let sidecars = list(pod, "/spec/initContainers").filter(|container| is_sidecar(container)).count();
        let mut state = Self {
            reason: reason.unwrap_or(text(pod, &["status", "phase"])).to_owned(),
            ready: 0,
            containers: list(pod, "/spec/containers").count() + sidecars,
            restarts: 0,
            restarted: None,
        };
        let initializing = state.init_containers(pod);
        if !initializing || condition(pod, "Initialized") {
            state.main_containers(pod);
        }
        if pod.pointer("/metadata/deletionTimestamp").is_some() {
            let over = matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed");
            if text(pod, &["status", "reason"]) == "NodeLost" {
                "Unknown".clone_into(&mut state.reason);
            } else if !over {
                "Terminating".clone_into(&mut state.reason);
            }
        }
        state
    }

    /// True when one of them has to end, or a sidecar to start, before the pod goes on.
    fn init_containers(&mut self, pod: &Value) -> bool {
        let count = list(pod, "/spec/initContainers").count();
        let (mut of_sidecars, mut of_all) = (0, 0);
        let mut initializing = false;
        for (index, status) in list(pod, "/status/initContainerStatuses").enumerate() {
            of_all += number(status, "/restartCount");
            let spec = list(pod, "/spec/initContainers").find(|spec| text(spec, &["name"]) == text(status, &["name"]));
            let sidecar = spec.is_some_and(is_sidecar);
            if sidecar {
                of_sidecars += number(status, "/restartCount");
                self.note_restart(status);
            }
            let terminated = status.pointer("/state/terminated");
            if terminated.is_some_and(|terminated| number(terminated, "/exitCode") == 0) {
                continue;
            }
            if sidecar && status.get("started") == Some(&Value::Bool(true)) {
                self.ready += usize::from(status.get("ready") == Some(&Value::Bool(true)));
                continue;
            }
            let waiting = text(status, &["state", "waiting", "reason"]);
            self.reason = match terminated {
                Some(terminated) => format!("Init:{}", ended(terminated)),
                None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
                None => format!("Init:{index}/{count}"),
            };
            initializing = true;
            break;
        }
        self.restarts = if initializing { of_all } else { of_sidecars };
        initializing
    }

    /// The first container in the list has the last word.
    fn main_containers(&mut self, pod: &Value) {
        let mut runs = false;
        for status in list(pod, "/status/containerStatuses").rev() {
            self.restarts += number(status, "/restartCount");
            self.note_restart(status);
            let waiting = text(status, &["state", "waiting", "reason"]);
            if !waiting.is_empty() {
                waiting.clone_into(&mut self.reason);
            } else if let Some(terminated) = status.pointer("/state/terminated") {
                self.reason = ended(terminated);
            } else if status.get("ready") == Some(&Value::Bool(true)) && status.pointer("/state/running").is_some() {
                runs = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && runs {
            if condition(pod, "Ready") { "Running" } else { "NotReady" }.clone_into(&mut self.reason);
        }
    }

    fn note_restart(&mut self, status: &Value) {
        let ended = text(status, &["lastState", "terminated", "finishedAt"]).parse().ok();
        self.restarted = self.restarted.max(ended);
    }
}

/// A native sidecar: an init container that keeps running.
fn is_sidecar(container: &Value) -> bool {
    text(container, &["restartPolicy"]) == "Always"
}

fn ended(terminated: &Value) -> String {
    let reason = text(terminated, &["reason"]);
    match number(terminated, "/signal") {
        _ if !reason.is_empty() => reason.to_owned(),
        0 => format!("ExitCode:{}", terminated.get("exitCode").and_then(Value::as_i64).unwrap_or_default()),
        signal => format!("Signal:{signal}"),
    }
}
