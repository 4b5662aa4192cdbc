//! Reads the archive of `istioctl bug-report`: objects in a few large YAML lists, logs without the kubelet's times,
//! and pages by their URL. <https://istio.io/latest/docs/ops/diagnostic-tools/istioctl-bugreport/>

mod events;

use serde_json::{Value, json};

use super::api::{has_previous, own_time};
use super::collect::Objects;
use super::resource::Resource;
use super::store::{Gvr, Kind, LogFile, LogPart, Store};
use super::tree::FileTree;
use super::types;
use report::Skipped;

const NAMESPACED: &str = "cluster/k8s-resources";
const CLUSTER_WIDE: &str = "cluster/k8s-cluster-resources";
const CUSTOM: &str = "cluster/crs";

/// What `kubectl get` was asked for: these lists are complete, also where they are empty.
const ASKED_NAMESPACED: &[(&str, &str, &str)] = &[
    ("", "v1", "pods"),
    ("", "v1", "services"),
    ("", "v1", "configmaps"),
    ("apps", "v1", "deployments"),
    ("apps", "v1", "replicasets"),
    ("apps", "v1", "statefulsets"),
    ("apps", "v1", "daemonsets"),
    ("autoscaling", "v2", "horizontalpodautoscalers"),
    ("batch", "v1", "jobs"),
    ("batch", "v1", "cronjobs"),
    ("networking.k8s.io", "v1", "ingresses"),
    ("networking.k8s.io", "v1", "networkpolicies"),
    ("discovery.k8s.io", "v1", "endpointslices"),
];

/// Up to 1.29 these were in the same file as the others.
const ASKED_CLUSTER_WIDE: &[(&str, &str, &str)] = &[
    ("", "v1", "nodes"),
    ("", "v1", "namespaces"),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
    ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations"),
];

pub(super) fn is_bug_report(tree: &FileTree) -> bool {
    [NAMESPACED, CLUSTER_WIDE, CUSTOM, "bug-report.log"].iter().any(|file| tree.contains(file))
}

pub(super) fn load(tree: FileTree) -> Store {
    let mut objects = Objects::default();
    let read = |objects: &mut Objects, file: &str| read_objects(&tree, objects, file);
    let namespaced = read(&mut objects, NAMESPACED);
    let cluster_wide = read(&mut objects, CLUSTER_WIDE);
    let custom = read(&mut objects, CUSTOM);
    for file in ["cluster/nodes", "cluster/pods"] {
        read(&mut objects, file);
    }
    // A table, unless the Secrets' data was asked for.
    if begins_as_yaml(&tree, "cluster/secrets") {
        read(&mut objects, "cluster/secrets");
    }
    let mut store = Store::new(Kind::BugReport, tree);
    objects.place(&mut store, true);
    if namespaced {
        add_asked(&mut store, ASKED_NAMESPACED);
    }
    if cluster_wide {
        add_asked(&mut store, ASKED_CLUSTER_WIDE);
    }
    if custom {
        add_custom(&mut store);
    }
    store.version = version(&store.tree);
    find_logs(&mut store);
    store.recorded_at = recorded_at(&store);
    events::add(&mut store);
    say_what_is_missing(&mut store);
    store
}

/// True when the file is there and all of it could be read.
fn read_objects(tree: &FileTree, objects: &mut Objects, file: &str) -> bool {
    if !tree.contains(file) {
        return false;
    }
    match tree.document(file) {
        Ok(content) => objects.read(file, &content),
        Err(why) => {
            objects.skipped.push(Skipped::new(file, why));
            false
        }
    }
}

fn begins_as_yaml(tree: &FileTree, file: &str) -> bool {
    const START: &[u8] = b"apiVersion:";
    let mut start = [0; START.len()];
    tree.reader(file).is_ok_and(|mut file| std::io::Read::read_exact(&mut file, &mut start).is_ok()) && start == START
}

fn add_asked(store: &mut Store, asked: &[(&str, &str, &str)]) {
    for (group, version, plural) in asked {
        let gvr = Gvr::new(group, version, plural);
        if let Some(found) = store.types.get(&gvr) {
            store.resources.entry(gvr).or_insert_with(|| Resource::new(&found.kind));
        }
    }
}

/// All objects of every `CustomResourceDefinition` were asked for.
fn add_custom(store: &mut Store) {
    let definitions = store.resources.get(&Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions"));
    let definitions = definitions.into_iter().flat_map(Resource::objects);
    let mut asked: Vec<_> = definitions.flat_map(|item| types::ResourceType::from_definition(&item)).collect();
    if asked.is_empty() {
        asked = types::usual_types(true).filter(|(gvr, _)| gvr.group.ends_with(".istio.io")).collect();
    }
    for (gvr, found) in asked {
        store.resources.entry(gvr).or_insert_with(|| Resource::new(&found.kind));
    }
}

/// From what `kubectl version` printed.
fn version(tree: &FileTree) -> Option<Value> {
    let content = String::from_utf8(tree.document("cluster/kubectl-version").ok()?).ok()?;
    let version = content.lines().find_map(|line| line.strip_prefix("Server Version: "))?.trim();
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next()?, numbers.next()?);
    Some(json!({
        "major": major, "minor": minor, "gitVersion": version, "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": "",
    }))
}

fn find_logs(store: &mut Store) {
    let mut logs = Vec::new();
    for (path, _) in store.tree.files() {
        match path.split('/').collect::<Vec<_>>()[..] {
            ["istio" | "proxies" | "operator", namespace, pod, file] => {
                if let Some(container) = file.strip_suffix(".log") {
                    logs.push((namespace.to_owned(), pod.to_owned(), container.to_owned(), path.to_owned()));
                }
            }
            // istioctl does not name the namespace of the CNI's pods.
            ["cni", pod, "cni.log"] => {
                let pods = store.resources.get(&Gvr::new("", "v1", "pods"));
                let items = pods.map(|pods| pods.items.as_slice()).unwrap_or_default();
                if let Some(found) = items.iter().find(|item| item.name == pod) {
                    let object = found.object().unwrap_or_default();
                    let container =
                        object.pointer("/spec/containers/0/name").and_then(Value::as_str).unwrap_or("install-cni");
                    logs.push((found.namespace.clone(), pod.to_owned(), container.to_owned(), path.to_owned()));
                }
            }
            _ => {}
        }
    }
    for (namespace, pod, container, path) in logs {
        let with_previous = store.tree.reader(&path).is_ok_and(|mut file| {
            let mut start = [0; 64];
            std::io::Read::read(&mut file, &mut start).is_ok_and(|length| has_previous(&start[..length]))
        });
        if with_previous {
            let file = LogFile { path: path.clone(), part: LogPart::Previous };
            store.logs.insert((namespace.clone(), pod.clone(), container.clone(), true), file);
        }
        let part = if with_previous { LogPart::BeforePrevious } else { LogPart::Whole };
        store.logs.insert((namespace, pod, container, false), LogFile { path, part });
    }
}

/// The newest line of any log, the tool's own above all.
fn recorded_at(store: &Store) -> Option<jiff::Timestamp> {
    const END: u64 = 16 * 1024;
    let paths = store.logs.values().map(|log| log.path.as_str()).chain(["bug-report.log"]);
    let ends = paths.filter_map(|path| store.tree.read_end(path, END).ok());
    ends.filter_map(|end| end.split(|byte| *byte == b'\n').rev().find_map(own_time)).max()
}

fn say_what_is_missing(store: &mut Store) {
    let secrets = "istioctl bug-report records the names of Secrets only, unless --full-secrets is given";
    let missing = store.types.iter().filter(|(gvr, found)| found.listable && !store.resources.contains_key(gvr));
    let mut skipped = Vec::new();
    for (gvr, _) in missing {
        let why = if gvr.plural == "secrets" { secrets } else { "istioctl bug-report does not collect it" };
        store.why_not.insert(gvr.clone(), why.to_owned());
        skipped.push(Skipped::new(gvr.path(), why));
    }
    let pods = store.resources.get(&Gvr::new("", "v1", "pods"));
    for pod in pods.map(|pods| pods.items.as_slice()).unwrap_or_default() {
        let (namespace, name) = (&pod.namespace, &pod.name);
        if pod.label("app") == Some("istiod") && !store.has_port(namespace, name, 15014) {
            let why = "istioctl bug-report writes none of an istiod's pages when one of them fails";
            skipped.push(Skipped::new(format!("debug pages of istiod {namespace}/{name}"), why));
        }
    }
    if store.version.is_none() {
        skipped.push(Skipped::new("the version of the API server", "not in the archive"));
    }
    store.skipped.extend(skipped);
}
